"""An index of a key's values by name: a key may have thousands, and they are read and set one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.registry import key_value
from vmrescue.upcase import upper

if TYPE_CHECKING:
    from vmrescue.registry.cells import Cells
    from vmrescue.registry.key_node import KeyNode


class ValueNames:
    """The value names of the key that was asked for last. An editor must report every change of them here."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self._key: int | None = None
        self._offsets: dict[str, int] = {}

    def find(self, key: int, node: KeyNode, name: str) -> int | None:
        """The cell of the value of that name, in any case; the first if two have it; None if none has it."""
        if key != self._key:
            self._offsets, self._key = self._read(node), key
        return self._offsets.get(upper(name))

    def _read(self, node: KeyNode) -> dict[str, int]:
        offsets: dict[str, int] = {}
        for offset in key_value.list_values(self._cells, node):
            name = key_value.read_name(self._cells, offset, key_value.read(self._cells, offset))
            offsets.setdefault(upper(name), offset)
        return offsets

    def add(self, name: str, offset: int) -> None:
        """Reports that the key has a new value."""
        self._offsets[upper(name)] = offset

    def remove(self, node: KeyNode, name: str) -> None:
        """Reports that the key lost the value that `find` gave for that name. `node`: the key after the change."""
        del self._offsets[upper(name)]
        if len(self._offsets) != node.value_count:
            self.forget()  # another value has the same name

    def forget(self) -> None:
        """Drops all names, because cells of keys or values have changed."""
        self._key = None
