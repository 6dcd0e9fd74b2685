"""Lets a store read its hive through our own `registry` package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.registry.errors import ValueNotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.registry import Hive, Key


class HiveKey:
    """Satisfies `KeyReader` and `TreeReader` with a `vmrescue.registry.Key`."""

    def __init__(self, key: Key) -> None:
        self._key = key

    @classmethod
    def root(cls, hive: Hive) -> HiveKey:
        """The root key of a hive."""
        return cls(hive.key(""))

    @property
    def name(self) -> str:
        return self._key.name

    @property
    def is_link(self) -> bool:
        return self._key.is_link

    def subkeys(self) -> Iterator[HiveKey]:
        return map(HiveKey, self._key.subkeys())

    def subkey(self, name: str) -> HiveKey | None:
        found = self._key.subkey(name)
        return HiveKey(found) if found else None

    def value(self, name: str) -> tuple[int, bytes] | None:
        try:
            found = self._key.value(name)
        except ValueNotFound:
            return None
        return int(found.type), found.raw

    def values(self) -> Iterator[tuple[str, int, bytes]]:
        return ((each.name, int(each.type), each.raw) for each in self._key.values())
