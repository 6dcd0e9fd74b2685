"""Whole stores as hive operations: an empty one, a copy of one, and one whose objects are replaced by another's.

``bcdedit /createstore`` is `empty_store` on a new hive; ``/export`` is `exported` on a new hive; ``/import`` is
`imported` on the store whose objects are replaced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import NotFoundError
from vmrescue.registry import path as key_path
from vmrescue.registry.operations import CreateKey, DeleteKey, SetValue
from vmrescue.registry.value_type import ValueType, encode

if TYPE_CHECKING:
    from vmrescue.bcd.hive_reader import TreeReader
    from vmrescue.registry.operations import Operation

_OBJECTS = "Objects"


def empty_store() -> list[Operation]:
    """A store without objects. Its description has the key name under which Windows loads any store."""
    name = encode(ValueType.SZ, "BCD00000000")
    return [SetValue("Description", "KeyName", ValueType.SZ, name), CreateKey(_OBJECTS)]


def exported(root: TreeReader) -> list[Operation]:
    """The operations that copy a whole store into a new hive."""
    return [edit for path, key in _tree(root, "").values() for edit in _contents(path, key)]


def imported(root: TreeReader, source: TreeReader) -> list[Operation]:
    """The operations that replace the objects of the store at `root` by those of `source`.

    The store's own description (the key name under which Windows loads it, and that it is the system store) stays.

    Raises:
        NotFoundError: the source is not a BCD store.
    """
    theirs, ours = source.subkey(_OBJECTS), root.subkey(_OBJECTS)
    if theirs is None:
        raise NotFoundError("not a BCD store: its hive has no key Objects")
    new, old = _tree(theirs, _OBJECTS), _tree(ours, _OBJECTS) if ours else {}
    lost = old.keys() - new.keys()
    edits: list[Operation] = [DeleteKey(path) for place, (path, _) in old.items() if place in lost - _below(lost)]
    for place, (path, key) in new.items():
        if place not in old:
            edits.extend(_contents(path, key))
        else:
            before = old[place][1]
            edits.extend(SetValue(path, *value) for value in key.values() if before.value(value[0]) != value[1:])
    return edits


def _tree(root: TreeReader, path: str) -> dict[str, tuple[str, TreeReader]]:
    """All keys below `path`: lower-case path from the hive's root -> (path, key); parents before children."""
    found: dict[str, tuple[str, TreeReader]] = {}
    waiting = [(path, root)]
    while waiting:
        above, key = waiting.pop()
        below = [(key_path.below(above, each.name), each) for each in key.subkeys()]
        found |= {place.lower(): (place, each) for place, each in below}
        waiting.extend(below)
    return found


def _below(places: set[str]) -> set[str]:
    """The paths that lie below another one of `places`."""
    return {place for place in places if key_path.join(key_path.split(place)[:-1]) in places}


def _contents(path: str, key: TreeReader) -> list[Operation]:
    values: list[Operation] = [SetValue(path, *value) for value in key.values()]
    return values or [CreateKey(path)]
