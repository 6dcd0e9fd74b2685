"""Operations on the registry as changes of a plan.

The operations are carried out on a copy of each hive in memory, with our editor; the plan is what that copy then has
otherwise than the file on the disk, as the dissect reader sees it. So a plan says what will differ in the end, however
the operations get there: a key that is removed and created anew loses what is not given again, and nothing else.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from vmrescue.plan import CreateKey, DeleteKey, DeleteValue, RegistryData, SetValue
from vmrescue.registry import Hive, KeyNotFound, operations
from vmrescue.registry import path as key_path
from vmrescue.upcase import upper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vmrescue.plan import Change, FileRef
    from vmrescue.registry import Key
    from vmrescue.registry.operations import Operation
    from vmrescue.windows.registry_file import RegistryFile


def registry_changes(wanted: Iterable[Operation], place: Callable[[str], tuple[RegistryFile, str]]) -> list[Change]:
    """The changes that make these operations come true. What is so already is left out.

    Args:
        wanted: with the registry's full names.
        place: the hive that a key lies in, and its path there.
    """
    edited: dict[FileRef, EditedHive] = {}
    for operation in wanted:
        file, path = place(operation.path)
        if file.ref not in edited:
            edited[file.ref] = EditedHive(file)
        edited[file.ref].apply(replace(operation, path=path))
    return [change for hive in edited.values() for change in hive.changes()]


class EditedHive:
    """One hive as it is, as it is to be, and the keys that the operations had to do with.

    Attributes:
        hive: as it is to be, with our editor.
    """

    def __init__(self, file: RegistryFile) -> None:
        self._file = file
        self.hive = file.draft()
        self._touched: dict[str, str] = {}  # upper-cased path -> path
        self._removed: set[str] = set()  # upper-cased

    def apply(self, operation: Operation) -> None:
        operation = replace(operation, path=self.hive.place(operation.path, getattr(operation, "name", None)))
        operations.make(self.hive, [operation])
        made_anew = False
        for above in [*key_path.upward(operation.path)][:-1]:
            made_anew = made_anew or upper(above) in self._removed
            if made_anew:
                self._touched.setdefault(upper(above), above)
        self._touched.setdefault(upper(operation.path), operation.path)
        if isinstance(operation, operations.DeleteKey):
            self._removed.add(upper(operation.path))

    def changes(self) -> Iterator[Change]:
        doomed: dict[str, Change] = {}
        others: list[Change] = []
        for path in self._touched.values():
            before, after = self._file.stored_key(path), _find(self.hive, path)
            if after is None:
                self._doom(path, doomed)
            elif before is None:
                others += self._new_key(path, after)
            else:
                others += self._values(path, before.values(), after)
                for subkey in before.subkeys():
                    if after.subkey(subkey.name) is None:
                        self._doom(key_path.below(path, subkey.name), doomed)
        yield from doomed.values()
        yield from others

    def _doom(self, path: str, doomed: dict[str, Change]) -> None:
        """Notes that a key goes: the topmost one above it that goes too, if the file has it."""
        top = next(each for each in key_path.upward(path) if _find(self.hive, each) is None)
        before = self._file.stored_key(top)
        if before is not None:
            doomed.setdefault(upper(top), DeleteKey(self._file.ref, top, before.values()))

    def _new_key(self, path: str, after: Key) -> list[Change]:
        changes = self._values(path, {}, after)
        return changes or [CreateKey(self._file.ref, path)]

    def _values(self, path: str, before: dict[str, RegistryData], after: Key) -> list[Change]:
        old = {upper(name): (name, data) for name, data in before.items()}
        changes: list[Change] = []
        for value in after.values():
            _, found = old.pop(upper(value.name), ("", None))
            data = RegistryData(int(value.type), value.raw)
            if found != data:
                changes.append(SetValue(self._file.ref, path, value.name, found, data))
        return [*(DeleteValue(self._file.ref, path, name, data) for name, data in old.values()), *changes]


def _find(hive: Hive, path: str) -> Key | None:
    try:
        return hive.key(path)
    except KeyNotFound:
        return None
