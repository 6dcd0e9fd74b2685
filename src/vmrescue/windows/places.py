r"""A file inside an image, as a person names it: ``os.vhd``, ``os.vhd:2`` or ``os.vhd:C``, and a path such as
``Windows\System32`` or ``C:\Windows\System32``.

The volume is the partition's number, or the guest's own drive letter; without one it is the volume that Windows is on,
and on a disk without a Windows the only volume that can be read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vmrescue.errors import NotFoundError, UsageError, VmRescueError
from vmrescue.files import kind_of
from vmrescue.windows.installation import Installation

if TYPE_CHECKING:
    from vmrescue.windows.disk import Disk
    from vmrescue.windows.volume import Volume

IMAGE_AND_VOLUME = re.compile(r"(?P<image>.+):(?P<volume>\d{1,9}|[A-Za-z]):?")
DRIVE = re.compile(r"(?P<letter>[A-Za-z]):[\\/]?(?P<path>.*)")


def split_image(text: str) -> tuple[str, str | None]:
    """``os.vhd:2`` as image (a path or a URL) and volume; a file that is really called so is the image."""
    match = IMAGE_AND_VOLUME.fullmatch(text)
    if match is None or kind_of(text):
        return text, None
    return match["image"], match["volume"].upper()


def split_path(text: str) -> tuple[str | None, str]:
    r"""``C:\Windows`` as letter and path from the volume's root; None where there is no letter."""
    match = DRIVE.fullmatch(text)
    return (match["letter"].upper(), match["path"]) if match else (None, text)


def find_place(disk: Disk, volume: str | None, path: str) -> tuple[Volume, str]:
    """The volume that is meant, and the path on it.

    Raises:
        UsageError: image and path name two volumes.
        NotFoundError: there is no such volume.
    """
    letter, rest = split_path(path)
    if letter and volume and letter != volume:
        raise UsageError(f"which volume: {volume}, as the image says, or {letter}:, as the path says?")
    return _find_volume(disk, letter or volume), rest.strip("\\/")


def _find_volume(disk: Disk, name: str | None) -> Volume:
    if name and name.isdigit():
        found = disk.volume(int(name))
    elif name:
        found = Installation([disk]).letters.get(f"{name}:")
    else:
        found = _main_volume(disk)
    if found is None:
        raise NotFoundError(f"{disk.path} has no volume {name or 'that can be read'}")
    return found


def _main_volume(disk: Disk) -> Volume | None:
    try:
        windows = Installation([disk]).os
    except VmRescueError:
        windows = None
    readable = [volume for volume in disk.volumes if volume.readable]
    return windows.volume if windows else readable[0] if len(readable) == 1 else None
