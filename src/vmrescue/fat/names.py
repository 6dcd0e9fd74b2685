"""File names on FAT: the 8.3 name that every entry has, and the long name that may stand before it.

Source: Microsoft, fatgen103, "FAT Long Directory Entries" and "Name Limits and Character Sets". Letters beyond ASCII
in 8.3 names depend on the guest's code page: they are read as code page 437 and never written.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING
from zlib import crc32

from vmrescue.errors import RefusedError, UsageError
from vmrescue.file_names import why_no_name

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

LOWER_BASE, LOWER_EXTENSION = 0x08, 0x10  # bits of an entry's case byte: Windows shows that part in lower case
LONG_NAME_ATTRIBUTES = 0x0F
LAST_LONG = 0x40  # in the number of the slot that holds the name's end; it comes first on the disk
UNITS_PER_SLOT = 13  # UTF-16 units
MAX_UNITS = 255

# Number; units 0-4; attributes; type 0; checksum of the 8.3 name; units 5-10; cluster 0; units 11-12.
LONG_SLOT = struct.Struct("<B10sBBB12sH4s")

SHORT_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789$%'-_@~`!(){}^#&")
# Letters that Python's upper() changes but Windows does not.
NOT_UPPERCASED = frozenset("\u00b5\u0131\u017f")


def check_name(name: str) -> None:
    """Raises UsageError unless Windows would accept `name` for a file."""
    units = len(name.encode("utf-16-le", "surrogatepass")) // 2
    if not 0 < units <= MAX_UNITS:
        raise UsageError(f"a file name has 1 to {MAX_UNITS} characters, not {units}")
    if why := why_no_name(name):
        raise UsageError(f"{name!r} cannot be a file's name in Windows: {why}")


def fold(name: str) -> str:
    """The name as lookups compare it: upper case, letter by letter."""
    return name.upper() if name.isascii() else "".join(_upper(letter) for letter in name)


def _upper(letter: str) -> str:
    upper = letter.upper()
    return upper if len(upper) == 1 and letter not in NOT_UPPERCASED else letter


def checksum(short: bytes) -> int:
    """The checksum of the 11 bytes of an 8.3 name; each slot of its long name holds it."""
    total = 0
    for byte in short:
        total = ((total >> 1 | total << 7) + byte) & 0xFF
    return total


def decode_short(short: bytes, case: int = 0) -> str:
    """The 11 bytes of an 8.3 name as Windows shows them; `case` is the entry's case byte."""
    if short[0] == 0x05:  # stands for E5, which would mean a deleted entry
        short = b"\xe5" + short[1:]
    base, extension = short[:8].decode("cp437").rstrip(" "), short[8:].decode("cp437").rstrip(" ")
    base = base.lower() if case & LOWER_BASE else base
    extension = extension.lower() if case & LOWER_EXTENSION else extension
    return f"{base}.{extension}" if extension else base


def exact_short(name: str) -> tuple[bytes, int] | None:
    """The 8.3 name and case byte that hold `name` without loss; None if it needs a long name."""
    base, dot, extension = name.partition(".")
    if not (0 < len(base) <= 8 and len(extension) <= 3 and bool(dot) == bool(extension)):
        return None
    if not SHORT_CHARACTERS.issuperset((base + extension).upper()) or not name.isascii():
        return None
    if any(part not in (part.upper(), part.lower()) for part in (base, extension)):
        return None
    case = LOWER_BASE * (base != base.upper()) | LOWER_EXTENSION * (extension != extension.upper())
    return _pack_short(base.upper(), extension.upper()), case


def make_short(name: str, taken: AbstractSet[str]) -> bytes:
    """An 8.3 name to stand beside the long `name`; `taken` are the directory's names, folded.

    As Windows does: spaces, and all dots but the last, are dropped; other characters that 8.3 lacks become ``_``. Then
    ``~1`` to ``~4`` are tried until the name is unique, then a hash of the name. Raises RefusedError if all are taken.
    """
    exact = exact_short(name.upper()) if name.isascii() else None
    if exact and decode_short(exact[0]) not in taken:
        return exact[0]  # only the case was lost
    stripped = fold(name.replace(" ", "")).lstrip(".")
    base, _, extension = stripped.rpartition(".") if "." in stripped else (stripped, "", "")
    base, extension = _replace(base.replace(".", "")), _replace(extension)[:3]
    hashed = f"{base[:2]}{crc32(name.encode('utf-16-le', 'surrogatepass')) & 0xFFFF:04X}"
    for stem, numbers in ((base[:6], range(1, 5)), (hashed, range(1, 10)), (base[:1], range(1, 1_000_000))):
        for number in numbers:
            tail = f"~{number}"
            short = _pack_short(stem[: 8 - len(tail)] + tail, extension)
            if decode_short(short) not in taken:
                return short
    raise RefusedError(f"no 8.3 name is left in the directory for {name!r}")


def _replace(part: str) -> str:
    return "".join(letter if letter in SHORT_CHARACTERS else "_" for letter in part)


def _pack_short(base: str, extension: str) -> bytes:
    return base.encode("ascii").ljust(8) + extension.encode("ascii").ljust(3)


def encode_long(name: str, short: bytes) -> bytes:
    """The slots of a long name, in the order of the disk: its end first."""
    raw = name.encode("utf-16-le", "surrogatepass")
    count = -(-len(raw) // (UNITS_PER_SLOT * 2))
    if len(raw) < count * UNITS_PER_SLOT * 2:
        raw = (raw + b"\0\0").ljust(count * UNITS_PER_SLOT * 2, b"\xff")
    slots = []
    for number in range(count, 0, -1):
        units = raw[(number - 1) * UNITS_PER_SLOT * 2 : number * UNITS_PER_SLOT * 2]
        mark = LAST_LONG if number == count else 0
        slots.append(
            LONG_SLOT.pack(
                number | mark, units[:10], LONG_NAME_ATTRIBUTES, 0, checksum(short), units[10:22], 0, units[22:]
            )
        )
    return b"".join(slots)


def decode_long(slots: list[bytes], short: bytes) -> str | None:
    """The long name in `slots` (in the order of the disk); None unless they are whole and belong to `short`."""
    expected_sum = checksum(short)
    units = b""
    for place, slot in enumerate(slots):
        number, first, _, _, found_sum, second, _, third = LONG_SLOT.unpack(slot)
        expected = len(slots) - place | (LAST_LONG if place == 0 else 0)
        if number != expected or found_sum != expected_sum:
            return None
        units = first + second + third + units
    name = units.decode("utf-16-le", "surrogatepass").partition("\0")[0]
    return name or None
