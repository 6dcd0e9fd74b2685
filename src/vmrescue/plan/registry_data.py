"""A registry value's type and bytes as plain data: readable where that loses nothing, hexadecimal where it would.

One spelling only is stored, so a plan that a person has edited cannot say one thing and do another.
"""

from __future__ import annotations

from typing import Any

from vmrescue.arguments import typed
from vmrescue.dataclass import dataclass
from vmrescue.plan import schema
from vmrescue.registry.value_type import Data, ValueType, decode, encode, says_all, type_name

TYPE_NUMBERS = {type_name(kind): int(kind) for kind in ValueType}
SHOWN_BYTES = 32  # of a value that is only bytes, for people
SHOWN_TEXT = 2000  # characters of one that is text: an image may make it any length, and JSON has all of it


@typed
@dataclass(frozen=True)
class RegistryData:
    """What a registry value holds: its type's number and its bytes as the hive stores them."""

    type: int
    raw: bytes

    @classmethod
    def dword(cls, number: int) -> RegistryData:
        return cls.of(ValueType.DWORD, number)

    @classmethod
    def sz(cls, text: str) -> RegistryData:
        return cls.of(ValueType.SZ, text)

    @classmethod
    def expand_sz(cls, text: str) -> RegistryData:
        return cls.of(ValueType.EXPAND_SZ, text)

    @classmethod
    def multi_sz(cls, lines: list[str]) -> RegistryData:
        return cls.of(ValueType.MULTI_SZ, lines)

    @classmethod
    def binary(cls, raw: bytes) -> RegistryData:
        return cls.of(ValueType.BINARY, raw)

    @classmethod
    def of(cls, kind: int, data: Data) -> RegistryData:
        """The bytes that Windows stores for `data`. Raises UsageError where a value of that type cannot hold it."""
        return cls(int(kind), encode(kind, data))

    @property
    def data(self) -> Data:
        """What Windows programs make of the bytes: a number, a string, strings; where there is no such, the bytes."""
        return decode(self.type, self.raw)

    @property
    def faithful(self) -> bool:
        """Whether `data` says all that the bytes do."""
        return says_all(self.type, self.raw)

    def to_dict(self) -> dict[str, Any]:
        rest: dict[str, Any] = {"data": self.data} if self.faithful else {"hex": self.raw.hex()}
        return {"type": type_name(self.type), **rest}

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> RegistryData:
        """Raises UsageError, TypeError or ValueError where the document is not of that shape."""
        form = "hex" if "hex" in schema.fields(document, "type") else "data"
        schema.only(document, {"type", form})
        name = schema.text(document["type"])
        if name not in TYPE_NUMBERS and not schema.TYPE.fullmatch(name):
            raise ValueError(f"a registry type was expected, not {name!r:.40}")
        number = TYPE_NUMBERS[name] if name in TYPE_NUMBERS else int(name, 16)
        return cls(number, bytes.fromhex(document["hex"])) if form == "hex" else cls.of(number, document["data"])

    def __str__(self) -> str:
        if not self.faithful:
            more = f" … ({len(self.raw)} bytes)" if len(self.raw) > SHOWN_BYTES else ""
            return f"{type_name(self.type)} {self.raw[:SHOWN_BYTES].hex(' ')}{more}"
        data = self.data
        shown = (" | ".join(data) or "(empty)") if isinstance(data, list) else str(data)
        more = f" … ({len(shown)} characters)" if len(shown) > SHOWN_TEXT else ""
        return f"{type_name(self.type)} {shown[:SHOWN_TEXT]}{more}"
