r"""What each drive letter of the guest stands for: a volume at hand, a disk not at hand, an optical drive, nothing.

Letters, and paths that begin with one (``D:\pagefile.sys``, ``%SystemRoot%\MEMORY.DMP``), are resolved only here.
MountedDevices says what a letter meant when Windows last ran. "At hand" are the disks that were given to vmrescue.
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from vmrescue import file_path
from vmrescue.dataclass import dataclass
from vmrescue.windows.mounted_devices import GPT_LENGTH, GPT_PREFIX, MBR_ENTRY, letter_values

if TYPE_CHECKING:
    from vmrescue.plan import RegistryData
    from vmrescue.volumes.disk import Volume

SYSTEM_DRIVE = "%SystemDrive%"
PATH = re.compile(
    r"(?:\\(?:\?\?|DosDevices)\\|\\\\[?.]\\)?(?P<start>[A-Z]:|%SystemDrive%|%SystemRoot%|%windir%|\\SystemRoot)(?:[\\/](?P<rest>.*))?",
    re.IGNORECASE | re.DOTALL,
)
MOVES = (".", "..")  # names that lead elsewhere, which the kernel does not resolve
# Parts of the device path of a letter, as the drivers of these devices name them.
REMOVABLE = {"#cdrom": "an optical drive", "\\fdc#": "a floppy drive"}


class DriveKind(StrEnum):
    """The kind of thing that a letter stands for."""

    WINDOWS = "the volume of Windows"
    VOLUME = "a volume at hand"
    MBR_DISK = "an MBR disk that is not at hand"
    GPT_DISK = "a GPT disk that is not at hand"
    REMOVABLE = "a drive of removable media"
    SAME_DISK = "a partition of the disk of Windows, by the id that this disk once had"
    OTHER = "a device that is no partition of a basic disk"
    NOTHING = "no drive that MountedDevices knows"


@dataclass(frozen=True)
class Drive:
    """A letter of the guest.

    Attributes:
        letter: ``"D:"``.
        kind: what it stands for.
        volume: the volume, if it is at hand.
        said: a description: the kind of removable media, or the id of a disk that is not at hand.
    """

    letter: str
    kind: DriveKind
    said: str
    volume: Volume | None = None

    @property
    def is_disk(self) -> bool:
        """Whether it is a partition, at hand or not, whose files survive a restart."""
        return self.kind in (DriveKind.WINDOWS, DriveKind.VOLUME, DriveKind.MBR_DISK, DriveKind.GPT_DISK)

    @property
    def is_away(self) -> bool:
        """Whether it is a disk that is not at hand."""
        return self.kind in (DriveKind.MBR_DISK, DriveKind.GPT_DISK)


class Drives:
    """The letters of an installation.

    Args:
        mounted_devices: the values of the key MountedDevices.
        letters: letter -> volume, for volumes at hand.
        windows: the volume of Windows, and its folder there; None if it is encrypted.
    """

    def __init__(
        self,
        mounted_devices: dict[str, RegistryData],
        letters: dict[str, Volume],
        windows: tuple[Volume, str] | None,
    ) -> None:
        self._values = letter_values(mounted_devices)
        self._letters = letters
        self._volume = windows[0] if windows else None
        self._root = windows[1] if windows else ""

    @property
    def known(self) -> bool:
        """Whether MountedDevices gives any letter."""
        return bool(self._values)

    @cached_property
    def all(self) -> list[Drive]:
        """The letters that stand for something, in their order."""
        return [self.of(letter) for letter in sorted({*self._values, *self._letters})]

    @property
    def windows(self) -> Drive | None:
        """The drive of Windows; None if its letter is not known."""
        return self.of(self.windows_letter) if self.windows_letter else None

    @cached_property
    def windows_letter(self) -> str | None:
        """The letter of the volume of Windows."""
        return next((letter for letter, volume in self._letters.items() if volume is self._volume), None)

    def of(self, letter: str) -> Drive:
        """The drive of a letter; ``%SystemDrive%`` is the letter of Windows."""
        if letter.upper() == SYSTEM_DRIVE.upper():
            kind = DriveKind.WINDOWS if self._volume else DriveKind.NOTHING
            return self.windows or Drive(SYSTEM_DRIVE, kind, "the volume of Windows, which has no letter", self._volume)
        letter = letter.upper()
        volume = self._letters.get(letter)
        if volume is None:
            return self._away(letter, self._values.get(letter))
        kind = DriveKind.WINDOWS if volume is self._volume else DriveKind.VOLUME
        return Drive(letter, kind, kind, volume)

    def of_path(self, path: str) -> tuple[Drive, str] | None:
        r"""The drive and the path on it; None if the text is no path that begins with a drive.

        ``%SystemRoot%``, ``%windir%`` and ``\SystemRoot`` are the folder of Windows.
        """
        match = PATH.fullmatch(path.strip())
        if match is None:
            return None
        start, rest = match["start"], match["rest"] or ""
        if start.endswith(":"):
            return self.of(start), "\\".join(file_path.split(rest))
        root = self._root if start.upper() != SYSTEM_DRIVE.upper() else ""
        return self.of(SYSTEM_DRIVE), "\\".join(file_path.split(f"{root}\\{rest}"))

    def of_image(self, image: str) -> str | None:
        r"""The path on the volume of Windows of a driver or program, from its ImagePath; None if it is elsewhere.

        ImagePath may also be relative to the folder of Windows: ``System32\x``. One that begins with a backslash is a
        name of the object manager (``\Device\HarddiskVolume3\x``): which volume is meant, only a start tells.
        """
        text = image.strip().strip('"')
        names = file_path.split(text)
        if not {*MOVES}.isdisjoint(names):
            return None
        if (place := self.of_path(text)) is not None:
            drive, path = place
            return path if path and drive.volume is not None and drive.volume is self._volume else None
        if self._volume is None or not names or text[0] in "\\/" or not {":", "%"}.isdisjoint(names[0]):
            return None
        return "\\".join([self._root, *names])

    def _away(self, letter: str, raw: bytes | None) -> Drive:
        """A letter for which no volume is at hand."""
        if raw is None:
            return _drive(letter, DriveKind.NOTHING)
        if len(raw) == MBR_ENTRY.size:
            signature, start = MBR_ENTRY.unpack(raw)
            if signature == self._old_signature:
                return _drive(letter, DriveKind.SAME_DISK)
            return Drive(letter, DriveKind.MBR_DISK, f"{DriveKind.MBR_DISK} ({signature:08x}, byte {start})")
        if len(raw) == GPT_LENGTH and raw.startswith(GPT_PREFIX):
            return _drive(letter, DriveKind.GPT_DISK)
        device = raw.decode("utf-16-le", "replace").lower()
        said = next((said for part, said in REMOVABLE.items() if part in device), None)
        return Drive(letter, DriveKind.REMOVABLE, said) if said else _drive(letter, DriveKind.OTHER)

    @cached_property
    def _old_signature(self) -> int | None:
        """The MBR signature of the disk of Windows in MountedDevices; an old one if the disk is a copy."""
        raw = self._values.get(self.windows_letter or "", b"")
        return int(MBR_ENTRY.unpack(raw)[0]) if len(raw) == MBR_ENTRY.size else None


def _drive(letter: str, kind: DriveKind) -> Drive:
    return Drive(letter, kind, kind)
