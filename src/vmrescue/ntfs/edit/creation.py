"""Creates files and directories, and renames them.

A new file gets its directory's security descriptor. Windows would compute one from the directory's inheritable entries;
usually these give the same rights to the same accounts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue import file_path
from vmrescue.errors import RefusedError
from vmrescue.ntfs.directory import find_entry, open_directory
from vmrescue.ntfs.edit.content import replace_content
from vmrescue.ntfs.edit.deletion import remove_links
from vmrescue.ntfs.edit.index_edit import empty_root
from vmrescue.ntfs.edit.naming import add_name, check_not_system, linked_names, now, remove_name, repeat, touch
from vmrescue.ntfs.edit.placement import add_attribute, allocate_record, settle
from vmrescue.ntfs.index import FILE_NAMES
from vmrescue.ntfs.structures.attribute import Attribute, Kind
from vmrescue.ntfs.structures.file_name import FileAttribute, check_name, new_file_name
from vmrescue.ntfs.structures.record import RecordFlag
from vmrescue.ntfs.structures.reparse import reparse_tag
from vmrescue.ntfs.structures.security import compact
from vmrescue.ntfs.structures.standard_information import SIZE, StandardInformation, read_standard_information
from vmrescue.ntfs.structures.system_files import ROOT
from vmrescue.printable import quoted
from vmrescue.reparse_tags import title

if TYPE_CHECKING:
    from vmrescue.ntfs.directory import Directory
    from vmrescue.ntfs.store import File, FileStore
    from vmrescue.ntfs.structures.file_name import FileName


def create_file(store: FileStore, path: str, data: bytes) -> None:
    """Creates a file with this content.

    Raises:
        NotFoundError: its directory does not exist.
        UsageError: no file can have that name.
        RefusedError: the name exists, or the volume is full.
    """
    directory, name = _place_for(store, path)
    file = _new_file(store, directory, FileAttribute.ARCHIVE)
    add_attribute(file, Attribute.resident(Kind.DATA, "", b""))
    _give_name(file, name)
    replace_content(file, data)
    _enter(directory, file, name)


def create_directory(store: FileStore, path: str) -> None:
    """Creates an empty directory. Raises as `create_file` does."""
    directory, name = _place_for(store, path)
    file = _new_file(store, directory, FileAttribute(0))
    file.base.flags |= RecordFlag.DIRECTORY
    name.attributes = FileAttribute.DIRECTORY
    add_attribute(file, Attribute.resident(Kind.INDEX_ROOT, FILE_NAMES, empty_root(directory.index)))
    _give_name(file, name)
    _enter(directory, file, name)


def rename(store: FileStore, path: str, new: str) -> None:
    """Renames the file at `path` in the same directory. The short name of the old name is removed too.

    Raises:
        NotFoundError: there is no such file.
        UsageError: no file can have the new name.
        RefusedError: another file has the new name, or the file is one of NTFS's own.
    """
    check_name(new)
    directory, named = find_entry(store, path)
    file = store.referenced(named.reference)
    check_not_system(file, path)
    old = linked_names(file, directory, named.name.name)
    other = directory.find(new)
    if other and other.name.name not in [name.name for name in old]:
        raise RefusedError(f"there already is a {new!r} beside {quoted(path)}")
    for name in old:
        remove_name(directory, name)
    remove_links(file, old)
    touch(file, modified=False)
    name = new_file_name(directory.file.reference, new)
    name.attributes, name.reparse_tag = old[0].attributes, old[0].reparse_tag
    _give_name(file, name)
    _enter(directory, file, name)


def _place_for(store: FileStore, path: str) -> tuple[Directory, FileName]:
    """The directory for a new file, and the file's name. Raises as `create_file` does."""
    *parents, text = file_path.split(path) or [""]
    check_name(text)
    directory = open_directory(store, parents)
    if directory.file.number != ROOT:
        check_not_system(directory.file, "\\".join(parents))
    if (tag := reparse_tag(directory.file)) is not None:
        raise RefusedError(
            f"the directory for {quoted(path)} is a reparse point ({title(tag)}): what is in it lies elsewhere"
        )
    if directory.find(text):
        raise RefusedError(f"there already is a {quoted(path)}")
    return directory, new_file_name(directory.file.reference, text)


def _new_file(store: FileStore, directory: Directory, attributes: FileAttribute) -> File:
    """A file without name or content."""
    file = store.file(allocate_record(store).number)
    above = read_standard_information(directory.file)
    information = StandardInformation(bytes(SIZE))
    information.created = information.modified = information.changed = information.accessed = now()
    information.attributes = attributes
    if above.has_security:
        information.security = above.security
    add_attribute(file, Attribute.resident(Kind.STANDARD_INFORMATION, "", bytes(information.raw)))
    if not above.has_security and directory.file.find(Kind.SECURITY_DESCRIPTOR):
        descriptor = directory.file.stream(Kind.SECURITY_DESCRIPTOR)
        value = compact(descriptor.read_all())
        add_attribute(file, Attribute.resident(Kind.SECURITY_DESCRIPTOR, "", value))
    return file


def _give_name(file: File, name: FileName) -> None:
    add_attribute(file, Attribute.resident(Kind.FILE_NAME, "", bytes(name.raw), indexed=True))
    file.base.links += 1
    settle(file)


def _enter(directory: Directory, file: File, name: FileName) -> None:
    """Adds a name, which is in the file's record already, to the directory; both get the same sizes and times."""
    attribute = next(found for found in file.attributes(Kind.FILE_NAME) if found.value == name.raw)
    repeat(name, file, read_standard_information(file))
    attribute.value = bytes(name.raw)
    add_name(directory, name, file.reference)
    touch(directory.file)
