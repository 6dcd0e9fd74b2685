"""Facts about a file for a user: name, size, times and attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.ntfs.data import METHOD_MASK
from vmrescue.ntfs.structures.attribute import Kind, Storage
from vmrescue.ntfs.structures.fields import align8
from vmrescue.ntfs.structures.file_name import INDEX_FLAGS, FileAttribute, Space, to_datetime
from vmrescue.ntfs.structures.record import NUMBER_MASK
from vmrescue.ntfs.structures.reparse import reparse_tag
from vmrescue.ntfs.structures.standard_information import read_standard_information

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from vmrescue.ntfs.directory import Named
    from vmrescue.ntfs.store import File


SHOWN_DIRECTORY = 0x10  # FILE_ATTRIBUTE_DIRECTORY


@dataclass(frozen=True)
class FileInfo:
    """A file or directory; sizes in bytes, times in UTC (None if none is stored), attributes as in Windows."""

    name: str
    short_name: str  # the DOS name, empty if the file has none
    is_directory: bool
    size: int
    allocated_size: int
    attributes: int
    created: datetime | None
    modified: datetime | None
    changed: datetime | None  # when the file's record changed, not its content
    accessed: datetime | None
    record: int
    is_compressed: bool
    is_encrypted: bool
    is_sparse: bool
    is_reparse_point: bool


def listed(names: Iterable[Named]) -> list[FileInfo]:
    """A directory's files according to its entries, in its order. A file's record may be more recent (`described`)."""
    shown = []
    short: dict[int, str] = {}
    for named in names:
        if named.name.space == Space.DOS:
            short[named.reference] = named.name.name
        elif named.name.name != ".":
            shown.append(named)
    return [_from_name(named, short.get(named.reference, "")) for named in shown]


def _from_name(named: Named, short_name: str) -> FileInfo:
    name = named.name
    return FileInfo(
        name=name.name,
        short_name=name.name if name.space == Space.WIN32_AND_DOS else short_name,
        is_directory=name.is_directory,
        size=name.size,
        allocated_size=name.allocated_size,
        attributes=_shown(name.attributes, name.is_directory),
        created=to_datetime(name.created),
        modified=to_datetime(name.modified),
        changed=to_datetime(name.changed),
        accessed=to_datetime(name.accessed),
        record=named.reference & NUMBER_MASK,
        is_compressed=bool(name.attributes & FileAttribute.COMPRESSED),
        is_encrypted=bool(name.attributes & FileAttribute.ENCRYPTED),
        is_sparse=bool(name.attributes & FileAttribute.SPARSE),
        is_reparse_point=bool(name.attributes & FileAttribute.REPARSE_POINT),
    )


def _shown(attributes: int, is_directory: bool) -> int:
    """A file's attributes as programs see them: without NTFS's bits for indexes, with the bit of a directory."""
    return attributes & ~INDEX_FLAGS | (SHOWN_DIRECTORY if is_directory else 0)


def described(file: File, name: str, short_name: str) -> FileInfo:
    """A file according to its own record."""
    information = read_standard_information(file)
    data = None if file.is_directory else file.find(Kind.DATA)
    flags = data.flags if data else 0
    return FileInfo(
        name=name,
        short_name=short_name,
        is_directory=file.is_directory,
        size=data.size if data else 0,
        allocated_size=allocated_size(file),
        attributes=_shown(information.attributes, file.is_directory),
        created=to_datetime(information.created),
        modified=to_datetime(information.modified),
        changed=to_datetime(information.changed),
        accessed=to_datetime(information.accessed),
        record=file.number,
        is_compressed=bool(flags & METHOD_MASK),
        is_encrypted=bool(flags & Storage.ENCRYPTED),
        is_sparse=bool(flags & Storage.SPARSE),
        is_reparse_point=reparse_tag(file) is not None,
    )


def allocated_size(file: File) -> int:
    """Allocated bytes of the unnamed data as directory entries give them; a resident value's are rounded up to 8."""
    data = None if file.is_directory else file.find(Kind.DATA)
    if data is None:
        return 0
    if not data.non_resident:
        return align8(data.value_length)
    sparse = data.flags & (METHOD_MASK | Storage.SPARSE)
    return data.compressed_size if sparse else data.allocated_size
