"""What a command says of what it has done is so."""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import vmrescue
from support.command import output_of
from support.command import vmrescue as command
from support.images import fingerprint
from vmrescue.checks.finding import Finding
from vmrescue.cli.applying import also_written
from vmrescue.errors import in_volume
from vmrescue.image.journal import journal_folder
from vmrescue.plan import DeleteFile, FileRef, ImageIdentity, Plan, RegistryData, Step
from vmrescue.readers.guard import reading
from vmrescue.report.receipt import receipt_text
from vmrescue.report.text import plans_text
from vmrescue.transaction import Receipt, history
from vmrescue.transaction.receipt import Written

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

KEY = r"HKLM\SYSTEM\CurrentControlSet\Control\CrashControl"


@pytest.mark.parametrize(
    "words", [("bcdedit", "/export", "{}"), ("bcdedit", "/createstore", "{}"), ("reg", "export", KEY, "{}")]
)
def test_a_dry_run_of_an_export_writes_no_file(words: Sequence[str], gen2_broken: Path, tmp_path: Path) -> None:
    file = tmp_path / "exported"
    name, *rest = (word.format(file) if word == "{}" else word for word in words)
    image = [] if "/createstore" in rest else [gen2_broken]
    said = output_of(name, *image, *rest, "--dry-run")
    assert not file.exists()
    assert said.endswith("would be written.\nNothing was written.\n")

    file.write_text("mine")
    assert command(name, *image, *rest, "--dry-run").returncode == 4, "as it would be without --dry-run"
    assert file.read_text() == "mine"


def test_the_changes_of_a_rescue_are_counted_through() -> None:
    """It has two plans: what makes room is chosen on what the rest leaves."""
    plan = Plan(ImageIdentity(1 << 20, ""), (Step("page-file", "", DeleteFile(FileRef(0, 1, "pagefile.sys"), 1)),) * 2)
    assert re.findall(r"^ *(\d+)\.", plans_text([plan, plan]), re.MULTILINE) == ["1", "2", "3", "4"]


def test_a_receipt_names_each_image_that_was_changed_and_no_other() -> None:
    """An undo of the first image would take back an earlier repair, where only a data disk was changed."""
    row = Written(512, 2, "", "")
    delete = Step("by hand", "", DeleteFile(FileRef(1, 1, "pagefile.sys"), 1))
    now = datetime.now(UTC)
    plan = Plan(ImageIdentity(1 << 20, ""), (delete,))
    receipt = Receipt("os.vhd", True, "1", Path("data.vhd.vmrescue"), plan, None, None, {"data.vhd": [row]}, now, now)
    assert receipt_text(receipt).split("\n") == [
        "Changed data.vhd: 1 change, 2 bytes written.",
        "Receipt: data.vhd.vmrescue",
        "Take it back with: vmrescue undo data.vhd",
    ]


def test_a_question_about_a_copy_names_the_data_disk_that_is_changed_in_place() -> None:
    change = DeleteFile(FileRef(1, 1, "pagefile.sys"), 1)
    plan = Plan(ImageIdentity(1 << 20, ""), (Step("page-file", "", change),))
    assert also_written(plan.changes, [Path("data.vhd")]) == " and, in place, to data.vhd"


