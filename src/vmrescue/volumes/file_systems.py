"""The table of file systems: the reader and the editor of each, and other functions that the program needs.

A new file system needs a module like `volumes.ntfs`, and a row here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from vmrescue.errors import FormatError, UnsupportedError
from vmrescue.readers.guard import reading
from vmrescue.volumes import fat, ntfs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from vmrescue.device import BlockDevice, Readable
    from vmrescue.image.signs import Range
    from vmrescue.readers.file_system import FileSystem
    from vmrescue.volume.state import VolumeState


class VolumeEditor(Protocol):
    """The editor of a volume. Paths use backslashes and start at the volume's root."""

    def exists(self, path: str) -> bool:
        """Whether a file or directory exists at the path."""

    def read_file(self, path: str) -> bytes:
        """The whole content of a file, in bytes."""

    def open_file(self, path: str) -> Readable:
        """A file's content, read as it is needed; valid until the file is edited. Raises as `read_file`."""

    def write_parts(self, path: str, parts: Iterable[tuple[int, bytes]]) -> None:
        """Replaces bytes of a file's content: (offset in the file, bytes). The size does not change."""

    def write_file(self, path: str, data: bytes) -> None:
        """Replaces a file's content; the size may change."""

    def create_file(self, path: str, data: bytes) -> None:
        """Creates a file with this content; its directory must exist."""

    def create_directory(self, path: str) -> None:
        """Creates an empty directory; its parent must exist."""

    def delete(self, *paths: str) -> None:
        """Deletes files, all or none."""

    def rename(self, path: str, name: str) -> None:
        """Renames a file in its directory."""

    def set_attributes(self, path: str, attributes: int, mask: int) -> None:
        """Sets those attributes of a file or directory that `mask` has: Windows' own bits."""

    def check(self) -> list[Any]:
        """What is wrong with the volume; empty if it is sound."""


class FileSystemKind(Protocol):
    """A row of the table: a module with these names. `device` is the volume."""

    TITLE: str  # for errors

    def read(self, device: BlockDevice, position: int) -> FileSystem:
        """The reader that confirms edits. `position`: where the volume begins on its disk, in bytes, for errors."""

    def look(self, device: BlockDevice, position: int) -> FileSystem:
        """The reader for all else: the same answers, perhaps quicker."""

    def edit(self, device: BlockDevice) -> VolumeEditor:
        """The editor."""

    def state(self, device: BlockDevice) -> VolumeState:
        """The state in which it was left. Raises FormatError or UnsupportedError if its structures cannot be read."""

    def geometry(self, device: BlockDevice) -> Mapping[str, int | None]:
        """The volume's geometry according to the editor, with the same keys as the reader's `geometry`.

        Raises FormatError if no volume can have this geometry; the reader is then not asked.
        """

    def first_needed(self, device: BlockDevice) -> list[Range]:
        """The ranges, in bytes, that any use of the volume reads first, according to its boot sector.

        Raises FormatError if that is damaged.
        """

    def signs(self, device: BlockDevice, hives: Iterable[str], thorough: bool) -> Iterator[tuple[str, list[Range]]]:
        """Bytes of the volume that show whether somebody else has written to it: see `windows.signs`."""

    def changed_clusters(self, before: BlockDevice, after: BlockDevice) -> Iterator[Range]:
        """The ranges of clusters, in bytes, that an edit frees or takes."""


FILE_SYSTEMS: dict[str, FileSystemKind] = {"NTFS": ntfs, "FAT12": fat, "FAT16": fat, "FAT32": fat}


def file_system_of(kind: str | None, where: str) -> FileSystemKind:
    """The row of a file system that `volume.identify` names. Raises UnsupportedError if there is none."""
    if kind not in FILE_SYSTEMS:
        raise UnsupportedError(f"{where} holds {kind or 'no known file system'}: it cannot be read")
    return FILE_SYSTEMS[kind]


def open_file_system(device: BlockDevice, kind: str | None, position: int, confirms: bool = False) -> FileSystem:
    """The reader of a volume, after a check that it and the editor see the same geometry.

    Args:
        device: the volume.
        kind: its file system, as `volume.identify` names it.
        position: where the volume begins on its disk, in bytes, for errors.
        confirms: whether it is to confirm edits.

    Raises:
        UnsupportedError: vmrescue does not read that file system.
        FormatError: the geometry is impossible, or differs between editor and reader.
    """
    row = file_system_of(kind, f"the volume at byte {position}")
    with reading(f"{row.TITLE} volume", position):
        edited = row.geometry(device)
        files = (row.read if confirms else row.look)(device, position)
    must_agree(f"{row.TITLE} volume", position, edited, files.geometry)
    return files


def must_agree(structure: str, position: int, edited: Mapping[str, int | None], read: Mapping[str, int | None]) -> None:
    """Raises FormatError if the geometries of editor and reader differ: they would use different positions."""
    for name, value in edited.items():
        if read[name] != value:
            raise FormatError(structure, position, f"one {name} to editor and reader", f"{value} and {read[name]}")
