r"""Resolves a path with a drive letter on the disks at hand, whichever machine assigned the letter.

A runbook is written for the repair VM to which a disk was attached: its ``F:`` may be the guest's ``C:``, or a
partition without a letter in the guest. A letter of the guest (`windows.drives`) means the guest's volume. For any
other letter, the volume is used that has the path, if exactly one has it, and `notes` says which. If none or several
have the path, an error is raised.

``\Device\HarddiskVolume2\Boot\BCD`` always names one volume: Windows numbers the partitions of all disks consecutively.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from vmrescue import file_path
from vmrescue.errors import NotFoundError, RefusedError
from vmrescue.volumes.disk import Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from vmrescue.windows.drives import Drive
    from vmrescue.windows.installation import Installation

DEVICE = "\\Device\\HarddiskVolume"
LETTER = re.compile(r"(?P<letter>[A-Za-z]:)[\\/]*(?P<path>.*)", re.DOTALL)  # F:EFI\BCD too, as bcdedit accepts it
NUMBERED = re.compile(r"\\Device\\HarddiskVolume(?P<number>[0-9]{1,9})(?:\\(?P<path>.*))?", re.IGNORECASE | re.DOTALL)


class NamedPaths:
    """Paths on the volumes of an installation.

    Args:
        others: letters (``F:``) that are said to be another machine's, though the guest may have them too.

    Attributes:
        notes: which letter was taken for which volume, and why; one sentence for each path.
    """

    def __init__(self, installation: Installation, others: Collection[str] = ()) -> None:
        self._installation = installation
        self._others = {f"{letter[:1].upper()}:" for letter in others}
        self.notes: list[str] = []

    def file(self, text: str) -> tuple[Volume, str]:
        """The volume of an existing file, and the path on it.

        Raises:
            NotFoundError: no volume at hand has it.
            RefusedError: the letter is not the guest's, and several volumes have the path.
        """
        return self.find(text, Volume.has_file, "file")

    def folder(self, text: str) -> tuple[Volume, str]:
        """The volume of an existing folder, which may be a root, and the path on it. Raises as `file`."""
        return self.find(text, Volume.has_folder, "folder")

    def volume(self, letter: str) -> Volume:
        """The volume of a letter alone. A letter that is not the guest's means the only volume with a Windows.

        Raises as `file`.
        """
        drive = self._installation.drives.of(letter)
        if self._is_guests(drive):
            return self._of_guest(letter, drive)
        found = list({id(each.volume): each.volume for each in self._installation.systems}.values())
        if len(found) != 1:
            raise self._not_one(letter, found, "a Windows")
        self._note(f"{self._whose(drive)}: taken for {found[0]}, where its Windows lies")
        return found[0]

    def find(self, text: str, is_there: Callable[[Volume, str], bool], thing: str) -> tuple[Volume, str]:
        """The volume and the path on it, as the volume spells it, of what a text names. Raises as `file`.

        Args:
            is_there: whether a volume has the wanted thing at a path.
            thing: the name of the wanted thing, for messages.
        """
        if (match := NUMBERED.fullmatch(text)) is not None:
            volume, path = self._numbered(text, int(match["number"])), match["path"] or ""
            return self._on(volume, path, text, is_there, thing)
        drive, path = self._taken_apart(text)
        if self._is_guests(drive):
            return self._on(self._of_guest(text, drive), path, text, is_there, thing)
        found = [volume for volume in self._looked if is_there(volume, path)]
        if len(found) != 1:
            raise self._not_one(text, found, f"a {thing} \\{path}")
        spelled = found[0].files.spelled(path)
        place = f"\\{spelled} on {found[0]}"
        self._note(f"{self._whose(drive)}: {text} is taken for {place}, the only such {thing}")
        return found[0], spelled

    def _is_guests(self, drive: Drive) -> bool:
        return drive.letter not in self._others and (drive.volume is not None or drive.is_disk)

    def _whose(self, drive: Drive) -> str:
        said = "another machine's, as was said" if drive.letter in self._others else "no letter of this Windows"
        return f"{drive.letter} is {said}"

    def _on(
        self, volume: Volume, path: str, text: str, is_there: Callable[[Volume, str], bool], thing: str
    ) -> tuple[Volume, str]:
        if not is_there(volume, path):
            others = [f"\\{path} is on {each}" for each in self._looked if each is not volume and is_there(each, path)]
            raise NotFoundError("; ".join([f"{text}: there is no such {thing} on {volume}", *others]))
        return volume, volume.files.spelled(path)

    def _taken_apart(self, text: str) -> tuple[Drive, str]:
        drives = self._installation.drives
        if (match := LETTER.fullmatch(text)) is not None:
            return drives.of(match["letter"]), "\\".join(file_path.split(match["path"]))
        if (place := drives.of_path(text)) is None:
            raise NotFoundError(
                f"{text} names no volume: a path begins with a drive's letter ({self._known}) or with {DEVICE}N"
            )
        return place

    def _of_guest(self, text: str, drive: Drive) -> Volume:
        if drive.volume is None:
            start = "" if text == drive.letter else f"{text}: "
            raise NotFoundError(
                f"{start}to this Windows {drive.letter} is {drive.said}; where another machine's {drive.letter} is"
                f" meant, name the volume by the guest's own letter ({self._known}) or as {DEVICE}N"
            )
        return drive.volume

    def _numbered(self, text: str, number: int) -> Volume:
        volumes = self._installation.volumes
        if not 1 <= number <= len(volumes):
            raise NotFoundError(f"{text}: there is no volume {number}; there are {len(volumes)}")
        return volumes[number - 1]

    def _not_one(self, text: str, found: list[Volume], what: str) -> NotFoundError | RefusedError:
        start = f"{text}: its letter is not one of the guest's own ({self._known}), and"
        if found:
            where = " and ".join(map(str, found))
            return RefusedError(f"{start} there is {what} on {where}: name the volume as {DEVICE}N, or by its letter")
        left = [each for each in self._installation.volumes if each not in self._looked]
        others = [each for each in left if each.file_system or each.partition.role == "basic data"]
        closed = f"; {', '.join(map(str, others))} cannot be looked at" if others else ""
        return NotFoundError(f"{start} none of the volumes at hand has {what}{closed}")

    @property
    def _known(self) -> str:
        return ", ".join(sorted(self._installation.letters)) or "none is known"

    @cached_property
    def _looked(self) -> list[Volume]:
        """The volumes that can be read."""
        closed = self._installation.unreadable
        return [volume for volume in self._installation.volumes if volume.readable and volume not in closed]

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)
