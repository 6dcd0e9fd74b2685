"""The interface through which a store reads its hive: keys with subkeys and values.

Two independent readers satisfy it: our own editor, and dissect.regf, which reads back what the editor wrote.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable


class KeyReader(Protocol):
    """A registry key, read-only. Names are compared without regard to case."""

    @property
    def name(self) -> str:
        """The key's name, without its path."""

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link: opening it opens another key."""

    def subkeys(self) -> Iterable[KeyReader]:
        """The keys below it, in the hive's order."""

    def subkey(self, name: str) -> KeyReader | None:
        """The key below it with this name; None if there is none."""

    def value(self, name: str) -> tuple[int, bytes] | None:
        """The type (REG_SZ = 1 …) and the bytes of the value with this name; None if there is none."""


class TreeReader(KeyReader, Protocol):
    """A key that can also list its values, which copying a whole store needs."""

    def subkeys(self) -> Iterable[TreeReader]:
        """The keys below it, in the hive's order."""

    def subkey(self, name: str) -> TreeReader | None:
        """The key below it with this name; None if there is none."""

    def values(self) -> Iterable[tuple[str, int, bytes]]:
        """Name, type and bytes of each value."""
