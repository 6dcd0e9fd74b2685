"""$LogFile: one step of the log with its data, and what all operations do with bytes.

Offsets are checked against what is there before anything moves; bytes behind the end of what is in use are set to zero
when it shrinks.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from vmrescue.errors import FormatError


@dataclass(frozen=True)
class Step:
    """An operation with its data and where it applies; all offsets in bytes."""

    operation: int
    data: bytes
    record_offset: int
    attribute_offset: int
    same_length: bool  # the data replace as many bytes as they are
    structure: str  # what is changed, for errors
    position: int  # its byte of the volume

    def expect(self, sound: bool, offset: int, expected: str, found: object) -> None:
        """Raises FormatError about a byte of the structure unless it is `sound`."""
        if not sound:
            raise FormatError(self.structure, self.position + offset, expected, found)


def u16(raw: bytearray | bytes, offset: int) -> int:
    """A number of two bytes."""
    return int.from_bytes(raw[offset : offset + 2], "little")


def u32(raw: bytearray | bytes, offset: int) -> int:
    """A number of four bytes."""
    return int.from_bytes(raw[offset : offset + 4], "little")


def add_u32(step: Step, raw: bytearray, offset: int, change: int) -> None:
    """Changes a number of four bytes."""
    value = u32(raw, offset) + change
    step.expect(0 <= value < 1 << 32, offset, f"a number that can be changed by {change}", value - change)
    struct.pack_into("<I", raw, offset, value)


def overwrite(step: Step, raw: bytearray, offset: int, end: int, data: bytes | None = None) -> None:
    """Puts data, the step's own unless others are given, over what is at `offset`, inside of `end`."""
    data = step.data if data is None else data
    step.expect(offset + len(data) <= end, offset, f"room for {len(data)} bytes before byte {end}", end - offset)
    raw[offset : offset + len(data)] = data


def move(step: Step, raw: bytearray, start: int, change: int, end: int, limit: int) -> None:
    """Moves bytes [start, end) by `change`; what is in use now ends at `end` and may reach `limit`."""
    step.expect(start <= end and end + change <= limit, start, f"room for {change} bytes before {limit}", limit - end)
    raw[start + change : end + change] = raw[start:end]
    if change < 0:
        raw[end + change : end] = bytes(-change)
