"""File names: the value of a $FILE_NAME attribute, and the key of a directory's entry.

Source: linux-ntfs documentation, "$FILE_NAME". Times are in 100 ns since 1601, in UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING

from vmrescue.errors import UsageError, in_volume
from vmrescue.file_names import why_no_name
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.ntfs.structures.fields import Number
from vmrescue.ntfs.structures.record import NUMBER_MASK

if TYPE_CHECKING:
    from vmrescue.ntfs.store import File

HEADER = 0x42
MAX_NAME = 255  # UTF-16 units
EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


class Space(IntEnum):
    """The name space of a name: which programs use it."""

    POSIX = 0
    WIN32 = 1
    DOS = 2  # the short name of a file that also has a long name
    WIN32_AND_DOS = 3


class FileAttribute(IntFlag):
    """Attributes that an edit has to know."""

    ARCHIVE = 0x0020
    SPARSE = 0x0200
    REPARSE_POINT = 0x0400
    COMPRESSED = 0x0800
    ENCRYPTED = 0x4000
    DIRECTORY = 0x10000000  # only in file names: there is an index of names
    VIEW_INDEX = 0x20000000  # only in file names


INDEX_FLAGS = int(FileAttribute.DIRECTORY | FileAttribute.VIEW_INDEX)  # not in the record's own attributes


class FileName:
    """One name of a file, with the copies of its record's sizes, times and attributes."""

    parent = Number("<Q", 0x00)
    created = Number("<Q", 0x08)
    modified = Number("<Q", 0x10)
    changed = Number("<Q", 0x18)
    accessed = Number("<Q", 0x20)
    allocated_size = Number("<Q", 0x28)
    size = Number("<Q", 0x30)
    attributes = Number("<I", 0x38)
    reparse_tag = Number("<I", 0x3C)  # or the packed size of the extended attributes
    name_length = Number("<B", 0x40)
    space = Number("<B", 0x41)

    __slots__ = ("raw",)

    def __init__(self, raw: bytes | bytearray) -> None:
        self.raw = bytearray(raw)

    @property
    def name(self) -> str:
        return self.raw[HEADER : HEADER + 2 * self.name_length].decode("utf-16-le", "surrogatepass")

    @property
    def parent_number(self) -> int:
        return self.parent & NUMBER_MASK

    @property
    def is_directory(self) -> bool:
        return bool(self.attributes & FileAttribute.DIRECTORY)


def read_file_name(raw: bytes, position: int) -> FileName:
    """The name in `raw`, which was read at `position`. Raises FormatError if `raw` is too short."""
    if len(raw) < HEADER or len(raw) < HEADER + 2 * raw[0x40]:
        raise in_volume("file name", position, f"a name of {HEADER} bytes or more", len(raw))
    return FileName(raw)


def new_file_name(parent: int, name: str) -> FileName:
    """A name without sizes, times or attributes yet. Name space POSIX, as in Windows with short names switched off."""
    text = name.encode("utf-16-le", "surrogatepass")
    file_name = FileName(bytes(HEADER) + text)
    file_name.parent = parent
    file_name.name_length = len(text) // 2
    file_name.space = Space.POSIX
    return file_name


def check_name(name: str) -> None:
    """Raises UsageError if Windows does not allow a file of that name."""
    if why := why_no_name(name):
        raise UsageError(f"{name!r} cannot be a file's name in Windows: {why}")
    if len(name.encode("utf-16-le", "surrogatepass")) // 2 > MAX_NAME:
        raise UsageError(f"a file's name has at most {MAX_NAME} characters, not {len(name)}")


def to_datetime(time: int) -> datetime | None:
    """A time (100 ns since 1601), to the microsecond; None for 0 and outside of Python's range."""
    try:
        return EPOCH + timedelta(microseconds=time // 10) if time else None
    except OverflowError:
        return None


def file_names(file: File) -> list[FileName]:
    """All names of a file, in all directories."""
    names = []
    for attribute in file.attributes(Kind.FILE_NAME):
        if attribute.non_resident:
            raise in_volume("$FILE_NAME", attribute.position, "a value in the record", "one in clusters")
        names.append(read_file_name(attribute.value, attribute.position))
    return names
