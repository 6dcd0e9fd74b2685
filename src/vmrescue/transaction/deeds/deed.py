"""What a deed is, and the bench on which deeds are done: disks as they become, and an editor for each volume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from vmrescue.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vmrescue.plan import FileRef
    from vmrescue.volumes.file_systems import VolumeEditor
    from vmrescue.windows import Disk, Volume


class Bench:
    """The disks that are changed, on whatever device they lie (an overlay).

    Attributes:
        disks: as they are now; a change of their layout puts another in its place.
    """

    def __init__(self, disks: list[Disk]) -> None:
        self.disks = list(disks)
        self._editors: dict[tuple[int, int], VolumeEditor] = {}
        self._restructured: dict[tuple[int, int], None] = {}

    def disk(self, file: FileRef) -> Disk:
        """Raises RefusedError where it is not among those given."""
        if not 0 <= file.disk < len(self.disks):
            raise RefusedError(f"the plan changes {file}, which is not among the disks given")
        return self.disks[file.disk]

    def volume(self, file: FileRef) -> Volume:
        """The volume that a plan's file lies on, which may be edited. Raises RefusedError where it is not there."""
        volume = find_volume(self.disks, file)
        volume.must_be_whole()
        return volume

    def editor(self, file: FileRef) -> VolumeEditor:
        """The one editor of the volume that a file lies on."""
        place = file.disk, file.partition
        if place not in self._editors:
            self._editors[place] = self.volume(file).editor()
        return self._editors[place]

    def look_anew(self) -> None:
        """Readers and editors remember what they have seen: none of them is asked again after this."""
        self.disks = [disk.anew() for disk in self.disks]
        self._editors = {}

    def restructured(self, file: FileRef) -> None:
        """More of the volume was changed than the bytes of files: it is checked as a whole when all is done."""
        self._restructured[file.disk, file.partition] = None

    def restructured_volumes(self) -> list[Volume]:
        found = (self.disks[disk].volume(partition) for disk, partition in self._restructured)
        return [volume for volume in found if volume]


class Deed(Protocol):
    """How the changes of a file are made; of a disk's layout, and of a volume as a whole, one change at a time."""

    @property
    def whole(self) -> bool:
        """Whether a change is of a file as a whole, so that no other can be made to it."""

    @property
    def together(self) -> int:
        """The changes of how many files of one volume may be handed to `apply` at once; mostly 1."""

    def apply(self, changes: Sequence[Any], bench: Bench) -> None:
        """Makes the changes with the editors.

        Raises RefusedError where something is not as the plan found it, or it would not be safe.
        """

    def confirm(self, changes: Sequence[Any], disks: list[Disk]) -> None:
        """Looks through the readers, on disks that were opened anew. Raises RepairFailedError."""

    def backs_up(self, changes: Sequence[Any]) -> bool:
        """Whether the file is copied out first. What is deleted or rewritten raw is in the journal."""


def find_volume(disks: list[Disk], file: FileRef) -> Volume:
    """The volume that a plan's file lies on. Raises RefusedError where the disks have no such partition."""
    volume = disks[file.disk].volume(file.partition) if 0 <= file.disk < len(disks) else None
    if volume is None:
        raise RefusedError(f"the plan edits {file}, which is not on the disks given")
    return volume
