"""How the keys of an index sort. Source: linux-ntfs documentation, "Collation" (COLLATION_RULE)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Protocol

from vmrescue.errors import UnsupportedError
from vmrescue.ntfs.structures.file_name import read_file_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vmrescue.ntfs.store import FileStore

Key = Any  # a sort key; comparable with the other keys of the same index

FILE_NAME, ULONG, SID, SECURITY_HASH, ULONGS = 0x01, 0x10, 0x11, 0x12, 0x13


class Keyed(Protocol):
    """An entry of an index."""

    @property
    def key(self) -> bytes: ...


class Collation:
    """One collation rule. `key` turns a key's bytes into its sort key."""

    def __init__(self, rule: int, store: FileStore) -> None:
        self.rule = rule
        self._store = store

    def key(self, raw: bytes) -> Key:
        if self.rule == FILE_NAME:
            return self.name_key(read_file_name(raw, 0).name)
        if self.rule in (ULONG, SECURITY_HASH, ULONGS):
            return struct.unpack_from(f"<{len(raw) // 4}I", raw)
        if self.rule == SID:
            return raw
        raise UnsupportedError(f"an index is sorted by rule {self.rule:#x}, which is not known")

    def name_key(self, name: str) -> tuple[bytes, bytes]:
        """Names sort by upper case; those that differ only in case (POSIX programs make such), by their exact units."""
        return self._store.upcase.key(name), name.encode("utf-16-be", "surrogatepass")

    def position(self, entries: Sequence[Keyed], key: Key) -> int:
        """The index of the first of a node's entries that does not sort before `key`. The last sorts after all keys."""
        low, high = 0, len(entries) - 1
        while low < high:
            middle = (low + high) // 2
            if self.key(entries[middle].key) < key:
                low = middle + 1
            else:
                high = middle
        return low
