"""VHDX files by recipe: parts with right checksums, and logs, which no tool at hand leaves behind. By the letter of
[MS-VHDX], and without the code that is tested.
"""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from google_crc32c import value as crc32c

from support.machine import run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MIB = 1 << 20
SECTOR = 4096
HEADERS = (64 << 10, 128 << 10)
REGION_TABLES = (192 << 10, 256 << 10)
BAT = uuid.UUID("2DC27766-F623-4200-9D64-115E9BFD4A08").bytes_le
METADATA = uuid.UUID("8B7CA206-4790-4B9A-B8FE-575F050F886E").bytes_le
FILE_PARAMETERS = uuid.UUID("CAA16737-FA36-4D43-B3B6-33F0AA44E76B").bytes_le


def edit(raw: bytearray, at: int, size: int, changes: dict[int, bytes]) -> None:
    """Changes a structure (a header, a region table) with its checksum at byte 4, and makes that right again."""
    part = raw[at : at + size]
    for place, data in changes.items():
        part[place : place + len(data)] = data
    part[4:8] = bytes(4)
    part[4:8] = crc32c(bytes(part)).to_bytes(4, "little")
    raw[at : at + size] = part


def edit_file(image: Path, at: int, changes: dict[int, bytes], size: int = SECTOR) -> None:
    raw = bytearray(image.read_bytes())
    edit(raw, at, size, changes)
    image.write_bytes(raw)


def sequence_of(raw: bytes | bytearray, at: int) -> int:
    return int(struct.unpack_from("<Q", raw, at + 8)[0])


def newest(image: Path) -> int:
    """Where the current header is."""
    raw = image.read_bytes()
    return max(HEADERS, key=lambda at: sequence_of(raw, at))


def region(raw: bytes | bytearray, kind: bytes) -> tuple[int, int]:
    """(offset, length) of a region."""
    for number in range(2):
        found, offset, length, _ = struct.unpack_from("<16sQII", raw, REGION_TABLES[0] + 16 + 32 * number)
        if found == kind:
            return offset, length
    raise AssertionError("no such region")


def metadata_item(raw: bytes | bytearray, kind: bytes) -> tuple[int, int]:
    """(place in the file, place of its entry in the table) of an item of the metadata."""
    start, _ = region(raw, METADATA)
    (count,) = struct.unpack_from("<H", raw, start + 10)
    for number in range(count):
        at = start + 32 + 32 * number
        if raw[at : at + 16] == kind:
            return start + int(struct.unpack_from("<I", raw, at + 16)[0]), at
    raise AssertionError("no such item")


@dataclass(frozen=True)
class Data:
    """A descriptor of a log entry: 4096 bytes for a place in the file."""

    at: int
    content: bytes


@dataclass(frozen=True)
class Zeros:
    """A descriptor of a log entry: zeros for a place in the file."""

    at: int
    length: int


def log_entry(
    guid: bytes, sequence: int, tail: int, writes: Sequence[Data | Zeros], flushed: int, last: int, padding: int = 0
) -> bytes:
    """An entry ([MS-VHDX] 2.3.1). `padding`: further sectors at its end, as on disks with large sectors."""
    descriptors, sectors = b"", b""
    for each in writes:
        if isinstance(each, Zeros):
            descriptors += b"zero" + bytes(4) + struct.pack("<QQQ", each.length, each.at, sequence)
        else:
            descriptors += b"desc" + each.content[-4:] + each.content[:8] + struct.pack("<QQ", each.at, sequence)
            high, low = struct.pack("<I", sequence >> 32), struct.pack("<I", sequence & 0xFFFFFFFF)
            sectors += b"data" + high + each.content[8:-4] + low
    room = -(-(64 + len(descriptors)) // SECTOR) * SECTOR
    length = room + len(sectors) + padding * SECTOR
    head = struct.pack("<4sIIIQII", b"loge", 0, length, tail, sequence, len(writes), 0)
    head += guid + struct.pack("<QQ", flushed, last)
    entry = bytearray((head + descriptors).ljust(room, b"\0") + sectors + bytes(padding * SECTOR))
    entry[4:8] = crc32c(bytes(entry)).to_bytes(4, "little")
    return bytes(entry)


def put_log(raw: bytearray, guid: bytes, ring: dict[int, bytes]) -> None:
    """Writes entries into a file's log, place in the log -> entry (wrapping at its end), and names it in the header."""
    newest_at = max(HEADERS, key=lambda at: sequence_of(raw, at))
    length, start = struct.unpack_from("<IQ", raw, newest_at + 68)
    for place, entry in ring.items():
        for at in range(0, len(entry), SECTOR):
            there = start + (place + at) % length
            raw[there : there + SECTOR] = entry[at : at + SECTOR]
    edit(raw, newest_at, SECTOR, {48: guid})


def make_vhdx(path: Path, size: str | int, *options: str) -> Path:
    """A VHDX that QEMU made."""
    settings = [word for option in options for word in ("-o", option)]
    run("qemu-img", "create", "-q", "-f", "vhdx", *settings, path, str(size))
    return path


def qemu_replays(path: Path) -> str:
    """QEMU opens the file to write, so that it replays the log. Returns what it printed."""
    return run("qemu-img", "check", "-q", "-r", "all", "-f", "vhdx", path)


def filled(path: Path, places: Sequence[int], byte: int) -> bool:
    """Whether QEMU reads sectors of this byte at all these places of the disk; none of them may be mixed."""
    words = [word for place in places for word in ("-c", f"read -q -P {byte} {place} 512")]
    said = run("qemu-io", "-r", "-f", "vhdx", *words, path, ok=(0, 1))
    return "failed" not in said
