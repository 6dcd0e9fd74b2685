"""The registry that the commands see: hives under the names that the guest gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from vmrescue.errors import FormatError
from vmrescue.registry import path as key_path
from vmrescue.registry.cells import BINS
from vmrescue.registry.errors import KeyNotFound
from vmrescue.registry.key_value import LAYOUT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.commands.reg.key_name import KeyName
    from vmrescue.registry.hive import Hive
    from vmrescue.registry.key import Key


class Registry(Protocol):
    """Where keys are found. `view` is 32 or 64: which of the two registries of a 64-bit Windows is meant."""

    def locate(self, name: KeyName, view: int) -> tuple[Hive, str]:
        """The hive that a key lies in, or would, and its path there. Raises NotFoundError, UsageError."""

    def hives(self, root: str) -> list[str]:
        """The names of the hives directly below a root, sorted."""


class StoredValue(NamedTuple):
    """One value as the hive stores it; the default value's name is empty."""

    name: str
    type: int
    raw: bytes


def find_key(registry: Registry, name: KeyName, view: int, value: str | None = None) -> tuple[Hive, Key] | None:
    """The hive and the key; None where that hive has no such key.

    A symbolic link at the end of the name is the key itself, unless `value` names one that is not the link's own.
    """
    hive, path = registry.locate(name, view)
    try:
        return hive, hive.key(path) if value is None else hive.holder(path, value)
    except KeyNotFound:
        return None


def read_tree(hive: Hive, top: Key, recursive: bool) -> Iterator[tuple[str, Key, list[StoredValue]]]:
    """A key and, if `recursive`, all below it: path from `top`, the key, its values.

    Raises FormatError where the values take more room than the hive has, so that cells are shared, and reading them
    all could take forever.
    """
    left = hive.cells.bins_size
    top_path = top.path
    for key in hive.walk(top_path) if recursive else [top]:
        values = []
        for value in key.values():
            left -= value.size + LAYOUT.size
            if left < 0:
                raise FormatError("key value", BINS + value.offset, "data of its own", "data that other values share")
            values.append(StoredValue(value.name, int(value.type), value.raw))
        yield key_path.relative(key.path, top_path), key, values
