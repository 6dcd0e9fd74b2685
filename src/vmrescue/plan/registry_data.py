"""A registry value's type and bytes as plain data: readable where that loses nothing, hexadecimal where it would.

One spelling only is stored, so a plan that a person has edited cannot say one thing and do another.
Types and their numbers: Microsoft's "Registry value types" (winnt.h).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vmrescue.errors import UsageError

TYPE_NAMES = {
    0: "REG_NONE",
    1: "REG_SZ",
    2: "REG_EXPAND_SZ",
    3: "REG_BINARY",
    4: "REG_DWORD",
    5: "REG_DWORD_BIG_ENDIAN",
    6: "REG_LINK",
    7: "REG_MULTI_SZ",
    8: "REG_RESOURCE_LIST",
    9: "REG_FULL_RESOURCE_DESCRIPTOR",
    10: "REG_RESOURCE_REQUIREMENTS_LIST",
    11: "REG_QWORD",
}
TYPE_NUMBERS = {name: number for number, name in TYPE_NAMES.items()}
REG_SZ, REG_EXPAND_SZ, REG_BINARY, REG_DWORD, REG_MULTI_SZ, REG_QWORD = 1, 2, 3, 4, 7, 11

Data = int | str | list[str] | None


def type_name(number: int) -> str:
    """``REG_DWORD`` for 4; a number that Windows does not define as ``0x…``."""
    return TYPE_NAMES.get(number, f"0x{number:x}")


@dataclass(frozen=True)
class RegistryData:
    """What a registry value holds: its type's number and its bytes as the hive stores them."""

    type: int
    raw: bytes

    @classmethod
    def dword(cls, number: int) -> RegistryData:
        return cls(REG_DWORD, number.to_bytes(4, "little"))

    @classmethod
    def sz(cls, text: str) -> RegistryData:
        return cls(REG_SZ, _encode_string(text))

    @classmethod
    def expand_sz(cls, text: str) -> RegistryData:
        return cls(REG_EXPAND_SZ, _encode_string(text))

    @classmethod
    def multi_sz(cls, lines: list[str]) -> RegistryData:
        return cls(REG_MULTI_SZ, b"".join(map(_encode_string, lines)) + b"\0\0")

    @classmethod
    def binary(cls, raw: bytes) -> RegistryData:
        return cls(REG_BINARY, raw)

    @property
    def data(self) -> Data:
        """The bytes as a number, a string or a list of strings, where that says all of them; otherwise None."""
        decoded = _decode(self.type, self.raw)
        return decoded if decoded is not None and _encode(self.type, decoded) == self.raw else None

    @property
    def lenient(self) -> Data:
        """The number or strings that Windows would make of the bytes, also where they are odd (no terminator)."""
        return _decode(self.type, self.raw)

    def to_dict(self) -> dict[str, Any]:
        data = self.data
        rest: dict[str, Any] = {"hex": self.raw.hex()} if data is None else {"data": data}
        return {"type": type_name(self.type), **rest}

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> RegistryData:
        name = document["type"]
        number = TYPE_NUMBERS[name] if name in TYPE_NUMBERS else int(name, 16)
        if "hex" in document:
            return cls(number, bytes.fromhex(document["hex"]))
        raw = _encode(number, document["data"])
        if raw is None:
            raise UsageError(f"a {name} cannot hold {document['data']!r}")
        return cls(number, raw)

    def __str__(self) -> str:
        data = self.data
        if data is None:
            shown = self.raw[:32].hex(" ") + (f" … ({len(self.raw)} bytes)" if len(self.raw) > 32 else "")
        elif isinstance(data, list):
            shown = " | ".join(data) or "(empty)"
        else:
            shown = str(data)
        return f"{type_name(self.type)} {shown}"


def _encode_string(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass") + b"\0\0"


def _decode(number: int, raw: bytes) -> Data:
    if number in (REG_SZ, REG_EXPAND_SZ):
        return _decode_utf16(raw).split("\0")[0]
    if number == REG_MULTI_SZ:
        lines = _decode_utf16(raw).split("\0")
        return lines[: lines.index("")] if "" in lines else lines
    if (number, len(raw)) in ((REG_DWORD, 4), (REG_QWORD, 8)):
        return int.from_bytes(raw, "little")
    return None


def _decode_utf16(raw: bytes) -> str:
    return raw[: len(raw) & ~1].decode("utf-16-le", "surrogatepass")


def _encode(number: int, data: object) -> bytes | None:
    if number in (REG_SZ, REG_EXPAND_SZ) and isinstance(data, str) and "\0" not in data:
        return _encode_string(data)
    if number == REG_MULTI_SZ and isinstance(data, list) and all(isinstance(line, str) and line for line in data):
        return RegistryData.multi_sz(data).raw
    for kind, length in ((REG_DWORD, 4), (REG_QWORD, 8)):
        if number == kind and isinstance(data, int) and 0 <= data < 1 << 8 * length:
            return data.to_bytes(length, "little")
    return None
