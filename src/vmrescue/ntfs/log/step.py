"""$LogFile: one step of a replay with its data, and functions on bytes that all operations use.

Offsets are checked before anything is moved. When the used part of a structure shrinks, the bytes after it are zeroed.
"""

from __future__ import annotations

import struct

from vmrescue.dataclass import dataclass
from vmrescue.errors import in_volume
from vmrescue.ntfs.structures.run_list import HOLE


@dataclass(frozen=True)
class LogStep:
    """An operation with its data and where it applies; all offsets in bytes."""

    operation: int
    data: bytes
    record_offset: int
    attribute_offset: int
    same_length: bool  # redo and undo data have the same length
    structure: str  # the name of the structure, for errors
    position: int  # of the structure, in bytes from the volume's start; HOLE where its clusters were freed

    def expect(self, sound: bool, offset: int, expected: str, found: object) -> None:
        """Raises FormatError for the byte `offset` of the structure, unless `sound`."""
        if not sound:
            place = None if self.position == HOLE else self.position + offset
            raise in_volume(self.structure, place, expected, found)


def u16(raw: bytearray | bytes, offset: int) -> int:
    """The two-byte number at `offset`."""
    return int.from_bytes(raw[offset : offset + 2], "little")


def u32(raw: bytearray | bytes, offset: int) -> int:
    """The four-byte number at `offset`."""
    return int.from_bytes(raw[offset : offset + 4], "little")


def add_u32(step: LogStep, raw: bytearray, offset: int, change: int) -> None:
    """Adds `change` to the four-byte number at `offset`."""
    value = u32(raw, offset) + change
    step.expect(0 <= value < 1 << 32, offset, f"a number that can be changed by {change}", value - change)
    struct.pack_into("<I", raw, offset, value)


def overwrite(step: LogStep, raw: bytearray, offset: int, end: int, data: bytes | None = None) -> None:
    """Writes `data` (by default the step's) at `offset`; it must end at or before `end`."""
    data = step.data if data is None else data
    step.expect(offset + len(data) <= end, offset, f"room for {len(data)} bytes before byte {end}", end - offset)
    raw[offset : offset + len(data)] = data


def move(step: LogStep, raw: bytearray, start: int, change: int, end: int, limit: int) -> None:
    """Moves bytes [start, end) by `change`; the used part ends at `end` and may grow up to `limit`."""
    step.expect(start <= end and end + change <= limit, start, f"room for {change} bytes before {limit}", limit - end)
    raw[start + change : end + change] = raw[start:end]
    if change < 0:
        raw[end + change : end] = bytes(-change)
