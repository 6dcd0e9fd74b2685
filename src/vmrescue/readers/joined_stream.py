"""The parts of a disk, one after the other, as a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dissect.util.stream import AlignedStream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class JoinedStream(AlignedStream):  # type: ignore[misc]  # dissect.util has no types
    """Args:
    parts: of each its size in bytes, and what reads it, by (offset, length) in bytes.
    align: bytes; only whole multiples are read.
    """

    def __init__(self, parts: Sequence[tuple[int, Callable[[int, int], bytes]]], align: int) -> None:
        super().__init__(size=sum(size for size, _ in parts), align=align)
        self._parts = parts

    def _read(self, offset: int, length: int) -> bytes:
        pieces = []
        for size, read_at in self._parts:
            if length > 0 and offset < size:
                count = min(length, size - offset)
                pieces.append(read_at(offset, count))
                offset, length = offset + count, length - count
            offset -= size
        return b"".join(pieces)
