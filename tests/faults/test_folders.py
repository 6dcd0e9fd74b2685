"""What stands in the folders of the faults: read strictly, and of one mind. No disk is made."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from support.fault import FAULTS, RECIPE, RECORD, SOURCE, TRANSCRIPT, Recipe, load, names
from support.fault_page import page
from support.fault_record import Record, Stop
from support.fault_source import Source
from vmrescue.errors import FormatError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

SAMPLE = "system-hive-cut-short"  # it has a stop, a repair, and something that is left
BOOT_PATH = "boot-path critical"


def test_the_page_is_made_of_the_folders() -> None:
    assert (FAULTS.parents[1] / "docs/faults.md").read_text(encoding="utf-8") == page(), (
        "run: PYTHONPATH=tests:images python -m support.fault_page > docs/faults.md"
    )


def test_each_folder_has_its_four_files_and_no_other() -> None:
    wanted = {RECIPE, RECORD, SOURCE, TRANSCRIPT}
    folders = [path for path in FAULTS.iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert sorted(path.name for path in folders) == names()
    assert {path.name: {file.name for file in path.iterdir()} ^ wanted for path in folders} == {
        name: set() for name in names()
    }, "as root, with the judges: python -m tests.faults --update makes expect.json and expect.txt"


def test_each_names_where_it_comes_from() -> None:
    for name in names():
        source = load(name).source
        assert source.says != source.derived, name


def test_no_recording_contradicts_its_recipe() -> None:
    found = {name: load(name).contradictions(load(name).record) for name in names()}

    assert {name: lines for name, lines in found.items() if lines} == {}


def test_where_a_recipe_says_that_the_start_ends_it_wants_that_told() -> None:
    """By hand twice: a stop that a recipe leaves out is not hidden by its list of findings."""
    recipes = {name: load(name).recipe for name in names()}
    wanted = [(name, recipe.expect) for name, recipe in recipes.items()]
    wanted += [(name, each.repair.after) for name, each in recipes.items() if each.repair and each.repair.after]

    assert [name for name, each in wanted if bool(each.stop) != (BOOT_PATH in each.findings)] == []


def test_a_wrong_recording_does_not_hide_a_wrong_stop() -> None:
    fault = load(SAMPLE)
    record = replace(fault.record, diagnosis=replace(fault.record.diagnosis, stop=Stop("session", "0x6B")))

    found = fault.contradictions(record)

    assert found == ["diagnosis: stop: session 0x6B; the recipe expects loader 0xc000014c"]


def test_a_wrong_recording_does_not_hide_what_a_repair_leaves() -> None:
    fault = load(SAMPLE)
    repair = fault.record.repair
    assert repair is not None
    assert repair.after is not None
    record = replace(fault.record, repair=replace(repair, after=replace(repair.after, findings=())))

    assert len(fault.contradictions(record)) == 1


def changed(path: list[str | int], value: Any) -> bytes:
    """The record of the sample with one value changed; `None` in place of a value takes it away."""
    document: Any = json.loads(load(SAMPLE).path(RECORD).read_bytes())
    node = document
    for key in path[:-1]:
        node = node[key]
    if value is None:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (["diagnosis", "findings", 0, "severity"], "bad", "diagnosis.findings[0].severity: expected one of 'critical'"),
        (["diagnosis", "status"], True, "diagnosis.status: expected one of 0, 1"),
        (["diagnosis", "stop", "stage"], "kernel", "diagnosis.stop.stage: expected one of 'firmware'"),
        (["diagnosis", "stop"], [], "diagnosis.stop: expected fields, found []"),
        (["diagnosis", "stages", "loader"], 3, "diagnosis.stages.loader: expected one of 'ok'"),
        (["repair", "undone"], 0, "repair.undone: expected one of the fields status, changes"),
        (["diagnosis", "findings"], None, "diagnosis.findings: expected this field, found 'nothing'"),
        (["repair", "changes"], "none", "repair.changes: expected a list, found 'none'"),
    ],
)
def test_a_broken_recording_is_an_error_that_names_file_and_field(
    path: list[str | int], value: object, said: str
) -> None:
    with pytest.raises(FormatError) as error:
        Record.from_json(changed(path, value), "expect.json")

    assert f"{error.value}".startswith(f"expect.json: {said}")


@pytest.mark.parametrize("data", [b"{", b"\xff", b"[" * 100_000, b'{"a": 1, "a": 2}', b"null", b"1" * 5000])
def test_what_is_no_recording_is_an_error_that_names_the_file(data: bytes) -> None:
    with pytest.raises(FormatError, match=r"expect\.json"):
        Record.from_json(data, "expect.json")


def test_a_recording_that_is_read_is_written_as_it_was() -> None:
    for name in names():
        assert load(name).record.to_json() == load(name).path(RECORD).read_text(encoding="utf-8"), name


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('stop = "loader 0xc000014c"', "", "expect.stop: expected this field"),
        ("findings =", "finding =", "expect.finding: expected one of the fields"),
        ("status = 1", 'status = "1"', "expect.status: expected one of 0, 1"),
        ('disk = "gen1"', 'disk = "gen3"', "disk: expected one of 'gen1', 'gen2'"),
        ("[repair]", "[repairs]", "repairs: expected one of the fields"),
        ("[expect]", "[expect", "expected TOML"),
    ],
)
def test_a_broken_recipe_is_an_error_that_names_file_and_field(old: str, new: str, said: str) -> None:
    text = load(SAMPLE).path(RECIPE).read_text()
    assert old in text

    with pytest.raises(FormatError) as error:
        Recipe.from_toml(text.replace(old, new, 1).encode(), "fault.toml")

    assert f"{error.value}".startswith(f"fault.toml: {said}")


@pytest.mark.parametrize(
    ("old", "new"),
    [("# ", ""), ("https://", "http://"), ("**What it says.**", "It says"), ("**What was derived.**", "")],
)
def test_a_source_that_lacks_a_part_is_an_error_that_names_the_file(old: str, new: str) -> None:
    text = load(SAMPLE).path(SOURCE).read_text(encoding="utf-8")
    assert old in text

    with pytest.raises(FormatError, match=r"source\.md"):
        Source.from_bytes(text.replace(old, new, 1).encode(), "source.md")


@pytest.mark.parametrize("wanted", [[], [SAMPLE, "bad-memory-list"]])
def test_the_disk_that_is_kept_is_of_one_fault(wanted: list[str], tmp_path: Path) -> None:
    line = [sys.executable, "-m", "tests.faults", "--keep", str(tmp_path), *wanted]
    done = subprocess.run(line, cwd=FAULTS.parents[1], capture_output=True, text=True, check=False)
    assert (done.returncode, "name one fault" in done.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []
