"""The table of file systems: who reads each of them, who edits it, and what else the program asks of it.

A new one is a module like `volumes.ntfs`, and a row here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from vmrescue.errors import FormatError, UnsupportedError
from vmrescue.readers.guard import reading
from vmrescue.volumes import fat, ntfs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from vmrescue.device import BlockDevice, Readable
    from vmrescue.image.signs import Range
    from vmrescue.readers.file_system import FileSystem
    from vmrescue.volume.state import VolumeState


class ListedFile(Protocol):
    """A file or directory; `attributes` are Windows' own bits: 1 read-only, 2 hidden, 4 system."""

    @property
    def name(self) -> str: ...

    @property
    def attributes(self) -> int: ...


class VolumeEditor(Protocol):
    """Paths use backslashes and start at the volume's root."""

    def exists(self, path: str) -> bool:
        """Whether there is a file or directory of that path."""

    def read_file(self, path: str) -> bytes:
        """The whole content of a file."""

    def open_file(self, path: str) -> Readable:
        """A file's content, read when it is asked for, until the file is edited. Raises as `read_file`."""

    def write_parts(self, path: str, parts: Iterable[tuple[int, bytes]]) -> None:
        """Replaces bytes inside a file's content, given by their offsets in it; the size stays."""

    def write_file(self, path: str, data: bytes) -> None:
        """Gives a file this content, of the same, a smaller or a larger size."""

    def create_file(self, path: str, data: bytes) -> None:
        """Creates a file with this content, in a directory that is there."""

    def create_directory(self, path: str) -> None:
        """Creates an empty directory, in one that is there."""

    def delete(self, *paths: str) -> None:
        """Deletes files: all of them, or none."""

    def rename(self, path: str, name: str) -> None:
        """Gives a file another name in the same directory."""

    def check(self) -> list[Any]:
        """What is wrong with the volume; empty where it is sound."""

    def list(self, path: str = "") -> Sequence[ListedFile]:
        """What is in a directory, with its attributes."""


class FileSystemKind(Protocol):
    """A row of the table: a module with these names. `device` holds the volume from its first byte on."""

    TITLE: str  # for errors

    def read(self, device: BlockDevice, position: int) -> FileSystem:
        """Its reader; `position` is the volume's first byte on the disk, for errors."""

    def edit(self, device: BlockDevice) -> VolumeEditor:
        """Its editor."""

    def state(self, device: BlockDevice) -> VolumeState:
        """In what state it was left. Raises FormatError or UnsupportedError where its structures cannot be read."""

    def geometry(self, device: BlockDevice) -> Mapping[str, int | None]:
        """What the volume is to the editor: the facts that its reader gives as `geometry`, by the same names.

        Raises FormatError where they are those of no volume, so that a reader need not be asked.
        """

    def signs(self, device: BlockDevice, hives: Iterable[str], thorough: bool) -> Iterator[tuple[str, list[Range]]]:
        """Bytes of the volume by which it shows whether somebody else has written to it: see `windows.signs`."""

    def changed_clusters(self, before: BlockDevice, after: BlockDevice) -> Iterator[Range]:
        """The clusters that an edit frees or takes."""


FILE_SYSTEMS: dict[str, FileSystemKind] = {"NTFS": ntfs, "FAT12": fat, "FAT16": fat, "FAT32": fat}


def file_system_of(kind: str | None, where: str) -> FileSystemKind:
    """The row of a file system that `volume.identify` names. Raises UnsupportedError where there is none."""
    if kind not in FILE_SYSTEMS:
        raise UnsupportedError(f"{where} holds {kind or 'no known file system'}: it cannot be read")
    return FILE_SYSTEMS[kind]


def open_file_system(device: BlockDevice, kind: str | None, position: int) -> FileSystem:
    """The reader for a volume, which sees the same volume as its editor.

    Args:
        device: the volume.
        kind: its file system, as `volume.identify` names it.
        position: the volume's first byte on its disk, for errors.

    Raises:
        UnsupportedError: vmrescue does not read that file system.
        FormatError: the volume is none that there could be, or another one to its editor than to its reader.
    """
    row = file_system_of(kind, f"the volume at byte {position}")
    with reading(f"{row.TITLE} volume", position):
        edited = row.geometry(device)
        files = row.read(device, position)
    must_agree(f"{row.TITLE} volume", position, edited, files.geometry)
    return files


def must_agree(structure: str, position: int, edited: Mapping[str, int | None], read: Mapping[str, int | None]) -> None:
    """Raises FormatError where reader and editor differ: what one wrote, the other would look for elsewhere."""
    for name, value in edited.items():
        if read[name] != value:
            raise FormatError(structure, position, f"one {name} to editor and reader", f"{value} and {read[name]}")
