"""A disk as large as an Azure marketplace image's: 127 GiB, generation 2, fixed VHD, sparse. For benchmarks.

Run as root: ``python images/large.py OUT.vhd [FILES]``; FILES small files are put in a folder beside Windows.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from boot_data import Place, boot_store
from build import DISK_GUID, ESP_GUID, MIB, OS_GUID, TEMPORARY_DISK, fill_esp, mounted, run, write_hive, write_windows
from windows_data import system

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

SIZE = 127 << 30
ESP = MIB, 100 * MIB
OS_START = 117 * MIB
OS = OS_START, SIZE - OS_START - MIB
FILES_PER_FOLDER = 1000


@contextmanager
def loop(image: Path, offset: int, size: int) -> Iterator[Path]:
    """Bytes of a file as a loop device."""
    command = ["losetup", "--find", "--show", "--offset", str(offset), "--sizelimit", str(size), str(image)]
    device = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    try:
        yield Path(device)
    finally:
        run("losetup", "--detach", device)


def build(target: Path, files: int = 0, hive: bytes | None = None, os_guid: UUID = OS_GUID) -> None:
    """Makes the disk, with every fault but a full volume.

    Args:
        target: the image's path.
        files: how many small files lie in a folder beside Windows.
        hive: a real SYSTEM hive to put in the place of ours, which then has the faults that it has.
        os_guid: the OS volume's partition, as that hive's ``MountedDevices`` names it for ``C:``.
    """
    run("qemu-img", "create", "-f", "vpc", "-o", "subformat=fixed,force_size=on", target, str(SIZE))
    with loop(target, 0, SIZE) as disk:
        run("sgdisk", "-n", "1:2048:+100M", "-t", "1:ef00", "-u", f"1:{ESP_GUID}", "-U", str(DISK_GUID), disk)
        run("sgdisk", "-n", "2:0:+16M", "-t", "2:0c01", disk)
        run("sgdisk", "-n", f"3:{OS_START // 512}:0", "-t", "3:0700", "-u", f"3:{os_guid}", disk)
    store = target.with_suffix(".bcd")
    write_hive(store, boot_store(Place(DISK_GUID, ESP_GUID), Place(DISK_GUID, os_guid), uefi=True, faults=True))
    with loop(target, *ESP) as volume:
        run("mkfs.vfat", "-F", "32", volume)
        fill_esp(volume, store)
    store.unlink()
    with loop(target, *OS) as volume:
        run("mkntfs", "-q", "-Q", "-F", "-p", str(OS_START // 512), "-H", "255", "-S", "63", volume)
        with mounted(volume) as root:
            letters = {"C:": b"DMIO:ID:" + os_guid.bytes_le, "D:": TEMPORARY_DISK}
            write_windows(root, system("VM-LARGE", 1, letters, faults=True), faults=False, uefi=True)
            if hive is not None:
                (root / "Windows/System32/config/SYSTEM").write_bytes(hive)
            (root / "pagefile.sys").write_bytes(bytes(MIB))
            for number in range(files):
                folder = root / f"files/{number // FILES_PER_FOLDER}"
                folder.mkdir(parents=True, exist_ok=True)
                (folder / f"file {number}.txt").write_text(f"file {number}\n")


if __name__ == "__main__":
    build(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
