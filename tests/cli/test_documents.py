"""Every document that a command prints or writes is as its JSON Schema says, by a validator that is not ours."""

from __future__ import annotations

import json
import re
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

import vmrescue
from support.command import output_of
from support.command import vmrescue as command
from support.documents import must_be
from support.images import sample
from vmrescue.cli.main import COMMANDS
from vmrescue.schemas import schema_names
from vmrescue.schemas.__main__ import texts

if TYPE_CHECKING:
    from collections.abc import Iterator

SELECT = r"HKLM\SYSTEM\Select"
FOLDER = files("vmrescue.schemas")


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image that is only read here."""
    return sample("gen2-broken", tmp_path_factory.mktemp("image"))


def test_the_stored_schemas_are_what_the_types_make() -> None:
    stored = {each.name: each.read_text("utf-8") for each in FOLDER.iterdir() if each.name.endswith(".json")}
    assert stored == texts(), "run: python -m vmrescue.schemas"


@pytest.mark.parametrize("name", schema_names())
def test_a_schema_is_one_and_refuses_what_is_not_declared(name: str) -> None:
    schema = vmrescue.schema(name)
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:vmrescue:{name}:1"
    assert not Draft202012Validator(schema).is_valid({"nonsense": 1})


def test_the_manual_lists_every_schema() -> None:
    page = (Path(__file__).parents[2] / "docs/results.md").read_text().partition("## The schemas")[2]
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    assert sorted(name for row in rows for name in re.findall(r"`([\w-]+)`", row)) == schema_names()


def test_a_document_that_there_is_not_is_said() -> None:
    with pytest.raises(vmrescue.UsageError, match="there is no document 'nonsense'; there are backup, backup-files,"):
        vmrescue.schema("nonsense")


def named(value: Any) -> str:
    """What a case is called: the words of a command by the first."""
    return str(value[0] if isinstance(value, list) else value)


READING = [
    ("diagnosis", ["diagnose", "{}"]),
    ("diagnosis", ["diagnose", "{}", "--symptom", "0xC0000017"]),
    ("rehearsal", ["rehearse", "{}"]),
    ("info", ["info", "{}"]),
    ("scan", ["scan", "{}"]),
    ("scan", ["scan", "{}", "--sha256"]),
    ("checks", ["explain"]),
    ("ls", ["ls", "{}", r"\Windows\System32\config"]),
    ("cleanup-list", ["cleanup", "{}", "--list"]),
    ("fragmentation", ["defrag", "{}", "--analyze"]),
    ("defragmentation", ["defrag", "{}", "--dry-run"]),
    ("receipt", ["repair", "{}", "--dry-run"]),
    ("rescue", ["rescue", "{}", "--dry-run"]),
    ("run", ["repair", "{}", "{}", "--dry-run"]),
    ("undo-list", ["undo", "{}", "--list"]),
    ("bcdedit", ["bcdedit", "{}", "/enum", "all", "/v"]),
    ("bcdedit", ["bcdedit", "{}", "/export", "{}.bcd", "--yes"]),
    ("reg", ["reg", "{}", "query", r"HKLM\SYSTEM", "/s"]),
    ("reg", ["reg", "{}", "compare", SELECT, r"HKLM\SYSTEM\Setup"]),
    ("reg", ["reg", "{}", "check", SELECT]),
    ("receipt", ["reg", "{}", "add", SELECT, "/v", "X", "--dry-run"]),
]


@pytest.mark.parametrize(("name", "words"), READING, ids=named)
def test_what_is_printed_is_as_its_schema_says(looked_at: Path, name: str, words: list[str]) -> None:
    given = [word.replace("{}", str(looked_at)) for word in words]
    printed = output_of(*given, "--format", "json", status=(0, 1))
    for document in documents_in(printed):
        must_be(name, document)


def documents_in(printed: str) -> Iterator[Any]:
    """The JSON documents of a text, one after the other."""
    decoder, rest = json.JSONDecoder(), printed.strip()
    assert rest
    while rest:
        document, end = decoder.raw_decode(rest)
        yield document
        rest = rest[end:].lstrip()


def test_what_an_edit_prints_and_writes_is_as_its_schemas_say(gen2_broken: Path, tmp_path: Path) -> None:
    def printed(*words: object) -> Any:
        [document] = documents_in(output_of(*words, "--format", "json", status=(0, 1)))
        return document

    plan = tmp_path / "plan.json"
    output_of("plan", gen2_broken, "-o", plan)
    must_be("plan", json.loads(plan.read_text()))
    must_be("receipt", done := printed("apply", plan, gen2_broken, "--yes"))
    folder = Path(done["folder"])
    must_be("receipt", json.loads((folder / "receipt.json").read_text()))
    must_be("backup", json.loads((folder / "manifest.json").read_text()))
    must_be("undo-list", repairs := printed("undo", gen2_broken, "--list"))
    assert repairs[0]["number"] == 1
    must_be("undo", printed("undo", gen2_broken))
    must_be("rescue", printed("rescue", gen2_broken, "--yes", "--copy-to", tmp_path / "copy.vhd"))
    must_be("backup-files", printed("backup", gen2_broken, tmp_path / "saved"))
    runbook = tmp_path / "lines.cmd"
    runbook.write_text(f'bcdedit /timeout 7\nreg query "{SELECT}"\n')
    must_be("runbook", printed("run", gen2_broken, runbook, "--yes"))
    must_be("reg", printed("reg", gen2_broken, "load", r"HKLM\X", r"C:\Windows\System32\config\SYSTEM"))
    names = gen2_broken.with_name(f"{gen2_broken.name}.vmrescue") / "loaded-hives.json"
    must_be("loaded-hives", json.loads(names.read_text()))


def test_what_a_run_writes_and_its_undo_prints_is_as_their_schemas_say(gen2_broken: Path, tmp_path: Path) -> None:
    results = tmp_path / "run.jsonl"
    output_of("repair", gen2_broken, "--yes", "-o", results, status=(0, 1))
    [line] = documents_in(results.read_text())
    must_be("run", line)
    [undone] = documents_in(output_of("undo", "--run", results, "--format", "json"))
    must_be("undo-run", undone)


def test_what_could_not_be_done_to_one_of_many_is_as_its_schema_says(gen2_broken: Path, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.vhd"
    nothing.write_bytes(b"no disk")
    gen2_broken.chmod(0o444)
    for name, words in (("scan", ["scan"]), ("run", ["repair", "--yes"])):
        lines = list(documents_in(command(*words, gen2_broken, nothing, "--format", "json").stdout))
        assert len(lines) == 2
        for line in lines:
            must_be(name, line)
        assert any(line["error"] for line in lines)


def test_a_playbook_that_is_not_for_an_image_says_so_as_its_schema_says(looked_at: Path, tmp_path: Path) -> None:
    playbook = tmp_path / "old.yaml"
    playbook.write_text(
        "schema: vmrescue.playbook/1\nname: old\nmatch: {windows: {name: Windows 3.1}}\nservices: [{disable: x}]\n"
    )
    printed = output_of("apply", playbook, looked_at, "--yes", "--format", "json")
    must_be("not-meant", json.loads(printed))


def test_a_defragmentation_and_what_it_ends_are_as_their_schemas_say(gen2_healthy: Path) -> None:
    must_be("defragmentation", json.loads(output_of("defrag", gen2_healthy, "--yes", "--format", "json")))
    must_be("undo-list", past := json.loads(output_of("undo", gen2_healthy, "--list", "--format", "json")))
    assert {each["state"] for each in past} <= {"final"}


ERRORS = [
    (2, ["diagnose", "{}", "--only", "nonsense"]),
    (2, ["diagnose", "{}", "--nonsense"]),
    (2, ["bcdedit", "{}", "/frob"]),
    (2, ["reg", "{}", "query"]),
    (1, ["reg", "{}", "query", r"HKLM\SYSTEM\Nothing"]),
    (3, ["ls", "{}", r"\nothing"]),
    (3, ["info", "{}.nothing"]),
    (3, ["rehearse", "{}.nothing"]),
    (2, ["cleanup", "{}", "--category", "nonsense", "--yes"]),
    (4, ["repair", "{}"]),
    (4, ["rescue", "{}"]),
    (4, ["expand", "{}", "--size", "9000G", "--yes"]),
    (4, ["defrag", "{}"]),
    (3, ["undo", "{}"]),
    (3, ["backup", "{}.nothing", "folder"]),
    (3, ["run", "{}", "{}.nothing"]),
    (2, ["explain", "bad-memory"]),
    (2, ["scan", "{}", "--only", "nonsense"]),
    (2, ["apply", "{}.nothing", "{}"]),
    (2, ["put", "{}", "{}.nothing", "x", "--yes"]),
    (3, ["rm", "{}", r"\nothing", "--yes"]),
]


def test_every_command_that_prints_documents_is_among_those_below() -> None:
    printing = {
        name
        for name in COMMANDS
        for option in import_module(f"vmrescue.cli.{name}").command.params
        if "--format" in option.opts and "json" in option.type.choices
    }
    assert printing == {words[0] for _, words in ERRORS}


@pytest.mark.parametrize(("status", "words"), ERRORS, ids=named)
def test_an_error_is_a_document_too_and_its_words_are_on_stderr(looked_at: Path, status: int, words: list[str]) -> None:
    done = command(*(word.replace("{}", str(looked_at)) for word in words), "--format", "json")
    *_, document = documents_in(done.stdout)
    must_be("error", document)
    assert document["status"] == done.returncode
    assert document["status"] == status
    assert document["message"].split("\n")[0] in done.stderr
    assert json.dumps(document) not in done.stderr


def test_an_error_of_a_format_says_where_and_what(tmp_path: Path) -> None:
    image = sample("gen2-healthy", tmp_path)
    with image.open("r+b") as file:
        file.seek(0)
        file.write(b"connectix" + bytes(503))
        file.seek(-512, 2)
        file.write(bytes(512))
    done = command("diagnose", image, "--format", "json")
    [document] = documents_in(done.stdout)
    must_be("error", document)
    assert (document["kind"], document["status"]) == ("FormatError", 3)
    assert document["structure"]
    assert isinstance(document["position"], int)
    assert document["expected"]
    assert document["found"]


def test_without_a_wish_for_json_an_error_is_words_alone(looked_at: Path) -> None:
    done = command("ls", looked_at, r"\nothing")
    assert (done.returncode, done.stdout) == (3, "")
