"""Decodes an element's value from the hive's bytes, and encodes it.

Source: the stores themselves, and Microsoft's BCD WMI reference (BcdElementType) for what each format is. A registry
value of another type or length than Windows writes is still read if its meaning is plain (an integer of 4 bytes, a
REG_DWORD), because such stores exist. We write only what Windows writes.
"""

from __future__ import annotations

from uuid import UUID

from vmrescue.bcd.device import Device, decode
from vmrescue.bcd.elements import Format
from vmrescue.bcd.objects import braced
from vmrescue.errors import FormatError, UsageError
from vmrescue.registry.value_type import ValueType, encode
from vmrescue.units import counted

MAX_INTEGER = (1 << 64) - 1

Value = Device | str | UUID | tuple[UUID, ...] | int | bool | tuple[int, ...] | bytes


def decode_value(value_format: Format | None, raw: bytes) -> Value:
    """The value of an element of this format; for an unknown format, the bytes.

    Raises:
        FormatError: the bytes cannot be a value of this format.
    """
    match value_format:
        case Format.DEVICE:
            return decode(raw)
        case Format.STRING:
            return _strings(raw)[0]
        case Format.OBJECT:
            return _guid(_strings(raw)[0])
        case Format.OBJECT_LIST:
            return tuple(_guid(text) for text in _strings(raw) if text)
        case Format.INTEGER:
            return _integer(raw)
        case Format.BOOLEAN:
            return _integer(raw) != 0
        case Format.INTEGER_LIST:
            return _integers(raw)
    return raw


def encode_value(value_format: Format, value: Value) -> tuple[int, bytes]:
    """The registry type and bytes that Windows writes for a value. Raises UsageError for a value of another format."""
    match value_format, value:
        case Format.DEVICE, Device():
            return ValueType.BINARY, value.raw
        case Format.STRING, str() if "\0" not in value:
            return ValueType.SZ, encode(ValueType.SZ, value)
        case Format.OBJECT, UUID():
            return ValueType.SZ, encode(ValueType.SZ, braced(value))
        case Format.OBJECT_LIST, tuple() if all(isinstance(item, UUID) for item in value):
            return ValueType.MULTI_SZ, encode(ValueType.MULTI_SZ, [f"{{{item}}}" for item in value])
        case Format.BOOLEAN, bool():
            return ValueType.BINARY, bytes([value])
        case Format.INTEGER, int() if _fits(value):
            return ValueType.BINARY, value.to_bytes(8, "little")
        case Format.INTEGER_LIST, tuple() if all(_fits(item) for item in value):
            return ValueType.BINARY, b"".join(int(item).to_bytes(8, "little") for item in value)
    raise UsageError(f"{value!r} cannot be the value of a BCD element of format {value_format.name.lower()}")


def _fits(value: object) -> bool:
    """Whether it is an integer that fits into 8 bytes without sign."""
    return isinstance(value, int) and 0 <= value <= MAX_INTEGER


def _strings(raw: bytes) -> list[str]:
    """The zero-terminated UTF-16 strings; always at least one."""
    return raw[: len(raw) & ~1].decode("utf-16-le", "replace").removesuffix("\0").split("\0")


def _guid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise FormatError("BCD element", None, "a GUID in braces", text or "nothing") from None


def _integer(raw: bytes) -> int:
    if not 1 <= len(raw) <= 8:
        raise FormatError("BCD element", None, "an integer of 1 to 8 bytes", f"{counted(len(raw), 'byte')}")
    return int.from_bytes(raw, "little")


def _integers(raw: bytes) -> tuple[int, ...]:
    if len(raw) % 8:
        raise FormatError("BCD element", None, "a list of 8-byte integers", f"{counted(len(raw), 'byte')}")
    return tuple(int.from_bytes(raw[at : at + 8], "little") for at in range(0, len(raw), 8))
