"""Deletes a file, or one of its names, as Windows does.

With a file's last name, its entries in directories and in the system's indexes are removed, and its clusters and
records are freed. The bytes in the clusters and the attributes in the records stay until they are used again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue import file_path
from vmrescue.errors import NotFoundError, RefusedError
from vmrescue.ntfs.directory import Directory, open_directory
from vmrescue.ntfs.edit.naming import check_not_system, linked_names, remove_name, touch
from vmrescue.ntfs.edit.placement import settle
from vmrescue.ntfs.edit.record_bitmap import free_record
from vmrescue.ntfs.edit.views import forget_object_id, forget_reparse_point
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.ntfs.structures.file_name import file_names
from vmrescue.ntfs.structures.reparse import SELF_CONTAINED, reparse_tag
from vmrescue.printable import quoted
from vmrescue.reparse_tags import title

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vmrescue.ntfs.directory import Named
    from vmrescue.ntfs.store import File, FileStore
    from vmrescue.ntfs.structures.attribute import Attribute
    from vmrescue.ntfs.structures.file_name import FileName


def delete(store: FileStore, paths: Sequence[str]) -> None:
    """Deletes the names at `paths`, and each file whose last name this was.

    Only during an edit, in which files are shared, so that the folder of many files is looked up and touched once.

    Raises:
        NotFoundError: there is no such name.
        RefusedError: it is one of NTFS's own files, a directory that is not empty, or a reparse point whose content
            another part of Windows keeps.
    """
    folders: dict[tuple[str, ...], File] = {}
    for path in paths:
        *parents, name = file_path.split(path) or [""]
        where = tuple(parents)
        if where not in folders:
            folders[where] = open_directory(store, parents).file
        directory = Directory(folders[where])
        named = directory.find(name) if name else None
        if named is None:
            raise NotFoundError(f"there is no {quoted(path)} on the NTFS volume")
        _delete(store, directory, named, path)
    for folder in {file.number: file for file in folders.values()}.values():
        if folder.base.in_use:  # the folder itself was not among the deleted
            touch(folder)


def _delete(store: FileStore, directory: Directory, named: Named, path: str) -> None:
    file = store.referenced(named.reference)
    _check_deletable(file, path)
    gone = linked_names(file, directory, named.name.name)
    for name in gone:
        remove_name(directory, name)
    if len(gone) < len(file_names(file)):
        remove_links(file, gone)
        touch(file, modified=False)
    else:
        _delete_file(file)


def _check_deletable(file: File, path: str) -> None:
    check_not_system(file, path)
    tag = reparse_tag(file)
    if tag is not None and tag not in SELF_CONTAINED:
        raise RefusedError(f"{quoted(path)} is a reparse point that is not known ({title(tag)}): it is not deleted")
    if file.is_directory and next(Directory(file).names(), None):
        raise RefusedError(f"the directory {quoted(path)} is not empty")


def remove_links(file: File, gone: list[FileName]) -> None:
    """Removes names from a file's record."""
    raws = [name.raw for name in gone]
    for record in file.records():
        for attribute in [found for found in record.attributes if found.kind == Kind.FILE_NAME]:
            if attribute.value in raws:
                record.remove(attribute)
                file.base.links -= 1
    file.relist()
    settle(file)


def _delete_file(file: File) -> None:
    forget_object_id(file)
    forget_reparse_point(file)
    for extents in stored_attributes(file):
        file.store.clusters.free(file.runs(extents).stored)
    for record in file.records():
        free_record(file.store, record)


def stored_attributes(file: File) -> list[list[Attribute]]:
    """The extents of every non-resident attribute of a file, the attribute list included."""
    keys = {(found.kind, found.name) for _, found in file.placed() if found.non_resident}
    lists = [found for found in file.lists if file.lines and found.non_resident]
    return [file.extents(kind, name) for kind, name in sorted(keys)] + ([lists] if lists else [])
