"""A page file on another disk of the VM: deleted there when that disk is at hand, and given back on both disks."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

import vmrescue
from support.images import fingerprint
from support.machine import run
from support.machine_disk import loop_device, mounted_ntfs
from support.ntfs_judges import structure_judges

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MIB = 1 << 20
OS = 33 * MIB, 606 * MIB
DATA = MIB, 31 * MIB
SIGNATURE = 0xDA7AD15C


def data_disk(path: Path) -> Path:
    """An MBR disk with one NTFS volume that holds a page file, and something else."""
    with path.open("wb") as file:
        file.truncate(32 * MIB)
    table = f"label: dos\nlabel-id: {SIGNATURE:#x}\nstart={DATA[0] // 512}, type=7\n"
    run("sfdisk", "-q", path, stdin=table.encode())
    with loop_device(path, *DATA, writable=True) as device:
        run("mkntfs", "-Q", "-q", "-F", "-p", str(DATA[0] // 512), "-H", "255", "-S", "63", device)
    with mounted_ntfs(path, *DATA, writable=True) as root:
        (root / "pagefile.sys").write_bytes(b"page" * MIB)
        (root / "kept.txt").write_text("kept")
    return path


@pytest.fixture
def os_disk(gen1_broken: Path) -> Path:
    """The sample as a raw image, whose Windows had page files on D:, which is away, and on the data disk, E:."""
    disk = gen1_broken.with_suffix(".raw")
    run("qemu-img", "convert", "-f", "vpc", "-O", "raw", gen1_broken, disk)
    place = ",".join(f"{byte:02x}" for byte in struct.pack("<IQ", SIGNATURE, DATA[0]))
    used = ",".join(f"{byte:02x}" for byte in "\\??\\D:\\pagefile.sys\0\\??\\E:\\pagefile.sys\0\0".encode("utf-16-le"))
    text = gen1_broken.with_suffix(".reg")
    text.write_text(
        "Windows Registry Editor Version 5.00\n\n"
        f'[\\MountedDevices]\n"\\\\DosDevices\\\\E:"=hex(3):{place}\n\n'
        "[\\ControlSet001\\Control\\Session Manager\\Memory Management]\n"
        f'"ExistingPageFiles"=hex(7):{used}\n'
    )
    with mounted_ntfs(disk, *OS, writable=True) as root:
        run("hivexregedit", "--merge", root / "Windows/System32/config/SYSTEM", text)
    return disk


def stray(image: Path, *data_disks: Path) -> list[vmrescue.Finding]:
    found = vmrescue.diagnose(image, data_disks=data_disks, only=["page-file"]).findings
    return [finding for finding in found if finding.evidence.get("value") == "ExistingPageFiles"]


def test_a_page_file_on_a_data_disk_is_deleted_there_and_undone_on_both(os_disk: Path, tmp_path: Path) -> None:
    data = data_disk(tmp_path / "data.raw")
    (beside,) = stray(os_disk, data)
    assert "4 MiB is there" in beside.summary
    alone = vmrescue.diagnose(os_disk, only=["page-file"])  # then D: or E: may be the temporary drive: it is asked for
    assert stray(os_disk) == []
    assert not alone.plan()
    assert all("the last boot used D:, E:" in finding.summary for finding in alone.findings)
    assert {finding.tell for finding in alone.findings} == {("vm_size", "temp_drive")}
    before = fingerprint(os_disk), fingerprint(data)

    receipt = vmrescue.repair(os_disk, data_disks=[data])
    assert set(receipt.written) == {str(os_disk), str(data)}
    assert stray(os_disk, data) == []
    with mounted_ntfs(data, *DATA) as root:
        assert sorted(path.name for path in root.iterdir()) == ["kept.txt"]
        assert (root / "kept.txt").read_text() == "kept"
    volume = tmp_path / "volume"
    run("dd", f"if={data}", f"of={volume}", "bs=1M", "skip=1", "conv=sparse")
    structure_judges(volume)

    vmrescue.undo(os_disk)
    vmrescue.undo(data)
    assert (fingerprint(os_disk), fingerprint(data)) == before


def test_a_damaged_volume_is_a_finding_and_the_rest_is_diagnosed_and_repaired(os_disk: Path, tmp_path: Path) -> None:
    data = data_disk(tmp_path / "data.raw")
    with data.open("r+b") as file:
        file.seek(DATA[0])
        sector = file.read(512)
        file.seek(DATA[0] + int.from_bytes(sector[48:56], "little") * sector[13] * 512)  # the first cluster of $MFT
        file.write(b"\xa5" * 4096)
    damaged, before = fingerprint(data), vmrescue.diagnose(os_disk)

    diagnosis = vmrescue.diagnose(os_disk, data_disks=[data])
    found = [finding for finding in diagnosis.findings if finding.evidence.get("state") == "damaged"]
    assert [finding.check for finding in found] == ["volume-state"]
    assert "data disk 1" in found[0].summary
    assert "expected the signature 'FILE'" in found[0].summary
    assert [volume.free for volume in diagnosis.volumes if volume.disk == 1] == [None]
    assert {finding.check for finding in diagnosis.findings} >= {finding.check for finding in before.findings}

    receipt = vmrescue.repair(os_disk, data_disks=[data])
    assert set(receipt.written) == {str(os_disk)}
    assert fingerprint(data) == damaged


def without_its_last_footer(data: Path) -> Path:
    """A dynamic VHD that is read by the copy of its footer: libvhdi could not confirm what is written to it."""
    disk = data.with_suffix(".vhd")
    run("qemu-img", "convert", "-f", "raw", "-O", "vpc", data, disk)
    with disk.open("r+b") as file:
        file.seek(-512, 2)
        file.write(bytes(512))
    return disk


def with_a_child(data: Path) -> Path:
    """An image over which another lies, that would read wrong once this one is written to."""
    disk = data.with_suffix(".qcow2")
    run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", data, disk)
    run("qemu-img", "create", "-f", "qcow2", "-b", disk.name, "-F", "qcow2", disk.with_name("child.qcow2"))
    return disk


@pytest.mark.parametrize(("obstruct", "word"), [(without_its_last_footer, "footer"), (with_a_child, "lies over it")])
def test_what_keeps_an_image_from_being_written_keeps_no_copy_of_it_but_a_data_disk_beside_a_copy(
    os_disk: Path, tmp_path: Path, obstruct: Callable[[Path], Path], word: str
) -> None:
    """Only the first image is copied. A data disk is written where it is."""
    data, copy = obstruct(data_disk(tmp_path / "data.raw")), tmp_path / "copy.raw"
    before = fingerprint(data)
    diagnosis = vmrescue.diagnose(os_disk, data_disks=[data])
    assert word in str(diagnosis.refusal)
    for dry_run in (True, False):
        with pytest.raises(vmrescue.VmRescueError, match=word) as refused:
            vmrescue.repair(os_disk, data_disks=[data], copy_to=copy, dry_run=dry_run)
        assert refused.value.exit_status == 4
    assert (fingerprint(data), copy.exists()) == (before, False)

    image = obstruct(os_disk)
    before = fingerprint(image)
    with pytest.raises(vmrescue.VmRescueError, match=word):
        vmrescue.repair(image)
    promised = vmrescue.repair(image, copy_to=copy, dry_run=True)
    receipt = vmrescue.repair(image, copy_to=copy)
    assert promised.plan.steps == receipt.plan.steps
    assert (receipt.committed, set(receipt.written), fingerprint(image)) == (True, {str(copy)}, before)
