"""Adds names to directories and removes them; updates the copies of a file's facts in directory entries."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from vmrescue.errors import RefusedError, in_volume
from vmrescue.ntfs.directory import Directory
from vmrescue.ntfs.edit.index_edit import IndexEditor
from vmrescue.ntfs.index import ENTRY, ENTRY_HEADER, IndexEntry
from vmrescue.ntfs.info import allocated_size
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.ntfs.structures.fields import align8
from vmrescue.ntfs.structures.file_name import INDEX_FLAGS, FileAttribute, FileName, Space, file_names
from vmrescue.ntfs.structures.standard_information import read_standard_information
from vmrescue.ntfs.structures.system_files import FIRST_USER, ROOT
from vmrescue.printable import quoted

if TYPE_CHECKING:
    from vmrescue.ntfs.store import File
    from vmrescue.ntfs.structures.record import Reference
    from vmrescue.ntfs.structures.standard_information import StandardInformation

UNIX_EPOCH = 11_644_473_600  # seconds from 1601 to 1970


def now() -> int:
    """The time in 100 ns since 1601."""
    return time.time_ns() // 100 + UNIX_EPOCH * 10_000_000


def is_system(file: File) -> bool:
    """Whether it is one of NTFS's own files: those in the first records, and all below $Extend."""
    seen: set[int] = set()
    while file.number not in seen:
        if file.number < FIRST_USER:
            return file.number != ROOT or not seen
        seen.add(file.number)
        names = file_names(file)
        if not names:
            return False
        file = file.store.referenced(names[0].parent)
    return False


def check_not_system(file: File, path: str) -> None:
    """Raises RefusedError for NTFS's own files."""
    if is_system(file):
        raise RefusedError(f"{quoted(path)} is one of NTFS's own files")


def add_name(directory: Directory, name: FileName, reference: Reference) -> None:
    """Adds a name to a directory."""
    IndexEditor(directory.index).insert(_entry(name, reference))


def remove_name(directory: Directory, name: FileName) -> None:
    """Removes a name from a directory. Raises NotFoundError if the directory does not have it."""
    IndexEditor(directory.index).remove(directory.index.collation.name_key(name.name))


def linked_names(file: File, directory: Directory, name: str) -> list[FileName]:
    """A file's name in a directory, with its partner: the short name of a long one, or the reverse."""
    here = [other for other in file_names(file) if other.parent == directory.file.reference]
    named = [other for other in here if other.name == name]
    if not named:
        expected = f"the name {name!r} that its directory gives it"
        raise in_volume(file.base.title, file.base.position, expected, "none")
    partner = {Space.WIN32: Space.DOS, Space.DOS: Space.WIN32}.get(Space(named[0].space & 3))
    return named[:1] + [other for other in here if other.space == partner]


def repeat(name: FileName, file: File, information: StandardInformation) -> None:
    """Copies the sizes, times and attributes of a file's record into a name."""
    data = None if file.is_directory else file.find(Kind.DATA)
    name.created, name.modified = information.created, information.modified
    name.changed, name.accessed = information.changed, information.accessed
    name.allocated_size = allocated_size(file)
    name.size = data.size if data else 0
    if name.attributes & ~information.attributes & FileAttribute.REPARSE_POINT:  # no more
        packed = file.find(Kind.EA_INFORMATION)  # its first field is the size that the names repeat
        name.reparse_tag = int.from_bytes(packed.value[:2], "little") if packed else 0
    name.attributes = name.attributes & INDEX_FLAGS | information.attributes & ~INDEX_FLAGS


def refresh_names(file: File) -> None:
    """Updates a file's entries in all directories. Like Windows, it leaves the entries of NTFS's own files alone."""
    if file.number < FIRST_USER:
        return
    information = read_standard_information(file)
    for name in file_names(file):
        index = Directory(file.store.referenced(name.parent)).index
        entry = index.find(index.collation.name_key(name.name))
        if entry is None or entry.reference != file.reference:
            expected = f"{name.name!r} in its directory, record {name.parent_number}"
            raise in_volume(file.base.title, file.base.position, expected, "no such entry")
        shown = FileName(entry.key)
        repeat(shown, file, information)
        if shown.raw != entry.key:
            IndexEditor(index).replace(_entry(shown, file.reference))


def touch(file: File, modified: bool = True, attributes: int = 0, without: int = 0) -> None:
    """Sets the time of the record's change to now, and that of the content if `modified`; adds and takes attributes."""
    attribute = file.get(Kind.STANDARD_INFORMATION)
    information = read_standard_information(file)
    information.changed = now()
    if modified:
        information.modified = information.changed
    information.attributes = information.attributes & ~without | attributes
    attribute.value = bytes(information.raw)
    refresh_names(file)


def _entry(name: FileName, reference: Reference) -> IndexEntry:
    length = align8(ENTRY_HEADER + len(name.raw))
    head = ENTRY.pack(reference.to_bytes(8, "little"), length, len(name.raw), 0, 0)
    return IndexEntry((head + name.raw).ljust(length, b"\0"))
