"""What a diagnosis promises is what a repair does: each obstacle is known before anything is tried."""

from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

import vmrescue
from support.command import output_of
from support.command import vmrescue as command
from support.images import fingerprint
from support.machine import run
from support.machine_disk import loop_device, mounted_ntfs, unmount

if TYPE_CHECKING:
    from collections.abc import Callable

MIB = 1 << 20
GEN1_OS = 33 * MIB, 606 * MIB
CONFIG = "Windows/System32/config"


def hibernate(image: Path) -> Path:
    with loop_device(image, *GEN1_OS, writable=True) as device:
        run("ntfsfix", "--clear-dirty", device)
    with mounted_ntfs(image, *GEN1_OS, writable=True) as root:
        (root / "hiberfil.sys").write_bytes(b"HIBR" + bytes(65532))
    return image


def leave_a_log(image: Path) -> Path:
    """As a volume that Windows 10 holds open: the version of its log is 2.0."""
    with loop_device(image, *GEN1_OS, writable=True) as device:
        run("ntfsfix", "--clear-dirty", device)
        run("ntfscp", "-f", device, "/dev/null", "Windows/empty")  # a mount by ntfs-3g empties the log
    with image.open("r+b") as stream:
        stream.seek(GEN1_OS[0])
        boot = stream.read(512)
        cluster, lcn = boot[13] * 512, int.from_bytes(boot[48:56], "little")
        stream.seek(GEN1_OS[0] + lcn * cluster + 2 * 1024)  # file record 2, $LogFile
        record = stream.read(1024)
        at = int.from_bytes(record[20:22], "little")
        while int.from_bytes(record[at : at + 4], "little") != 0x80:
            at += int.from_bytes(record[at + 4 : at + 8], "little")
        run_at = at + int.from_bytes(record[at + 32 : at + 34], "little")
        lengths, places = record[run_at] & 15, record[run_at] >> 4
        start = int.from_bytes(record[run_at + 1 + lengths : run_at + 1 + lengths + places], "little")
        stream.seek(GEN1_OS[0] + start * cluster)
        stream.write(b"\0" * 16)  # neither empty nor a restart page
    return image


def spoil_a_hive(image: Path) -> Path:
    """SYSTEM was not written out, and its logs are gone."""
    with loop_device(image, *GEN1_OS, writable=True) as device:
        run("ntfsfix", "--clear-dirty", device)
    with mounted_ntfs(image, *GEN1_OS, writable=True) as root:
        with (root / CONFIG / "SYSTEM").open("r+b") as stream:
            stream.seek(4)
            stream.write((int.from_bytes(stream.read(4), "little") + 1).to_bytes(4, "little"))
        for log in (root / CONFIG).glob("SYSTEM.LOG*"):
            log.unlink()
    return image


def compress_a_hive(image: Path) -> Path:
    """As Windows does to whatever lies below a folder that is to be compressed."""
    with loop_device(image, *GEN1_OS, writable=True) as device, TemporaryDirectory() as folder:
        run("ntfs-3g", "-o", "rw,compression", device, folder)
        try:
            config = Path(folder) / CONFIG
            content = (config / "SYSTEM").read_bytes()
            (config / "SYSTEM").unlink()
            os.setxattr(config, "system.ntfs_attrib_be", (0x810).to_bytes(4, "big"))  # directory, compressed
            (config / "SYSTEM").write_bytes(content)
        finally:
            unmount(folder)
    return image


def as_stream(image: Path) -> Path:
    made = image.with_suffix(".vmdk")
    run("qemu-img", "convert", "-O", "vmdk", "-o", "subformat=streamOptimized", image, made)
    return made


def promised(image: Path) -> tuple[int, dict[str, Any]]:
    """How many changes a diagnosis says that a repair would make, by its last line; and the document."""
    said = output_of("diagnose", image, status=1).splitlines()[-1]
    document = json.loads(output_of("diagnose", image, "--format", "json", status=1))
    number = said.partition("would make ")[2].partition(" ")[0]
    return int(number or 0), document


@pytest.mark.parametrize(
    ("obstruct", "word"),
    [
        (hibernate, "hibernated"),
        (leave_a_log, "log"),
        (spoil_a_hive, "dirty"),
        (compress_a_hive, "compressed"),
        (as_stream, "stream-optimised VMDK"),
    ],
    ids=["hibernated", "log pending", "dirty hive without logs", "compressed hive", "read-only container"],
)
def test_a_repair_makes_as_many_changes_as_the_diagnosis_promises(
    gen1_broken: Path, obstruct: Callable[[Path], Path], word: str
) -> None:
    image = obstruct(gen1_broken)
    before = fingerprint(image)
    number, document = promised(image)
    refused = [finding for finding in document["findings"] if finding["refused"]]
    makes = [
        each for each in document["findings"] if each["changes"] and not each["refused"] and not each["on_request"]
    ]
    assert sum(len(finding["changes"]) for finding in makes) == number
    assert all(finding["repair"] is None and not finding["commands"] for finding in refused)
    assert any(word in finding["refused"] for finding in refused) or word == "log"
    done = command("repair", image, "--yes", "--format", "json")
    if number:
        left = [
            each
            for each in document["findings"]
            if each["severity"] != "advice" and not each["on_request"] and (each["refused"] or not each["changes"])
        ]
        assert done.returncode == (1 if left else 0), done.stderr
        assert len(json.loads(done.stdout)["plan"]["steps"]) == number
        for finding in refused:
            assert (
                not finding["changes"] or finding["on_request"] or f"{finding['check']}: left as it is" in done.stderr
            )
        output_of("undo", image)
    else:
        assert (done.returncode, word in done.stderr) == (4, True), done.stderr
    assert fingerprint(image) == before


