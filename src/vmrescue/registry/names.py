"""Names of keys and values: how they are stored, compared and hashed, and the hints of fast leaves.

Source: M. Suhanov, "Windows registry file format specification", sections on key nodes, fast leaves and hash leaves.
"""

from __future__ import annotations

from vmrescue.errors import UsageError
from vmrescue.upcase import upper

MAX_KEY_NAME = 255  # in 16-bit units: Microsoft, "Registry element size limits"
MAX_VALUE_NAME = 16383


def decode(raw: bytes | bytearray, compressed: bool) -> str:
    """Decodes a stored name: one byte for each character (Latin-1) if it is `compressed`, else UTF-16.

    Windows accepts lone surrogates in names, so they are kept. An odd last byte, in a damaged name, is dropped.
    """
    if compressed:
        return raw.decode("latin-1")
    return raw[: len(raw) & ~1].decode("utf-16-le", "surrogatepass")


def encode(name: str) -> tuple[bytes, bool]:
    """A name as Windows stores it, and whether it is compressed."""
    try:
        return name.encode("latin-1"), True
    except UnicodeEncodeError:
        return utf16(name), False


def utf16(text: str) -> bytes:
    """Text as UTF-16, little-endian, without a terminator."""
    return text.encode("utf-16-le", "surrogatepass")


def length(name: str) -> int:
    """The bytes of a name in UTF-16, however it is stored: the unit of the "largest name" fields."""
    return 2 * len(name) if name.isascii() else len(utf16(name))


def order(name: str) -> bytes:
    """The sort key of subkeys: the 16-bit units of the upper-cased name."""
    return upper(name).encode("utf-16-be", "surrogatepass")


def is_no_keys(name: str) -> bool:
    """Whether Windows' own checker rejects a key of that name (docs/hive-check.md)."""
    return not name or name.startswith("\0") or "\\" in name


def name_hash(name: str) -> int:
    """The hash of a hash leaf (`lh`)."""
    value = 0
    folded = upper(name)
    units = folded.encode("latin-1") if folded.isascii() else memoryview(utf16(folded)).cast("H")
    for unit in units:
        value = (value * 37 + unit) & 0xFFFFFFFF
    return value


def name_hint(name: str) -> int:
    """The hint of a fast leaf (`lf`): the first four characters as Latin-1; 0 if one of them is not Latin-1."""
    units = utf16(name)[:8]
    return int.from_bytes(units[::2], "little") if not any(units[1::2]) else 0


def check_key_name(name: str) -> None:
    """Raises UsageError unless Windows' kernel accepts a key of that name. Some programs may not be able to open it."""
    if not name or length(name) > 2 * MAX_KEY_NAME:
        raise UsageError(f"a key's name has 1 to {MAX_KEY_NAME} characters: {name!r:.80}")


def check_value_name(name: str) -> None:
    """Raises UsageError unless Windows accepts a value of that name."""
    if length(name) > 2 * MAX_VALUE_NAME:
        raise UsageError(f"a value's name has at most {MAX_VALUE_NAME} characters: {name!r:.80}")
