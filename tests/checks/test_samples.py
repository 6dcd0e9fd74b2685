"""What a diagnosis finds in the sample images, which tools of others have built: exactly the faults put in."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

import vmrescue
from support.images import fingerprint
from vmrescue.report.text import diagnosis_text

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue import Diagnosis, Finding

FAULTS = {
    "volume-state": 1,
    "free-space": 1,
    "bad-memory": 1,
    "memory-limit": 1,
    "page-file": 2,  # configured on C:, for each control set; and the file of the last boot lies there
    "serial-console": 1,
    "crash-dump": 1,  # for each control set
}


def found(diagnosis: Diagnosis, check: str) -> Finding:
    return next(finding for finding in diagnosis.findings if finding.check == check)


def test_the_healthy_sample_has_no_findings(gen2_healthy: Path) -> None:
    diagnosis = vmrescue.diagnose(gen2_healthy)
    assert diagnosis.findings == []
    assert diagnosis.healthy
    assert diagnosis.warnings == []


@pytest.mark.parametrize(("name", "control_sets"), [("gen1_broken", 2), ("gen2_broken", 1)])
def test_a_broken_sample_has_every_fault_once(name: str, control_sets: int, request: pytest.FixtureRequest) -> None:
    diagnosis = vmrescue.diagnose(request.getfixturevalue(name))
    assert Counter(finding.check for finding in diagnosis.findings) == FAULTS | {
        "crash-dump": control_sets,
        "page-file": 1 + control_sets,
    }
    assert not diagnosis.healthy


def test_a_diagnosis_leaves_the_image_as_it_is(gen2_broken: Path) -> None:
    before = fingerprint(gen2_broken), gen2_broken.stat().st_mtime_ns
    gen2_broken.chmod(0o444)
    vmrescue.diagnose(gen2_broken)
    assert (fingerprint(gen2_broken), gen2_broken.stat().st_mtime_ns) == before
    assert list(gen2_broken.parent.iterdir()) == [gen2_broken]


def test_the_installation_is_described(gen1_broken: Path, gen2_broken: Path) -> None:
    first, second = vmrescue.diagnose(gen1_broken), vmrescue.diagnose(gen2_broken)
    assert (first.generation, second.generation) == (1, 2)
    assert first.windows is not None
    assert second.windows is not None
    assert first.windows.product == "Windows Server 2019 Datacenter"
    assert first.windows.build == "17763.5820"
    assert first.windows.computer_name == "VM-GEN1"
    assert first.windows.control_sets == ("ControlSet001", "ControlSet002")
    assert second.windows.control_sets == ("ControlSet001",)
    assert second.windows.boot_store == r"EFI\Microsoft\Boot\BCD"
    assert [volume.letter for volume in first.volumes] == [None, "C:"]
    assert [volume.role for volume in second.volumes] == ["EFI system", "Microsoft reserved", "basic data"]
    assert [volume.file_system for volume in second.volumes] == ["FAT32", None, "NTFS"]


def test_bad_memory_is_told_with_its_page_frames_and_the_ram_they_withhold(gen1_broken: Path) -> None:
    finding = found(vmrescue.diagnose(gen1_broken), "bad-memory")
    assert finding.severity == "critical"
    assert finding.evidence["page_frames"] == [0x1F3A0, 0x1F3A1, 0x7FF00]
    assert finding.evidence["bytes_withheld"] == 3 * 4096
    assert finding.evidence["alias"] == "badmemory"


def test_free_space_is_counted_to_the_byte(gen1_broken: Path) -> None:
    finding = found(vmrescue.diagnose(gen1_broken), "free-space")
    assert finding.evidence["bytes_wanted"] == 300 << 20
    assert 199 << 20 < finding.evidence["bytes_free"] < 201 << 20
    enough = vmrescue.diagnose(gen1_broken, policy=vmrescue.Policy(min_free=finding.evidence["bytes_free"]))
    assert "free-space" not in [finding.check for finding in enough.findings]


def test_the_page_file_belongs_on_c_where_the_vm_has_no_temporary_drive(gen1_broken: Path, gen2_healthy: Path) -> None:
    policy = vmrescue.Policy(temp_drive=None)
    advice = found(vmrescue.diagnose(gen1_broken, policy), "page-file")  # it is there; the last boot had one on D: too
    assert (advice.severity, advice.changes, advice.tell) == ("advice", (), ("data_disks",))
    finding = found(vmrescue.diagnose(gen2_healthy, policy), "page-file")
    assert finding.evidence["found"]["data"] == [r"D:\pagefile.sys 0 0"]
    assert finding.evidence["wanted"]["data"] == [r"C:\pagefile.sys 0 0"]


def test_a_dump_that_does_not_fit_is_not_configured_on_the_os_volume(gen1_broken: Path) -> None:
    diagnosis = vmrescue.diagnose(gen1_broken, vmrescue.Policy(ram=16 << 30))
    finding = found(diagnosis, "crash-dump")
    assert finding.changes == ()
    assert finding.tell == ("dump_file",)
    assert "tell with --dump-file PATH" in diagnosis_text(diagnosis)
    elsewhere = vmrescue.Policy(ram=16 << 30, dump_file=r"F:\MEMORY.DMP")
    changes = found(vmrescue.diagnose(gen1_broken, elsewhere), "crash-dump").changes
    assert [change.name for change in changes] == ["CrashDumpEnabled", "DumpFile", "NMICrashDump"]  # type: ignore[attr-defined]


def test_only_and_skip_choose_the_checks(gen2_broken: Path) -> None:
    only = vmrescue.diagnose(gen2_broken, only=["bad-memory", "free-space"])
    assert {finding.check for finding in only.findings} == {"bad-memory", "free-space"}
    skipped = vmrescue.diagnose(gen2_broken, skip=["page-file"])
    assert {finding.check for finding in skipped.findings} == set(FAULTS) - {"page-file"}
    with pytest.raises(vmrescue.VmRescueError, match="no check 'pagefile'"):
        vmrescue.diagnose(gen2_broken, only=["pagefile"])


def test_memory_limits_are_lifted_only_on_request(gen2_broken: Path) -> None:
    diagnosis = vmrescue.diagnose(gen2_broken)
    assert "memory-limit" not in {step.check for step in diagnosis.plan().steps}
    assert [step.check for step in diagnosis.plan(only=["memory-limit"]).steps] == ["memory-limit"]
