"""A value's type and data as they are typed after ``/t`` and ``/d``, and as ``reg query`` shows them.

Sources: Microsoft's "reg add" and "reg query"; where these are silent (no data given, an odd number of digits), what
Wine's tests of reg.exe record of Windows.
"""

from __future__ import annotations

import re

from vmrescue.commands.reg import messages
from vmrescue.registry import value_type
from vmrescue.registry.names import utf16
from vmrescue.registry.value_type import ValueType

SEPARATOR = "\\0"  # between the strings of a REG_MULTI_SZ: a backslash and the digit
_TYPES = {
    f"REG_{kind.name}": kind
    for kind in (
        ValueType.NONE,
        ValueType.SZ,
        ValueType.EXPAND_SZ,
        ValueType.MULTI_SZ,
        ValueType.BINARY,
        ValueType.DWORD,
        ValueType.DWORD_BIG_ENDIAN,
        ValueType.QWORD,
    )
} | {"REG_DWORD_LITTLE_ENDIAN": ValueType.DWORD}
_NUMBER = re.compile(r"0[xX](?P<hexadecimal>[0-9a-fA-F]+)|(?P<decimal>[0-9]+)")


def type_names() -> str:
    """The types that can be typed."""
    return ", ".join(_TYPES)


def parse_type(command: str, text: str) -> ValueType:
    """``REG_DWORD`` in any case of letters. Raises UsageError."""
    found = _TYPES.get(text.upper())
    if found is None:
        raise messages.invalid_syntax(command, f"There is no type {text!r}.")
    return found


def parse_data(kind: ValueType, text: str | None, separator: str = SEPARATOR) -> bytes:
    """The bytes that ``reg add`` stores. Raises UsageError where the text cannot be data of that type."""
    if kind == ValueType.MULTI_SZ:
        return _strings(text or "", separator)
    if kind == ValueType.BINARY:
        return _bytes(text or "")
    if kind == ValueType.NONE:
        return utf16((text or "") + "\0")
    if kind in (ValueType.SZ, ValueType.EXPAND_SZ):
        return value_type.encode(kind, text or "")
    return _number(kind, text)


def _strings(text: str, separator: str) -> bytes:
    """Empty strings would end the list early; only the separator at the very end makes none."""
    strings = text.removesuffix(separator).split(separator) if text else []
    if "" in strings:
        raise messages.invalid_syntax("add", "A string in a REG_MULTI_SZ cannot be empty.")
    return value_type.encode(ValueType.MULTI_SZ, strings)


def _bytes(text: str) -> bytes:
    if not re.fullmatch(r"[0-9a-fA-F]*", text):
        raise messages.invalid_syntax("add", "Specify hexadecimal digits for '/d'.")
    return bytes.fromhex(text.rjust(len(text) + len(text) % 2, "0"))


def _number(kind: ValueType, text: str | None) -> bytes:
    match = _NUMBER.fullmatch(text if text is not None else "0" if kind == ValueType.QWORD else "")
    number = int(match["hexadecimal"] or match["decimal"], 16 if match["hexadecimal"] else 10) if match else -1
    if not 0 <= number < 1 << (64 if kind == ValueType.QWORD else 32):
        raise messages.invalid_syntax("add", "Specify valid numeric value for '/d'.")
    return value_type.encode(kind, number)


def shown_type(kind: int, with_number: bool) -> str:
    return f"{value_type.type_name(kind)} ({kind})" if with_number else value_type.type_name(kind)


def shown_data(kind: int, raw: bytes, separator: str = SEPARATOR) -> str:
    """As ``reg query`` shows it: numbers and bytes in hexadecimal, strings unexpanded, lists in one line."""
    data = value_type.decode(kind, raw)
    if isinstance(data, int):
        return f"0x{data:x}"
    if isinstance(data, list):
        return separator.join(value_type.all_strings(raw))
    return data.hex().upper() if isinstance(data, bytes) else data
