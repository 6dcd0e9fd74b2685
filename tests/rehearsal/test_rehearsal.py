"""What a rehearsal says of a disk, and how the commands tell it."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

import stub_pe
import vmrescue
from boot_data import RECOVERY
from support.command import output_of
from support.machine import run
from vmrescue import Policy
from vmrescue.diagnosis import examine
from vmrescue.diagnosis.symptom import Symptom
from vmrescue.errors import FormatError, UsageError
from vmrescue.fleet.examination import MeteredDisk
from vmrescue.image import open_disk
from vmrescue.rehearsal.endings import ENDINGS
from vmrescue.rehearsal.memory import longest_run
from vmrescue.rehearsal.stage import State
from vmrescue.windows import Disk
from vmrescue.windows.pe import read_program

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.rehearsal.endings import Ending

GIB = 1 << 30
PAGE = 4096
SCATTERED = [at // PAGE for at in range(2 << 20, GIB, 3 << 20)]  # bad pages, each 3 MiB after the last


def test_no_sample_has_a_stop_and_all_that_was_looked_at_is_told(gen2_healthy: Path) -> None:
    rehearsal = vmrescue.rehearse(gen2_healthy)
    assert rehearsal.stop is None
    assert {stage.id: stage.state for stage in rehearsal.stages} == dict.fromkeys(
        ("firmware", "boot-manager", "memory", "loader", "drivers", "storage", "session"), State.OK
    )
    document = vmrescue.diagnose(gen2_healthy).to_dict()["boot"]
    printed = json.loads(output_of("rehearse", gen2_healthy, "--format", "json"))
    assert printed == {"schema": "vmrescue.rehearsal/1"} | document
    assert "No stop was found." in output_of("rehearse", gen2_healthy)


def test_a_machine_whose_drivers_are_missing_stops_with_7b_and_a_symptom_is_compared(gen2_healthy: Path) -> None:
    rehearsal = vmrescue.rehearse(gen2_healthy, platform="kvm")
    assert rehearsal.stop is not None
    assert (rehearsal.stop.stage, rehearsal.stop.code) == ("storage", "0x7B")
    said = output_of("diagnose", gen2_healthy, "--platform", "kvm", "--symptom", "0x7b", status=1)
    assert "symptom 0x7b: the rehearsal agrees: the start ends in the stage storage with 0x7B" in said
    said = output_of("diagnose", gen2_healthy, "--platform", "kvm", "--symptom", "BOOTMGR is missing", status=1)
    assert "the rehearsal says otherwise" in said
    assert "a start can end so in the stage firmware" in " ".join(said.split())
    with pytest.raises(UsageError, match="there is no platform 'xen'"):
        vmrescue.rehearse(gen2_healthy, platform="xen")


@pytest.mark.parametrize(
    ("name", "symptom", "said"),
    [
        ("ntoskrnl.exe", "0xc0000221", "the rehearsal agrees, though no code is certain there: the start ends in"),
        ("winload.efi", "0xc0000001", "the rehearsal agrees, though no code is certain there: the start ends in"),
        ("ntoskrnl.exe", "0x7B", "the rehearsal says otherwise"),
    ],
)
def test_a_code_is_compared_with_all_that_sources_have_for_a_stop(
    name: str, symptom: str, said: str, gen2_healthy: Path
) -> None:
    """Microsoft's article on 0xc0000221 names the kernel; RepairAzVMDisk's table has 0xc0000001 for a bad loader."""
    zeros = gen2_healthy.with_name("zeros")
    zeros.write_bytes(bytes(4096))
    output_of("put", gen2_healthy, zeros, rf"C:\Windows\System32\{name}", "--yes", status=(0, 1))
    told = " ".join(output_of("diagnose", gen2_healthy, "--symptom", symptom, status=1).split())
    assert f"symptom {symptom}: {said}" in told


def test_of_a_stop_whose_code_no_source_states_no_code_is_said_to_be_another(gen2_healthy: Path) -> None:
    raw = gen2_healthy.with_suffix(".raw")
    run("qemu-img", "convert", "-O", "raw", gen2_healthy, raw)
    with raw.open("r+b") as disk:
        disk.seek(57 << 20)
        disk.write(bytes(4096))
    told = " ".join(output_of("diagnose", raw, "--symptom", "0xc000000f", status=1).split())
    assert "symptom 0xc000000f: the rehearsal cannot tell, as no source states the code that is shown there" in told


def test_without_the_checks_that_ask_for_it_no_start_is_rehearsed(gen2_healthy: Path) -> None:
    read = []
    for skip in ((), ("boot-path",), ("boot",)):
        with closing(open_disk(gen2_healthy)) as device:
            metered = MeteredDisk(device)
            diagnosis = examine([Disk(metered, "disk")], Policy.azure(), skip=skip)
            read.append(metered.bytes_read)
        assert (diagnosis.boot is None) == bool(skip)
        assert ("boot-path" in diagnosis.ran) == (not skip)
    assert read[0] == read[1] > 1.5 * read[2]
    with pytest.raises(UsageError, match="there is no check 'boot'"):
        examine([], Policy.azure(), only=["boot"])


def test_where_recovery_cannot_start_that_is_the_later_stop(gen2_broken: Path) -> None:
    """Its store limits memory: what fails twice for another reason shows 0xC0000017 in the end."""
    output_of("bcdedit", gen2_broken, "/set", RECOVERY, "truncatememory", "0x100800", "--yes")
    found = vmrescue.diagnose(gen2_broken, Policy(platform="kvm"))
    assert found.boot is not None
    stop, later = found.boot.stop, found.boot.later
    assert stop is not None
    assert later is not None
    assert (stop.code, later.stage, later.code) == ("0x7B", "memory", "0xc0000017")
    assert (found.to_dict()["boot"]["later"] or {})["reason"] == later.reason
    assert [each.severity for each in found.findings if each.check == "boot-policy"] == ["advice"]
    assert "later: after two starts that fail, 0xc0000017: memory for" in " ".join(
        output_of("rehearse", gen2_broken, "--platform", "kvm", status=1).split()
    )
    said = output_of("diagnose", gen2_broken, "--platform", "kvm", "--symptom", "0xc0000017", status=1)
    assert "the rehearsal agrees, of a start after two that failed" in " ".join(said.split())


@pytest.mark.parametrize(("room", "cures"), [(0, {"memory-limit"}), (1, {"memory-limit", "bad-memory"})])
def test_a_stop_for_want_of_memory_is_mended_by_what_withholds_it(
    gen2_healthy: Path, room: int, cures: set[str]
) -> None:
    """A limit with room for the file or for half of it, and a bad page in that: which of them can go alone is told."""
    with closing(open_disk(gen2_healthy)) as device:
        wim = Disk(device, "disk").volumes[2].files.size_of(r"Recovery\WindowsRE\Winre.wim")
    assert wim is not None
    pages = -(-wim // PAGE)
    limit, bad = (1 << 20) + (pages if room else pages // 2) * PAGE, (1 << 20) // PAGE
    for words in (
        (RECOVERY, "truncatememory", hex(limit)),
        (RECOVERY, "badmemorylist", hex(bad)),
        ("{bootmgr}", "default", RECOVERY),
    ):
        output_of("bcdedit", gen2_healthy, "/set", *words, "--yes")
    found = vmrescue.diagnose(gen2_healthy)
    stop = next(each for each in found.findings if each.check == "boot-path")
    others = {each.check for each in found.findings if {*each.about} & {*stop.about}}
    assert others - {"boot-path"} == cures


@pytest.mark.parametrize(
    ("withheld", "checks"),
    [
        ({(RECOVERY, "truncatememory"): [3 << 20], (RECOVERY, "badmemorylist"): SCATTERED}, "memory-limit,bad-memory"),
        ({(RECOVERY, "truncatememory"): [3 << 20], ("{bootmgr}", "truncatememory"): [2 << 20]}, "memory-limit"),
    ],
    ids=["a limit and a list", "two limits"],
)
def test_what_withholds_memory_only_together_is_named_and_mended_together(
    gen2_healthy: Path, tmp_path: Path, withheld: dict[tuple[str, str], list[int]], checks: str
) -> None:
    """Without one of the two the other still leaves too little for a file of 4 MiB."""
    (tmp_path / "wim").write_bytes(bytes(4 << 20))
    output_of("put", f"{gen2_healthy}:3", tmp_path / "wim", r"\Recovery\WindowsRE\Winre.wim", "--yes")
    for (owner, name), numbers in withheld.items():
        output_of("bcdedit", gen2_healthy, "/set", owner, name, *map(hex, numbers), "--yes")
    output_of("bcdedit", gen2_healthy, "/set", "{bootmgr}", "default", RECOVERY, "--yes")
    said = " ".join(output_of("diagnose", gen2_healthy, "--ram", "1G", status=1).split())
    named = checks.replace(",", " and ") + (f", together: --only {checks}" if "," in checks else "")
    assert "the start ends in the stage memory with 0xc0000017" in said
    assert f"repair: the same as of {named}" in said
    page = " ".join(output_of("diagnose", gen2_healthy, "--ram", "1G", "--format", "html", status=1).split())
    assert f"<dd>the same as of {named}</dd>" in page
    policy = vmrescue.Policy(ram=GIB)
    for check in checks.split(",") if "," in checks else ():  # one of them alone
        alone = vmrescue.repair(gen2_healthy, only=[check], policy=policy, dry_run=True).after
        assert alone is not None
        assert "boot-path" in {each.check for each in alone.findings}
    output_of("repair", gen2_healthy, "--ram", "1G", "--only", checks, "--yes", status=0)
    assert "boot-path" not in {each.check for each in vmrescue.diagnose(gen2_healthy, policy=policy).findings}


def test_explain_tells_the_stages_that_give_a_code() -> None:
    assert "may end with it in: boot-manager, loader." in output_of("explain", "0xc0000225")
    assert "may end with it in: drivers, storage." in output_of("explain", "7b")


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda each: f"{each.stage} {each.code} {each.screen[:20]}")
def test_what_the_screen_shows_is_known_again(ending: Ending) -> None:
    symptom = Symptom.of(ending.code or ending.screen)
    assert ending.stage in symptom.stages


def test_memory_is_what_limits_bad_pages_and_devices_leave_in_one_piece() -> None:
    mib = 1 << 20
    assert longest_run(2 * GIB, None, ()) == 2 * GIB - mib
    assert longest_run(16 * GIB, None, ()) == 13 * GIB  # above the addresses of devices
    assert longest_run(None, 0x40000000, ()) == GIB - mib
    assert longest_run(None, 0x40000000, (GIB // 2 // PAGE,)) == GIB // 2 - PAGE
    assert longest_run(2 * GIB, None, (GIB // PAGE, GIB // PAGE)) == GIB - PAGE


@pytest.mark.parametrize("size", range(0, 0x1A0, 8))
def test_a_program_that_is_cut_in_its_headers_is_none(size: int) -> None:
    whole = stub_pe.stub("a.sys")
    program = read_program(whole)
    assert (program.machine, program.end) == ("x64", len(whole))
    with pytest.raises(FormatError):
        read_program(whole[:size])
