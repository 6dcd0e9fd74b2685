"""Directories: names, and the files that they lead to."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vmrescue import file_path
from vmrescue.errors import NotFoundError, UsageError
from vmrescue.ntfs.index import Index
from vmrescue.ntfs.structures.file_name import read_file_name
from vmrescue.ntfs.structures.system_files import ROOT
from vmrescue.printable import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.ntfs.index import IndexEntry
    from vmrescue.ntfs.store import File, FileStore
    from vmrescue.ntfs.structures.file_name import FileName
    from vmrescue.ntfs.structures.record import Reference


class Named(NamedTuple):
    """A directory's entry: a name, and the record of the file that has it."""

    name: FileName
    reference: Reference


class Directory:
    """The names in a directory. It may have POSIX names that differ only in case."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.index = Index(file)

    def names(self) -> Iterator[Named]:
        """All names, short ones too, in the order of the index."""
        return map(self.named, self.index.entries())

    def find(self, name: str) -> Named | None:
        """The entry spelled exactly `name`, else the one that matches in any case; None if there is none.

        Raises:
            UsageError: none is spelled so, and several of different files match.
        """
        upper = self.index.collation.name_key(name)[0]
        found: list[Named] = []
        for entry in self.index.entries((upper, b"")):
            if self.index.collation.key(entry.key)[0] != upper:
                break
            named = self.named(entry)
            if named.name.name == name:
                return named
            found.append(named)
        if len({named.reference for named in found}) > 1:
            names = " or ".join(sorted(repr(named.name.name) for named in found))
            raise UsageError(f"{name!r} may be {names}, which differ only in case: spell it as it is")
        return found[0] if found else None

    def named(self, entry: IndexEntry) -> Named:
        """The name and the file's reference in an entry of the directory's index."""
        return Named(read_file_name(entry.key, self.index.root.position), entry.reference)


def open_directory(store: FileStore, names: list[str]) -> Directory:
    """The directory at a path, given as names from the root. Raises NotFoundError if there is none.

    Reparse points are not followed: outside of their Windows their targets may mean something else.
    """
    directory = Directory(store.file(ROOT))
    for name in names:
        named = directory.find(name)
        path = "\\".join(names)
        if named is None:
            looking = "" if name == path else f", looking for {path}"
            raise NotFoundError(f"there is no folder {name!r} on the NTFS volume{looking}")
        file = store.referenced(named.reference)
        if not file.is_directory:
            raise NotFoundError(f"{name!r} is a file, not a directory, looking for {quoted(path)}")
        directory = Directory(file)
    return directory


def find_entry(store: FileStore, path: str) -> tuple[Directory, Named]:
    """The entry at a path, and the directory that it is in. Raises NotFoundError if there is none."""
    *parents, name = file_path.split(path) or [""]
    directory = open_directory(store, parents)
    named = directory.find(name) if name else None
    if named is None:
        raise NotFoundError(f"there is no {quoted(path)} on the NTFS volume")
    return directory, named


def find_file(store: FileStore, path: str) -> File:
    """The file or directory at a path, also the root. Raises NotFoundError if there is none."""
    if not file_path.split(path):
        return store.file(ROOT)
    return store.referenced(find_entry(store, path)[1].reference)
