"""The types of values, and the Python object for the data of each.

Source: Microsoft, "Registry value types" (winnt.h). Windows accepts any 32-bit number as a type, and drivers'
properties use such numbers; they stay numbers here.
"""

from __future__ import annotations

from enum import IntEnum

from vmrescue.errors import UsageError
from vmrescue.registry.names import utf16

Data = int | str | list[str] | bytes


class ValueType(IntEnum):
    """The types that have a name in Windows, without the prefix `REG_`."""

    NONE = 0
    SZ = 1
    EXPAND_SZ = 2
    BINARY = 3
    DWORD = 4
    DWORD_BIG_ENDIAN = 5
    LINK = 6
    MULTI_SZ = 7
    RESOURCE_LIST = 8
    FULL_RESOURCE_DESCRIPTOR = 9
    RESOURCE_REQUIREMENTS_LIST = 10
    QWORD = 11


_NAMED: dict[int, ValueType] = {int(kind): kind for kind in ValueType}
_STRINGS = frozenset((ValueType.SZ, ValueType.EXPAND_SZ, ValueType.LINK))


def value_type(number: int) -> ValueType | int:
    """The type with that number; the number itself if no type has it."""
    return _NAMED.get(number, number)


def decode(kind: int, raw: bytes) -> Data:
    """A value's bytes as Windows programs read them: strings end at the first NUL, lists at the first empty string.

    Numbers of the wrong length, and types without a matching Python type, stay bytes.
    """
    if kind in _STRINGS:
        return _decode_text(raw).split("\0", 1)[0]
    if kind == ValueType.MULTI_SZ:
        lines = _decode_text(raw).split("\0")
        return lines[: lines.index("")] if "" in lines else lines
    if (kind, len(raw)) in ((ValueType.DWORD, 4), (ValueType.QWORD, 8)):
        return int.from_bytes(raw, "little")
    if kind == ValueType.DWORD_BIG_ENDIAN and len(raw) == 4:
        return int.from_bytes(raw, "big")
    return raw


def says_all(kind: int, raw: bytes) -> bool:
    """Whether `decode` loses nothing: `encode` of its result gives the same bytes."""
    data = decode(kind, raw)
    return not isinstance(data, bytes) and encode(kind, data) == raw


def all_strings(raw: bytes) -> list[str]:
    """All strings of a list, also those after an empty string, where Windows programs take the list to end.

    NULs at the end are not strings, however many there are.
    """
    text = _decode_text(raw).rstrip("\0")
    return text.split("\0") if text else []


def encode(kind: int, data: Data) -> bytes:
    """The bytes that Windows stores for `data`. Bytes are taken as they are, for any type.

    Raises UsageError if a value of that type cannot hold the object.
    """
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    if isinstance(data, str) and kind in _STRINGS and "\0" not in data:
        return utf16(data if kind == ValueType.LINK else data + "\0")
    if isinstance(data, list) and kind == ValueType.MULTI_SZ and all(line and "\0" not in line for line in data):
        return utf16("".join(line + "\0" for line in data) + "\0")
    if isinstance(data, int) and kind in (ValueType.DWORD, ValueType.DWORD_BIG_ENDIAN, ValueType.QWORD):
        size = 8 if kind == ValueType.QWORD else 4
        if 0 <= data < 1 << 8 * size:
            return data.to_bytes(size, "big" if kind == ValueType.DWORD_BIG_ENDIAN else "little")
    raise UsageError(f"a {type_name(kind)} cannot hold {data!r:.80}")


def type_name(kind: int) -> str:
    """The type's name, such as `REG_DWORD` for 4; `0x…` for a number without a name."""
    named = _NAMED.get(kind)
    return f"REG_{named.name}" if named is not None else f"0x{kind:x}"


def _decode_text(raw: bytes) -> str:
    return raw[: len(raw) & ~1].decode("utf-16-le", "surrogatepass")
