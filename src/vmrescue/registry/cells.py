"""The cells of a hive, by their offsets: reading, and writing that is undone if it fails.

A cell's offset counts from the first bin, which lies 4096 bytes into the file; its first four bytes are its size,
negative where it is in use. Source: M. Suhanov, "Windows registry file format specification", section "Cell".
"""

from __future__ import annotations

import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vmrescue.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.registry.file_bytes import FileBytes

BINS = 4096  # position of the first bin in the file
PAGE = 4096  # bins are whole pages
NIL = 0xFFFFFFFF  # the offset that means "no cell"
SIZE = struct.Struct("<i")


def content_of(offset: int) -> int:
    """Where in the file the content of the cell at `offset` begins."""
    return BINS + offset + SIZE.size


class Cells:
    """The bytes of a hive, seen as cells.

    Args:
        data: the hive's file.
        bins_size: bytes of bins, as the base block has them.
    """

    def __init__(self, data: FileBytes, bins_size: int) -> None:
        if not 0 < bins_size <= len(data) - BINS or bins_size % PAGE:
            there = max(len(data) - BINS, 0)
            expected = f"bins of whole pages of {PAGE} bytes, at most the {there} bytes of them that the file has"
            raise FormatError("base block", 40, expected, bins_size)
        self.data = data
        self.bins_size = bins_size
        self._undo: list[tuple[int, bytes]] | None = None

    def find(self, offset: int, structure: str, least: int = 0) -> tuple[int, int]:
        """Where in the file the content of a used cell begins, and its length in bytes.

        Raises FormatError, naming `structure`, if no used cell begins at `offset` or it has fewer than `least` bytes.
        """
        if offset & 7 or offset + 8 > self.bins_size:
            if offset & 7:
                raise FormatError(structure, BINS + offset, "a place that is a multiple of 8")
            raise FormatError(structure, BINS + offset, f"a place among the {self.bins_size} bytes of the hive's bins")
        position = offset + BINS
        length = -self.data.unpack(SIZE, position)[0] - 4
        if length < least or offset + length + 4 > self.bins_size:
            raise FormatError(structure, position, f"a used cell with {least} bytes or more", f"{length} bytes")
        return position + 4, length

    def content(self, offset: int, structure: str, length: int) -> bytes:
        """The first `length` bytes of a used cell's content."""
        position, _ = self.find(offset, structure, length)
        return self.data[position : position + length]

    @contextmanager
    def editing(self) -> Iterator[None]:
        """Undoes everything that was written inside the block if an exception leaves it.

        Raises FormatError if a count in the hive became too large for its field.
        """
        before = len(self.data), self.bins_size
        self._undo = []
        try:
            yield
        except BaseException as error:
            for position, old in reversed(self._undo):
                self.data.write(position, old)
            self.data.cut(before[0])
            self.bins_size = before[1]
            if isinstance(error, struct.error):
                raise FormatError("hive", None, "counts that can be raised", str(error)) from error
            raise
        finally:
            self._undo = None

    def write(self, position: int, data: bytes) -> None:
        """Replaces bytes of the file from `position`; only inside `editing`."""
        assert self._undo is not None
        self._undo.append((position, self.data[position : position + len(data)]))
        self.data.write(position, data)

    def fill(self, offset: int, content: bytes) -> None:
        """Replaces a used cell's content; the rest of the cell is filled with zeros."""
        position, length = self.find(offset, "cell", len(content))
        self.write(position, content.ljust(length, b"\0"))