def test_no_volume_of_a_sleeping_machine_is_changed(gen1_broken: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(vmrescue.diagnose(gen1_broken, only=["bad-memory"]).plan().to_json())
    image = hibernate(gen1_broken)
    before = fingerprint(image)
    note = tmp_path / "note.txt"
    note.write_text("x")
    for words in (
        ["repair", image, "--only", "bad-memory", "--yes"],  # in the boot store, on a volume of its own
        ["repair", image, "--only", "bad-memory", "--dry-run"],
        ["apply", plan, image, "--yes"],
        ["bcdedit", image, "/timeout", "7", "--yes"],
        ["put", f"{image}:1", note, "note.txt", "--yes"],
        ["defrag", image, "--partition", "1", "--yes"],
        ["defrag", image, "--partition", "1", "--dry-run"],
    ):
        done = command(*words)
        assert (done.returncode, "hibernated" in done.stderr) == (4, True), (words, done.stderr)
    assert fingerprint(image) == before


def test_a_data_disk_of_a_sleeping_machine_is_left_alone_too(gen1_broken: Path, gen2_broken: Path) -> None:
    hibernate(gen1_broken)
    before = fingerprint(gen2_broken)
    with pytest.raises(vmrescue.VmRescueError, match="hibernated"):
        vmrescue.repair(gen2_broken, data_disks=[gen1_broken])
    assert fingerprint(gen2_broken) == before
    diagnosis = vmrescue.diagnose(gen2_broken, data_disks=[gen1_broken])
    assert diagnosis.refusal is not None
    assert not diagnosis.plan()


def test_a_repair_that_mends_not_all_it_was_asked_for_says_so_and_ends_as_a_diagnosis_does(gen1_broken: Path) -> None:
    """The sample's volume is marked as dirty, for which there is no change."""
    done = command("repair", gen1_broken, "--only", "volume-state", "--yes")
    assert (done.returncode, "note: volume-state: left as it is" in done.stderr) == (1, True), done.stderr
    assert command("diagnose", gen1_broken, "--only", "volume-state").returncode == 1
    done = command("repair", gen1_broken, "--yes")
    assert "note: free-space: left as it is" in done.stderr
    assert f"next: `vmrescue cleanup {gen1_broken}`" in done.stderr
    assert f"next: vmrescue cleanup {gen1_broken}\n" in done.stdout
    assert done.returncode == 1, "the disk is nearly full still"

    spoil_a_hive(gen1_broken)
    done = command("repair", gen1_broken, "--only", "hive-log", "--yes")
    assert (done.returncode, "note: hive-log: left as it is" in done.stderr) == (1, True), done.stderr


def test_a_hive_that_would_get_longer_on_a_volume_with_a_pending_log_is_not_promised(gen1_broken: Path) -> None:
    """Where a log is to be replayed no file gets longer, and only who makes the edit knows whether one does."""
    image = leave_a_log(gen1_broken)
    before = fingerprint(image)
    policy = vmrescue.Policy(dump_file="F:\\" + "x" * 6000)
    found = {each.check: each.refused for each in vmrescue.diagnose(image, policy).findings if each.changes}
    assert "would get longer" in (found["crash-dump"] or "")
    assert "until volume-state has replayed it" in (found["crash-dump"] or "")
    assert found["page-file"] is None

    assert vmrescue.repair(image, policy=policy).committed
    assert {each.check for each in vmrescue.diagnose(image, policy).findings} >= {"crash-dump"}
    vmrescue.undo(image)
    assert fingerprint(image) == before


def test_a_hive_that_grows_into_the_rest_of_its_file_is_repaired_on_a_volume_with_a_pending_log(
    gen1_broken: Path,
) -> None:
    """A hive's file may be longer than its bins: Windows 10 rounded that of a real SYSTEM up to 256 KiB."""
    with mounted_ntfs(gen1_broken, *GEN1_OS, writable=True) as root:
        hive_file = root / CONFIG / "SYSTEM"
        hive_file.write_bytes(hive_file.read_bytes().ljust(256 << 10, b"\0"))
    image = leave_a_log(gen1_broken)
    before = fingerprint(image)
    policy = vmrescue.Policy(dump_file="F:\\" + "x" * 6000)
    found = {each.check: each.refused for each in vmrescue.diagnose(image, policy).findings if each.changes}
    assert found["crash-dump"] is None
    assert found["page-file"] is None

    assert vmrescue.repair(image, policy=policy).committed
    assert not {each.check for each in vmrescue.diagnose(image, policy).findings} & {"crash-dump"}
    with mounted_ntfs(image, *GEN1_OS) as root:
        hive_file = root / CONFIG / "SYSTEM"
        assert hive_file.stat().st_size == 256 << 10
        said = run("hivexregedit", "--export", "--max-depth", "1", hive_file, r"\ControlSet001\Control\CrashControl")
        assert '"CrashDumpEnabled"=dword:00000001' in said
    vmrescue.undo(image)
    assert fingerprint(image) == before
