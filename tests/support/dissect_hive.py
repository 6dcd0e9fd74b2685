"""An independent reader's hive, as a KeyReader: dissect.regf under the names that our own code reads hives by."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from dissect.regf import RegistryHive
from dissect.regf.exceptions import RegistryKeyNotFoundError, RegistryValueNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator


class DissectKey:
    """One key of a hive that dissect.regf has opened."""

    def __init__(self, key: Any) -> None:
        self._key = key

    @property
    def name(self) -> str:
        return str(self._key.name)

    @property
    def is_link(self) -> bool:
        return bool(int(self._key.cell.Flags) & 0x10)

    def subkeys(self) -> Iterator[DissectKey]:
        return map(DissectKey, self._key.subkeys())

    def subkey(self, name: str) -> DissectKey | None:
        try:
            return DissectKey(self._key.subkey(name))
        except RegistryKeyNotFoundError:
            return None

    def value(self, name: str) -> tuple[int, bytes] | None:
        try:
            found = self._key.value(name)
        except RegistryValueNotFoundError:
            return None
        return int(found.type), bytes(found.data)


def dissect_root(data: bytes) -> DissectKey:
    """The root key of the hive in `data`."""
    return DissectKey(RegistryHive(io.BytesIO(data)).root())
