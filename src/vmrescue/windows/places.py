r"""How a user names a file inside an image: ``os.vhd``, ``os.vhd:2`` or ``os.vhd:C``, and a path such as
``Windows\System32`` or ``C:\Windows\System32``.

The volume is given by the partition's number or by the guest's drive letter. Without one it is the volume of Windows,
and on a disk without a Windows the only readable volume. If there are several, the error asks the user to name one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vmrescue.errors import NotFoundError, UsageError, VmRescueError
from vmrescue.files import IMAGE_AND_VOLUME, kind_of
from vmrescue.units import size_text

if TYPE_CHECKING:
    from typing import BinaryIO

    from vmrescue.volumes.disk import Disk, Volume
    from vmrescue.windows.operating_system import OperatingSystem

BITLOCKER = "BitLocker"
DRIVE = re.compile(r"(?P<letter>[A-Za-z]):[\\/]?(?P<path>.*)")


def split_image(text: str) -> tuple[str, str | None]:
    """Splits ``os.vhd:2`` into image (a path or a URL) and volume. If a file has exactly that name, it is the image."""
    match = IMAGE_AND_VOLUME.fullmatch(text)
    if match is None or kind_of(text):
        return text, None
    return match["image"], match["volume"].upper()


def split_path(text: str) -> tuple[str | None, str]:
    r"""Splits ``C:\Windows`` into letter (None if there is none) and path from the volume's root."""
    match = DRIVE.fullmatch(text)
    return (match["letter"].upper(), match["path"]) if match else (None, text)


def find_place(disk: Disk, volume: str | None, path: str) -> tuple[Volume, str]:
    """The volume that the user means, and the path on it.

    Raises:
        UsageError: image and path name two volumes.
        NotFoundError: there is no such volume, or several are possible; the text lists the volumes.
    """
    letter, rest = split_path(path)
    if letter and volume and letter != volume:
        raise UsageError(f"which volume: {volume}, as the image says, or {letter}:, as the path says?")
    return _find_volume(disk, letter or volume), rest.strip("\\/")


def find_windows(disk: Disk, name: str | None) -> OperatingSystem:
    """The Windows on the volume that the user means: the one that boots, or the one in the volume's usual folder."""
    from vmrescue.windows.operating_system import DEFAULT_ROOT, OperatingSystem

    windows = _windows(disk)
    if windows and name is None:
        return windows
    volume = _find_volume(disk, name)
    return windows if windows and windows.volume is volume else OperatingSystem(volume, DEFAULT_ROOT)


def _find_volume(disk: Disk, name: str | None) -> Volume:
    if name is None:
        return _main_volume(disk)
    found = disk.volume(int(name)) if name.isdigit() else _volume_of_letter(disk, f"{name.rstrip(':').upper()}:")
    if found is None:
        what = f"no partition {name}" if name.isdigit() else f"no volume that its Windows calls {name.rstrip(':')}:"
        raise NotFoundError(f"{disk.path} has {what} (it has {_choice(disk)})")
    return found


def _volume_of_letter(disk: Disk, letter: str) -> Volume | None:
    from vmrescue.windows.installation import Installation

    try:
        return Installation.of([disk]).letters.get(letter)
    except VmRescueError:  # without a Windows there are no letters
        return None


def _main_volume(disk: Disk) -> Volume:
    windows = _windows(disk)
    if windows:
        return windows.volume
    readable = [volume for volume in disk.volumes if volume.readable]
    encrypted = any(volume.file_system == BITLOCKER for volume in disk.volumes)  # the wanted file may be there
    if len(readable) == 1 and not encrypted:
        return readable[0]
    why = "which volume is meant" if readable else "there is no volume that can be read"
    raise NotFoundError(f"{disk.path}: {why}: it has {_choice(disk)}")


def _windows(disk: Disk) -> OperatingSystem | None:
    """The Windows that boots from a disk; None if there is none or it is encrypted."""
    from vmrescue.windows.installation import Installation

    try:
        return Installation.of([disk]).os
    except VmRescueError:
        return None


def _choice(disk: Disk) -> str:
    """The list of volumes, by their names for the command line, with descriptions."""
    rows = [
        f"{disk.path}:{volume.partition.number} ({volume.file_system or 'no known file system'}, "
        f"{volume.partition.role}, {size_text(volume.partition.size)})"
        for volume in disk.volumes
    ]
    return ", ".join(rows) or "no volumes"


def open_file(volume: Volume, path: str) -> BinaryIO:
    """The content of a file. Raises NotFoundError if there is none, or it is a folder."""
    if volume.has_folder(path):
        raise NotFoundError(f"\\{path} on {volume} is a folder, not a file: `vmrescue ls` lists what is in it")
    return volume.files.open(path)