def test_a_copy_in_which_there_was_nothing_to_change_is_not_called_nothing(gen2_healthy: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.vhd"
    said = output_of("repair", gen2_healthy, "--copy-to", copy, "--yes")
    assert copy.is_file()
    assert said.endswith(f"{copy} was made of {gen2_healthy}; nothing in it was changed.\n")


def test_what_was_not_asked_is_not_said_to_be_right(gen2_broken: Path) -> None:
    said = output_of("diagnose", gen2_broken, "--only", "hive-log")
    assert said.endswith("Nothing is wrong in what was checked: the one check found nothing.\n")


def test_of_two_findings_of_a_check_the_note_names_the_one_that_is_left() -> None:
    left = Finding("page-file", "warning", "E: has one", "", "", refused="E: is encrypted")
    assert left.left == "page-file: left as it is: E: has one: E: is encrypted"


def test_a_sample_with_nothing_to_repair_is_not_said_to_be_repaired() -> None:
    said = output_of("demo", "--sample", "gen2-healthy")
    assert "1. A VM with nothing to repair" in said
    assert "Repaired" not in said


def test_rm_says_that_a_folder_is_one(gen2_broken: Path) -> None:
    before = fingerprint(gen2_broken)
    for path, named in ((r"\Windows", r"\Windows on partition"), ("", "the root of partition")):
        done = command("rm", gen2_broken, path, "--yes")
        assert (done.returncode, named in done.stderr, "is a folder" in done.stderr) == (3, True, True), done.stderr
    assert fingerprint(gen2_broken) == before


def test_a_value_of_any_length_is_cut_for_people_and_whole_in_a_plan() -> None:
    long = RegistryData.multi_sz(["x" * 1000] * 500)
    assert len(str(long)) < 3000
    assert str(long).endswith("characters)")
    assert RegistryData.from_dict(long.to_dict()) == long


def test_without_its_journals_nobody_says_that_an_image_was_never_repaired(gen2_broken: Path) -> None:
    vmrescue.repair(gen2_broken, only=["bad-memory"])
    folder = journal_folder(gen2_broken)
    folder.rename(folder.with_name("elsewhere"))
    assert history(gen2_broken) == []
    assert "is known" in output_of("undo", gen2_broken, "--list")


SOURCE = Path(vmrescue.__file__).parent
INNER = re.compile(r"(?<!/)\b(?:vmrescue|dissect|fsspec|azure|pyvhdi|concurrent|asyncio)\.[a-z_]+\b")
DECIMAL = re.compile(r"\d ?[kKMGT]B\b")
OF_OTHERS = ("at least 300 MB free on the OS disk",)  # Microsoft's words
FOR_DEVELOPERS = ("bcd/document.py", "report/azure.py", "dissect_plugin")  # pages that are made of the code


@cache
def modules() -> dict[str, list[ast.AST]]:
    """All that each module of the package holds, by its path."""
    files = sorted(SOURCE.rglob("*.py"))
    return {str(file.relative_to(SOURCE)): list(ast.walk(ast.parse(file.read_text()))) for file in files}


def said_in(nodes: list[ast.AST]) -> Iterator[tuple[str, int]]:
    """Each text of a module that may be a sentence, and its line; no docstrings."""
    alone = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and " " in node.value
            and id(node) not in alone
        ):
            yield node.value, node.lineno


def test_no_sentence_has_an_inner_name_or_a_size_in_another_unit() -> None:
    found = [
        f"{name}:{line}: {text[:80]}"
        for name, nodes in modules().items()
        if not name.startswith(FOR_DEVELOPERS)
        for text, line in said_in(nodes)
        if INNER.search(text) or (DECIMAL.search(text) and not any(each in text for each in OF_OTHERS))
    ]
    assert found == []


def test_no_sentence_has_the_name_of_a_class() -> None:
    """But the log, whose words are no f-string, and a mistake of ours, which is to be reported with it."""
    found = {
        f"{name}:{node.lineno}"
        for name, nodes in modules().items()
        for node in nodes
        if isinstance(node, ast.JoinedStr) and "type(" in (said := ast.unparse(node)) and "__name__" in said
    }
    assert found == set()


def test_what_a_reader_gives_up_on_is_said_without_its_words() -> None:
    with pytest.raises(vmrescue.FormatError) as error, reading("NTFS file x", 4096):
        raise IndexError("list index out of range")
    said = "NTFS file x at byte 4096 (0x1000): expected an intact structure, found one that cannot be read"
    assert str(error.value) == said


def test_a_structure_of_a_volume_is_not_said_to_lie_at_that_byte_of_the_disk() -> None:
    with pytest.raises(vmrescue.FormatError) as error, reading("NTFS file x on the volume", 1 << 20):
        raise in_volume("NTFS file record 40", 4096, "the signature 'FILE'", b"BAAD")
    assert str(error.value) == (
        "NTFS file x on the volume at byte 1048576 (0x100000): NTFS file record 40 at byte 4096 (0x1000) of the volume:"
        " expected the signature 'FILE', found 'BAAD'"
    )


