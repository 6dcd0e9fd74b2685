"""What is asked of the reader of a volume, whatever its file system."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Protocol

from vmrescue.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from vmrescue.readers.nature import Nature

CHUNK = 1 << 20  # bytes of a file held at once
FLAGS = {0x1: "read-only", 0x2: "hidden", 0x4: "system"}  # the attributes that NTFS and FAT have in common


def flags_of(attributes: int) -> tuple[str, ...]:
    """Those of the flags that are set."""
    return tuple(name for bit, name in FLAGS.items() if attributes & bit)


@dataclass(frozen=True)
class Entry:
    """One name in a directory; `size` is in bytes, 0 for a directory; `is_link`: it is a reparse point.

    `number` tells a volume's files and directories apart: two names of one of them have the same; 0 says nothing.
    `marks` say in what its content differs from plain bytes on the disk: compressed, encrypted, elsewhere.
    `on_disk` is how many bytes of clusters go with it, with all its streams; None where that is its size in clusters.
    `names` is how many the file has in all directories (hard links): its clusters go with the last of them.
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


class FileSystem(Protocol):
    """A volume's files. Paths use backslashes.

    A name is looked up as it is spelled, and where there is none spelled so, without case. Where several fit then, all
    of these raise UsageError.
    """

    @property
    def geometry(self) -> Mapping[str, int | None]:
        """What the volume is to the reader, by the names that its file system has for such facts."""

    @property
    def cluster_size(self) -> int:
        """Bytes in a cluster."""

    @property
    def label(self) -> str:
        """The volume's name, perhaps empty."""

    @property
    def free_bytes(self) -> int:
        """Bytes in clusters that no file owns."""

    @property
    def total_bytes(self) -> int:
        """The volume's length in bytes, as the volume itself has it; its partition may be longer."""

    def size_of(self, path: str) -> int | None:
        """A file's length in bytes; None where there is no such file (or it is a directory)."""

    def nature(self, path: str) -> Nature | None:
        """What kind of file or directory lies at a path; None where there is neither."""

    def open(self, path: str) -> BinaryIO:
        """The file's content.

        Raises:
            NotFoundError: there is no such file.
            UnsupportedError: its content cannot be had from the disk alone.
        """

    def head(self, path: str, length: int) -> tuple[int, bytes]:
        """(size, first `length` bytes) of a file. Raises what `open` raises."""

    def entry(self, path: str) -> Entry | None:
        """What is to be said of the file or directory at a path; None where there is neither."""

    def spelled(self, path: str) -> str:
        """The path as the volume spells it; parts that are not there are spelled as they were given."""

    def entries(self, path: str) -> list[Entry]:
        """What a directory holds, sorted by name. Raises NotFoundError where there is no such directory."""


def ambiguous(name: str, names: Iterable[str]) -> str:
    """What is said of a name that fits several files."""
    return f"{name!r} may be {' or '.join(sorted(map(repr, names)))}, which differ only in case: spell it as it is"


def whole(stream: BinaryIO, path: str, most: int) -> bytes:
    """All of a file. Raises UnsupportedError where that is more than `most` bytes: it may be nothing but holes."""
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
    """A file's content in pieces, so that its size costs no memory."""
    while chunk := stream.read(CHUNK):
        yield chunk
