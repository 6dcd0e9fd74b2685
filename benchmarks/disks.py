"""The disks that commands are measured on. vmrescue made none of their file systems, except where a name says so.

A 127 GB fixed VHD with a GPT and a real SYSTEM hive (`images/large.py`), whose volumes mkfs.vfat, mkntfs and ntfs-3g
made: files of a few bytes, a thousand to a folder, and folders with 4,500 files and with as many as are asked for.
"""

from __future__ import annotations

import shutil
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING
from uuid import UUID

import large
from build import mounted
from support.real_data import sdist_file
from support.real_disk import OS_GUID
from vmrescue.image import open_disk
from vmrescue.ntfs import NtfsVolume
from vmrescue.volume.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

LISTED = 4500  # files in the folder that is listed
FOLDER = 1000  # files of a folder otherwise
OWN = 2000  # files that vmrescue makes on a disk of its own


class Disk:
    """A disk, and a copy of it that a command may change."""

    def __init__(self, built: Path) -> None:
        self.built = built
        self.path = built.with_name(f"copy-{built.name}")

    def fresh(self) -> None:
        """Makes the copy anew, and forgets what was done to the last one."""
        for old in (self.path, *self.path.parent.glob(f"{self.path.name}.*")):
            shutil.rmtree(old) if old.is_dir() else old.unlink(missing_ok=True)
        subprocess.run(["cp", "--sparse=always", self.built, self.path], check=True)


def system_hive() -> bytes:
    return sdist_file("dissect.regf", "tests/_data/SYSTEM.gz")


def foreign(folder: Path, files: int, listed: Iterable[int] = ()) -> Disk:
    """A disk with so many small files, and folders of as many as `listed` says."""
    path = folder / f"{files}.vhd"
    large.build(path, files, system_hive(), UUID(OS_GUID))
    with ExitStack() as stack:
        root = stack.enter_context(mounted(stack.enter_context(large.loop(path, *large.OS))))
        for count in listed:
            (root / f"listed {count}").mkdir()
            for number in range(count):
                (root / f"listed {count}/a file with the number {number}.txt").write_text(f"{number}\n")
    return Disk(path)


def own(folder: Path) -> Disk:
    """A disk whose small files vmrescue made, in folders as on the others."""
    path = folder / "own.vhd"
    large.build(path, 0, system_hive(), UUID(OS_GUID))
    disk = open_disk(path, writable=True)
    volume = NtfsVolume(Window(disk, *large.OS))
    volume.create_directory("files")
    for number in range(OWN):
        place = f"files/{number // FOLDER}"
        if not number % FOLDER:
            volume.create_directory(place)
        volume.create_file(f"{place}/file {number}.txt", f"file {number}\n".encode())
    disk.close()
    return Disk(path)