def test_of_several_disks_the_error_names_the_one_that_is_damaged(gen2_healthy: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "data.vhd"
    content = bytearray(gen2_healthy.read_bytes()[:1536])
    content[-512:] = content[:512]  # the copy of a dynamic VHD's footer
    content[512:520] = b"no magic"
    damaged.write_bytes(content)
    done = command("diagnose", gen2_healthy, "--data-disk", damaged)
    assert (done.returncode, done.stderr.startswith(f"vmrescue: {damaged}: VHD ")) == (3, True), done.stderr


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ("", "is empty: neither a plan (JSON from `vmrescue plan`) nor a playbook (YAML)"),
        ("{}", ": not a plan: the field 'schema' is missing"),
        ('{"schema":"vmrescue.plan/1","image":{"size":1,"disk_id":""}}', ": not a plan: the field 'steps' is missing"),
        (
            '{"schema":"vmrescue.plan/1","image":{"size":1,"disk_id":""},"steps":[{"check":"x","reason":""}]}',
            ": step 1 of the plan: the field 'change' is missing",
        ),
        (
            '{"schema":"vmrescue.plan/1","image":{"size":1,"disk_id":""},"steps":[],"policy":{"colour":"red"}}',
            ": a policy has no 'colour'; it has ",
        ),
        (
            '{"schema":"vmrescue.plan/1","image":{"size":1,"disk_id":""},"steps":[],"policy":{"ram":"lots"}}',
            "ram",
        ),
        (
            (
                '{"schema":"vmrescue.plan/1","image":{"size":1,"disk_id":""},'
                '"steps":[{"check":"x","reason":"","change":{"kind":"delete-keys"}}]}'
            ),
            ": step 1 of the plan: not a change: there is no kind of change 'delete-keys'; did you mean delete-key?",
        ),
    ],
)
def test_of_a_plan_that_is_none_it_is_said_what_is_missing(
    plan: str, said: str, gen2_healthy: Path, tmp_path: Path
) -> None:
    file = tmp_path / "plan.json"
    file.write_text(plan)
    done = command("apply", file, gen2_healthy, "--yes")
    assert (done.returncode, str(file) in done.stderr, said in done.stderr) == (2, True, True), done.stderr


def test_that_all_was_taken_back_is_not_called_no_journal(gen2_broken: Path) -> None:
    vmrescue.repair(gen2_broken, only=["bad-memory"])
    vmrescue.undo(gen2_broken)
    assert "no repair to undo: what was done was taken back" in command("undo", gen2_broken).stderr


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("run", "{a}", "{b}"), 2, "the order is: vmrescue run IMAGE FILE"),
        (("reg", "{b}", "export", KEY, "{folder}"), 4, "is a folder: name a file in it"),
        (("bcdedit", "{b}", "/import", "{a}", "--yes"), 3, "is no boot store: no hive"),
        (("ls", "{b}:2"), 3, "partition 2 holds no known file system"),
        (("put", "{b}", "{a}", r"\Windows\Nowhere\x", "--yes"), 3, r"looking for Windows\Nowhere"),
    ],
)
def test_a_slip_of_the_hand_is_told_as_that(
    words: Sequence[str], status: int, said: str, gen2_broken: Path, tmp_path: Path
) -> None:
    file = tmp_path / "commands.cmd"
    file.write_text("rem nothing\n")
    done = command(*(word.format(a=file, b=gen2_broken, folder=tmp_path) for word in words))
    assert (done.returncode, said in done.stderr) == (status, True), done.stderr


def test_a_structure_is_named_once_however_many_readers_looked_at_it() -> None:
    with (
        pytest.raises(vmrescue.FormatError) as error,
        reading("NTFS volume", 4096),
        reading("NTFS volume", 4096),
    ):
        raise EOFError
    assert str(error.value).count("NTFS volume at byte 4096") == 1


def test_what_is_named_as_a_vhdx_and_is_none_is_told(tmp_path: Path) -> None:
    file = tmp_path / "disk.vhdx"
    file.write_bytes(bytes(1 << 20))
    assert "note: it does not begin as a VHDX does" in output_of("info", file)


def test_a_damaged_journal_of_a_repair_that_was_finished_does_not_call_the_image_half_written(
    gen2_broken: Path,
) -> None:
    vmrescue.repair(gen2_broken, only=["bad-memory"])
    [journal] = journal_folder(gen2_broken).glob("*.done")
    journal.write_bytes(journal.read_bytes()[:700])
    before = fingerprint(gen2_broken)
    done = command("undo", gen2_broken)
    assert (done.returncode, "is damaged at byte" in done.stderr) == (4, True), done.stderr
    assert done.stderr.endswith("; the image stays as it is\n")
    assert fingerprint(gen2_broken) == before
