"""The editor for a volume, whatever its file system: what the deeds of a plan ask of NTFS and FAT alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from vmrescue.errors import UnsupportedError
from vmrescue.fat import FatVolume
from vmrescue.ntfs import NtfsVolume
from vmrescue.windows.bare_hive import HiveVolume

if TYPE_CHECKING:
    from vmrescue.windows import Volume


class VolumeEditor(Protocol):
    """Paths use backslashes and start at the volume's root."""

    def exists(self, path: str) -> bool:
        """Whether there is a file or directory of that path."""

    def read_file(self, path: str) -> bytes:
        """The whole content of a file."""

    def write_file(self, path: str, data: bytes) -> None:
        """Gives a file this content, of the same, a smaller or a larger size."""

    def create_file(self, path: str, data: bytes) -> None:
        """Creates a file with this content, in a directory that is there."""

    def delete(self, path: str) -> None:
        """Deletes a file."""

    def check(self) -> list[Any]:
        """What is wrong with the volume; empty where it is sound."""


def open_editor(volume: Volume) -> VolumeEditor:
    """The editor for a volume.

    Raises:
        UnsupportedError: its file system has none.
        FormatError: the reader, which is to confirm what the editor does, does not see the same volume.
    """
    if volume.readable:
        _ = volume.files  # opening it compares the two
    if volume.file_system == "NTFS":
        return NtfsVolume(volume.device)
    if isinstance(volume, HiveVolume):
        return volume.hive_files
    if volume.readable:
        return FatVolume(volume.device)
    raise UnsupportedError(f"{volume} holds {volume.file_system or 'no known file system'}: it cannot be edited")
