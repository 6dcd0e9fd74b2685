"""Chooses the volume of a Windows disk to defragment, and lists its files that are read at startup."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import NotFoundError, RefusedError, VmRescueError
from vmrescue.ntfs.structures.system_files import SNAPSHOTS
from vmrescue.windows.boot_store import BIOS_STORE
from vmrescue.windows.installation import Installation
from vmrescue.windows.places import find_place

if TYPE_CHECKING:
    from vmrescue.volumes.disk import Disk, Volume

TABLE = "$MFT"
PAGE_FILE = "pagefile.sys"
BOOT_MANAGER = "bootmgr"
SNAPSHOT_MARK = "{3808876b-c176-4e48-b7ae-04046e6cc752}"  # in the name of every file of a shadow copy
SNAPSHOT_NOTE = (
    "shadow copies are kept on this volume: they do not survive that files are moved (or edited) without Windows"
)


def ntfs_volume(disk: Disk, name: int | str | None) -> Volume:
    """The volume with a number or letter; without one, the volume of Windows, or else the only readable volume.

    Raises:
        NotFoundError: there is no such volume.
        RefusedError: its file system is not NTFS.
    """
    volume, _ = find_place(disk, None if name is None else str(name), "")
    if volume.is_encrypted:
        raise RefusedError(f"{volume} is encrypted with {volume.file_system}: unlock it first")
    if volume.file_system != "NTFS":
        raise RefusedError(f"{volume} holds {volume.file_system or 'no known file system'}: only NTFS is defragmented")
    return volume


def boot_files_of(disk: Disk, volume: Volume) -> list[str]:
    """As `boot_files`; on a disk without a Windows, only the file table."""
    try:
        return boot_files(Installation.of([disk]), volume)
    except VmRescueError:
        return [TABLE]


def boot_files(installation: Installation, volume: Volume) -> list[str]:
    """The paths of files on a volume that are read when Windows starts."""
    paths = [TABLE]
    if any(_is_same(store.volume, volume) for store in installation.stores[:1]):
        paths += [BOOT_MANAGER, BIOS_STORE]
    windows = installation.os
    if windows is not None and _is_same(windows.volume, volume):
        program = "winload.efi" if installation.generation == 2 else "winload.exe"
        paths += [f"{windows.root}\\System32\\{program}"]
        paths += [f"{windows.config}\\SYSTEM", f"{windows.config}\\SOFTWARE", PAGE_FILE]
    return paths


def _is_same(one: Volume, other: Volume) -> bool:
    return (one.disk_index, one.position) == (other.disk_index, other.position)


def has_shadow_copies(volume: Volume) -> bool:
    """Whether an NTFS volume has shadow copies."""
    try:
        names = [entry.name for entry in volume.files.entries(SNAPSHOTS)]
    except NotFoundError:
        return False
    return any(SNAPSHOT_MARK in name.lower() and name.lower() != SNAPSHOT_MARK for name in names)
