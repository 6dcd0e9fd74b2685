"""The clusters of a run list as an array of bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.device import prefetch
from vmrescue.errors import FormatError, RefusedError
from vmrescue.ntfs.structures.run_list import HOLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.image.pending_writes import PendingWrites
    from vmrescue.ntfs.structures.run_list import RunList


class ClusterStream:
    """The bytes in the clusters of `runs`; holes read as zeros and cannot be written."""

    def __init__(self, pending: PendingWrites, runs: RunList, cluster_size: int) -> None:
        self._pending = pending
        self.cluster_size = cluster_size
        self.runs = runs

    @property
    def size(self) -> int:
        return self.runs.clusters * self.cluster_size

    def position(self, offset: int) -> int:
        """Where a byte of the stream is, in bytes from the volume's start; HOLE in a hole."""
        return next(self._pieces(offset, 1))[0]

    def read_at(self, offset: int, length: int) -> bytes:
        """Bytes of the stream, with the pending changes of the current edit."""
        parts = [
            bytes(part) if position == HOLE else self._pending.read_at(position, part)
            for position, part in self._pieces(offset, length)
        ]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def prefetch(self, offset: int, length: int) -> None:
        """Announces bytes of the stream, as far as there are any: see `device.Far`."""
        if prefetch(self._pending):
            pieces = self._pieces(offset, min(length, self.size - offset))
            prefetch(self._pending, (each for each in pieces if each[0] != HOLE))

    def write_at(self, offset: int, data: bytes) -> None:
        """Changes metadata, as part of the current edit. For content, see `write_content`."""
        for position, part in self._stored_pieces(offset, len(data)):
            self._pending.write_at(position, data[:part])
            data = data[part:]

    def write_content(self, offset: int, data: memoryview) -> None:
        for position, part in self._stored_pieces(offset, len(data)):
            self._pending.write_content(position, data[:part])
            data = data[part:]

    def _pieces(self, offset: int, length: int) -> Iterator[tuple[int, int]]:
        if offset < 0 or offset + length > self.size:
            raise FormatError("stream of clusters", offset, f"{length} bytes inside its {self.size}", offset + length)
        return self.runs.pieces(offset, length, self.cluster_size)

    def _stored_pieces(self, offset: int, length: int) -> list[tuple[int, int]]:
        pieces = list(self._pieces(offset, length))
        if any(position == HOLE for position, _ in pieces):
            raise RefusedError("a hole of a sparse file cannot be written")
        return pieces
