"""Announces what a look at an installation will read first, on disks that are read over a network."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from vmrescue.device import prefetch
from vmrescue.errors import FormatError
from vmrescue.image.transports.worth import worth
from vmrescue.readers.file_system import Wanted
from vmrescue.windows.needed_files import BOOT_FILES, IMPORTED, SYSTEM_FILES
from vmrescue.windows.operating_system import CONFIG, DEFAULT_ROOT, HIVES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmrescue.volumes.disk import Disk, Volume

BOOT_SECTOR = 16 << 10  # bytes at a partition's start; $Boot, and FAT32's sectors before its table, have no more
SIGNATURES = 68 << 10  # bytes in which the other file systems have their signatures
HEAD = 4 << 10  # bytes of a program
LOG = 132 << 10  # bytes of $LogFile in which its restart pages are
UPCASE = 128 << 10  # bytes of $UpCase
SYSTEM_STEPS = 20  # requests, one after another, in which all that is read of a large SYSTEM hive would come
SYSTEM_KEYS, FIRST_KEYS = 256 << 10, 16 << 10  # bytes of SYSTEM, and of another hive, that hold its first keys

RECOVERY_IMAGE = "Recovery\\WindowsRE\\Winre.wim"  # on the partition of Windows, or on one of its own
ROLES = ("basic data", "EFI system")  # of partitions that hold a file system of Windows
FIRST_PROGRAMS = ("csrss.exe", "wininit.exe", "winlogon.exe", "services.exe", "lsass.exe", "userinit.exe")


def announce_volumes(disk: Disk) -> None:
    """The boot sectors of all partitions, then what the file systems that these name read first."""
    if not prefetch(disk.device):
        return
    places = [(volume.position, volume.partition.size, volume.partition.role) for volume in disk.volumes]
    prefetch(disk.device, [(at, min(size, BOOT_SECTOR if role in ROLES else SIGNATURES)) for at, size, role in places])
    for volume in disk.volumes:
        if volume.readable:
            with suppress(FormatError):
                prefetch(volume.device, volume.kind.first_needed(volume.device))


def announce_windows(volumes: Iterable[Volume]) -> None:
    """The boot files, the files of a Windows in its usual folder, and what tells the state of the volume it is on."""
    system32 = f"{DEFAULT_ROOT}\\System32"
    heads = [*BOOT_FILES, RECOVERY_IMAGE, f"{DEFAULT_ROOT}\\explorer.exe", "pagefile.sys"]
    heads += [f"{system32}\\{name}" for name in SYSTEM_FILES if not name.startswith("config\\")]
    heads += [f"{system32}\\{name}" for name in ("drivers\\ntfs.sys", *FIRST_PROGRAMS, *IMPORTED)]
    config = f"{DEFAULT_ROOT}\\{CONFIG}"
    wanted = [Wanted(path, HEAD) for path in heads]
    wanted += [Wanted(f"{config}\\{name}", FIRST_KEYS) for name in HIVES if name != "SYSTEM"]
    wanted.append(Wanted(f"{config}\\SYSTEM", SYSTEM_KEYS, whole=worth(SYSTEM_STEPS)))
    wanted += [Wanted("$LogFile", LOG), Wanted("$UpCase", UPCASE), Wanted(f"{system32}\\drivers", 0)]
    for volume in volumes:
        if volume.readable and prefetch(volume.device):
            with suppress(FormatError):
                volume.files.announce(wanted)


def announce_free_space(volume: Volume) -> None:
    """What tells the free space of the volume of Windows."""
    volume.files.announce([Wanted("$Bitmap", volume.partition.size // 4096)])  # a cluster has 512 bytes or more
