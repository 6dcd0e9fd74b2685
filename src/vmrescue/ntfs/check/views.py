"""The check of the system's indexes of object ids and of reparse points."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.notes import Note
from vmrescue.ntfs.edit.views import object_id_key, open_view, reparse_key
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.units import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmrescue.ntfs.store import File, FileStore


class View:
    """The check of one of the system's indexes: it has every file with the attribute, and no others."""

    def __init__(self, store: FileStore, file_name: str, name: str, kind: Kind, key: Callable[[File], bytes]) -> None:
        self._title = file_name
        self._kind = kind
        self._key = key
        self._index = open_view(store, file_name, name)
        self._count = 0

    def check(self, file: File, problems: list[str]) -> None:
        """Checks that a file is in the index if it has the attribute."""
        if file.find(self._kind) is None:
            return
        self._count += 1
        if self._index is None or self._index.find(self._index.collation.key(self._key(file))) is None:
            problems.append(Note(f"{file.base.title} is missing in {self._title}"))

    def check_count(self, problems: list[str]) -> None:
        found = sum(1 for _ in self._index.entries()) if self._index else 0
        if found > self._count:
            said = f"{self._title} has {counted(found, 'entry')}, for {counted(self._count, 'file')}"
            problems.append(Note(said))


def views_of(store: FileStore) -> list[View]:
    return [
        View(store, "$ObjId", "$O", Kind.OBJECT_ID, object_id_key),
        View(store, "$Reparse", "$R", Kind.REPARSE_POINT, reparse_key),
    ]
