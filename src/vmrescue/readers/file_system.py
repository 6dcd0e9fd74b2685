"""The interface of a volume's reader, the same for all file systems."""

from __future__ import annotations

import os
from dataclasses import field
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol

from vmrescue.dataclass import dataclass
from vmrescue.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from vmrescue.readers.nature import Nature

CHUNK = 1 << 20  # bytes of a file that are read at once
FLAGS = {0x1: "read-only", 0x2: "hidden", 0x4: "system"}  # the attributes that NTFS and FAT have in common


def flags_of(attributes: int) -> tuple[str, ...]:
    """Those of the flags that are set."""
    return tuple(name for bit, name in FLAGS.items() if attributes & bit)


def bits_of(flags: tuple[str, ...]) -> int:
    """The attributes that these flags are."""
    return sum(bit for bit, name in FLAGS.items() if name in flags)


@dataclass(frozen=True)
class Entry:
    """One name in a directory. `size` is in bytes, 0 for a directory; `is_link`: it is a reparse point.

    `number` identifies the file or directory on its volume, the same for all its names; 0: not known.
    `marks`: how its content is stored if not as plain bytes: compressed, encrypted, elsewhere.
    `on_disk`: bytes of clusters that are freed with the file, all streams included; None: its size in whole clusters.
    `names`: the number of its names in all directories (hard links); clusters are freed with the last one.
    `modified` is when its content last changed: NTFS says it in UTC, FAT in the guest's own time, without a zone.
    `flags` are those that anybody can set: read-only, hidden, system.
    """

    name: str
    is_directory: bool
    size: int
    is_link: bool = False
    number: int = field(default=0, compare=False)
    marks: tuple[str, ...] = ()
    on_disk: int | None = field(default=None, compare=False)
    names: int = field(default=1, compare=False)
    modified: datetime | None = field(default=None, compare=False)
    flags: tuple[str, ...] = field(default=(), compare=False)


class Wanted(NamedTuple):
    """What will be read of a file: its first `length` bytes; all of it where it has at most `whole` bytes."""

    path: str
    length: int
    whole: int = 0


class FileSystem(Protocol):
    """A volume's files. Paths use backslashes.

    A name is looked up as it is spelled; if there is none, without regard to case. All methods raise UsageError if
    several names then match.
    """

    @property
    def geometry(self) -> Mapping[str, int | None]:
        """The volume's geometry according to the reader; its keys depend on the file system."""

    @property
    def cluster_size(self) -> int:
        """Bytes of a cluster."""

    @property
    def label(self) -> str:
        """The volume's name; may be empty."""

    @property
    def free_bytes(self) -> int:
        """Bytes in free clusters."""

    @property
    def total_bytes(self) -> int:
        """The volume's own length in bytes; its partition may be longer."""

    def size_of(self, path: str) -> int | None:
        """A file's length in bytes; None if there is no such file, or it is a directory."""

    def nature(self, path: str) -> Nature | None:
        """The kind of file or directory at a path; None if there is neither."""

    def open(self, path: str) -> BinaryIO:
        """The file's content.

        Raises:
            NotFoundError: there is no such file.
            UnsupportedError: its content cannot be read from the disk alone.
        """

    def stored(self, path: str) -> BinaryIO:
        """By what a file is known again: its content; of one that WOF has compressed, what the disk holds of it: the
        reparse point, and the stream behind it. Raises what `open` raises.
        """

    def head(self, path: str, length: int) -> tuple[int, bytes]:
        """(size, first `length` bytes) of a file. Raises what `open` raises."""

    def announce(self, wanted: Iterable[Wanted]) -> None:
        """Announces what will be read of files soon; of a folder, its index.

        Files that there are not are left out, and nothing is raised. Does nothing if the volume
        is at hand; if it is read over a network, the bytes are asked for side by side.
        """

    def entry(self, path: str) -> Entry | None:
        """The entry of the file or directory at a path; None if there is neither."""

    def spelled(self, path: str) -> str:
        """The path as the volume spells it; missing parts keep the given spelling."""

    def entries(self, path: str) -> list[Entry]:
        """The entries of a directory, sorted by name. Raises NotFoundError if there is no such directory."""


def link_above(files: FileSystem, path: str) -> str | None:
    """The folder above a path that leads elsewhere, as a mount point does; None where none does.

    Only the nearest one that is there is looked at: below a link nothing is.
    """
    while path := path.rpartition("\\")[0]:
        if (nature := files.nature(path)) is not None:
            return path if nature.link else None
    return None


def ambiguous(name: str, names: Iterable[str]) -> str:
    """The error text for a name that matches several files."""
    return f"{name!r} may be {' or '.join(sorted(map(repr, names)))}, which differ only in case: spell it as it is"


def whole(stream: BinaryIO, path: str, most: int) -> bytes:
    """The whole content of a file. Raises UnsupportedError if it has more than `most` bytes: it may be sparse."""
    size = stream.seek(0, os.SEEK_END)
    if size > most:
        raise UnsupportedError(f"the file \\{path} has {size} bytes: at most {most} are read at once")
    stream.seek(0)
    return stream.read()


def head_of_stream(stream: BinaryIO, length: int) -> tuple[int, bytes]:
    """(size, first `length` bytes) of a stream."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    return size, stream.read(min(size, length))


def chunks(stream: BinaryIO) -> Iterator[bytes]:
    """A file's content in pieces of `CHUNK` bytes, to bound memory."""
    while chunk := stream.read(CHUNK):
        yield chunk
