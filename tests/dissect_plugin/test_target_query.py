"""dissect.target beside vmrescue: its `target-query` yields our findings, and an opened Target can be diagnosed."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dissect import target

import vmrescue
from support.command import output_of
from support.images import fingerprint
from vmrescue.dissect_plugin import FOLDER
from vmrescue.errors import NotFoundError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


def target_query(*arguments: object) -> list[dict[str, Any]]:
    """The records that target-query prints as JSON, run as a user runs it."""
    tool = Path(sys.executable).with_name("target-query")
    command = [str(tool), "-q", "--plugin-path", str(FOLDER), "-f", "vmrescue", "-j", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = map(json.loads, done.stdout.splitlines())
    return [line for line in lines if line.get("_type") != "recorddescriptor"]


def test_target_query_yields_the_findings_as_records(gen2_broken: Path, gen2_healthy: Path) -> None:
    before = fingerprint(gen2_broken)
    records = target_query(gen2_broken, gen2_healthy)
    findings = vmrescue.diagnose(gen2_broken).findings
    assert [record["summary"] for record in records] == [finding.summary for finding in findings]
    assert [record["check"] for record in records] == [finding.check for finding in findings]
    for record, finding in zip(records, findings, strict=True):
        assert record["hostname"] == "VM-GEN2"
        assert json.loads(record["evidence"]) == finding.evidence
        assert record["changes"] == [change.title for change in finding.changes]
        assert Path(record["source"]) == gen2_broken
    assert fingerprint(gen2_broken) == before

    program, *words = next(record["remedies"] for record in records if record["check"] == "bad-memory")[0].split()
    assert program == "vmrescue"
    output_of(*words, "--yes")
    assert "bad-memory" not in {finding.check for finding in vmrescue.diagnose(gen2_broken).findings}


def test_the_vm_size_is_passed_on(gen2_broken: Path) -> None:
    without_temporary_drive = target_query(gen2_broken, "--vm-size=Standard_D4s_v5")
    severities = {record["severity"] for record in without_temporary_drive if record["check"] == "page-file"}
    assert severities == {"advice"}  # that the last boot had one on D: too


@pytest.fixture(autouse=True)
def _left_open() -> Iterator[None]:
    """Targets leave their files to the garbage collector; what it says of them belongs to no other test."""
    yield
    gc.collect()


@pytest.mark.parametrize("name", ["gen1_broken", "gen2_broken"])
def test_an_opened_target_is_diagnosed_as_the_file_is(name: str, request: pytest.FixtureRequest) -> None:
    image: Path = request.getfixturevalue(name)
    own = vmrescue.diagnose(image)
    opened = target.Target.open(image)
    seen = vmrescue.diagnose(opened)
    assert own.windows is not None
    assert opened.hostname == own.windows.computer_name  # it serves as before
    assert [finding.to_dict() for finding in seen.findings] == [finding.to_dict() for finding in own.findings]
    assert (seen.volumes, seen.windows, seen.image) == (own.volumes, own.windows, own.image)
    receipt = vmrescue.repair(image, plan=seen.plan())
    assert receipt.committed


def test_a_target_without_disks_and_writing_to_one_are_refused(tmp_path: Path, gen2_healthy: Path) -> None:
    from vmrescue.image.transports.target_disk import disks_of

    (tmp_path / "folder" / "Windows" / "System32").mkdir(parents=True)
    with pytest.raises(NotFoundError, match="has no disks"):
        vmrescue.diagnose(target.Target.open(tmp_path / "folder"))
    (disk,) = disks_of(target.Target.open(gen2_healthy))
    with pytest.raises(RefusedError, match="for reading only"):
        disk.write_at(0, b"x")


def test_the_module_prints_the_folder_of_the_plugin_and_nothing_else_imports_dissect_target(gen2_healthy: Path) -> None:
    printed = subprocess.run([sys.executable, "-m", "vmrescue.dissect_plugin"], capture_output=True, text=True).stdout
    assert [path.name for path in Path(printed.strip()).glob("*.py")] == ["vmrescue_findings.py"]
    code = f"import sys, vmrescue; vmrescue.diagnose({str(gen2_healthy)!r}); print('dissect.target' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
