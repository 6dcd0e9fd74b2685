"""Numbers at fixed offsets of a structure that keeps its own bytes."""

from __future__ import annotations

import struct
from typing import Protocol


class HasBytes(Protocol):
    """A structure with `Number` fields."""

    raw: bytearray


class Number:
    """A field: ``links = Number("<H", 0x12)`` reads and writes two bytes of its owner's `raw`."""

    def __init__(self, form: str, offset: int) -> None:
        layout = struct.Struct(form)
        self._read = layout.unpack_from  # bound once, because the check of a volume reads millions of fields
        self._write = layout.pack_into
        self._offset = offset
        self.size = layout.size  # bytes

    def __get__(self, owner: HasBytes, kind: type) -> int:
        value: int = self._read(owner.raw, self._offset)[0]
        return value

    def __set__(self, owner: HasBytes, value: int) -> None:
        self._write(owner.raw, self._offset, value)


def align8(size: int) -> int:
    """The size rounded up to a multiple of 8, the alignment of most structures of NTFS."""
    return (size + 7) & ~7
