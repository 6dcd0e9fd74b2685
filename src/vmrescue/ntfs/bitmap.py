"""$Bitmap: which clusters are in use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import FormatError
from vmrescue.ntfs.attribute import Kind
from vmrescue.ntfs.store import BITMAP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.ntfs.store import Store

CHUNK = 1 << 20  # bytes of the bitmap held at once


class ClusterBitmap:
    """One bit a cluster, read in parts."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._count = store.boot.cluster_count
        self._stream = store.file(BITMAP).stream(Kind.DATA)
        if self._stream.size * 8 < self._count:
            at = self._stream.attribute.position + 0x30
            raise FormatError("$Bitmap", at, f"{self._count} bits", f"{self._stream.size} bytes")

    def free_count(self) -> int:
        """Clusters that no file owns."""
        return self._count - sum(chunk.bit_count() for _, chunk, _ in self._chunks(0))

    def _chunks(self, start: int) -> Iterator[tuple[int, int, int]]:
        """(first cluster, bits as a number, clusters) of each part, from the byte with bit `start` on."""
        for at in range(start // 8, -(-self._count // 8), CHUNK):
            length = min(CHUNK, -(-self._count // 8) - at)
            clusters = min(length * 8, self._count - at * 8)
            bits = int.from_bytes(self._stream.read_at(at, length), "little")
            yield at * 8, bits & (1 << clusters) - 1, clusters
