"""Named fields: where the numbers of a structure lie in a file, taken from the layouts with which vmrescue reads it."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from vmrescue.ntfs.structures.fields import Number

if TYPE_CHECKING:
    from collections.abc import Iterator

_CODE = re.compile(r"(\d*)([a-zA-Z?])")


@dataclass(frozen=True)
class Field:
    """A number of `size` bytes at `offset` of a file."""

    name: str
    offset: int
    size: int
    order: Literal["little", "big"] = "little"

    def read(self, data: bytes | bytearray) -> int:
        return int.from_bytes(data[self.offset : self.offset + self.size], self.order)

    def write(self, data: bytearray, value: int) -> None:
        """Puts in as much of `value` as fits, where the file still reaches so far."""
        if self.offset + self.size <= len(data):
            value &= (1 << 8 * self.size) - 1
            data[self.offset : self.offset + self.size] = value.to_bytes(self.size, self.order)


def of_construct(layout: Any, at: int, prefix: str) -> Iterator[Field]:
    """The numbers of a construct Struct, and of the Structs and Arrays in it."""
    for part in layout.subcons:
        inner, name = getattr(part, "subcon", part), f"{prefix}.{part.name or '-'}"
        size = part.sizeof()
        form = getattr(inner, "fmtstr", None)
        if form:
            yield Field(name, at, size, "big" if form[0] == ">" else "little")
        elif hasattr(inner, "subcons"):
            yield from of_construct(inner, at, name)
        elif hasattr(inner, "count") and hasattr(inner, "subcon"):  # an Array
            each = inner.subcon.sizeof()
            for number in range(inner.count):
                yield from of_construct(inner.subcon, at + number * each, f"{name}[{number}]")
        at += size


def of_struct(layout: struct.Struct, at: int, prefix: str, names: str = "") -> Iterator[Field]:
    """The numbers of a struct.Struct, called by `names` (separated by spaces) or else by their place."""
    given = iter(names.split())
    order: Literal["little", "big"] = "big" if layout.format[0] == ">" else "little"
    for count, code in _CODE.findall(layout.format[1:]):
        if code in "sx":
            at += int(count or 1)
            if code == "s":
                next(given, None)
            continue
        size = struct.calcsize(f"={code}")
        for _ in range(int(count or 1)):
            yield Field(f"{prefix}.{next(given, None) or at}", at, size, order)
            at += size


def of_numbers(kind: type, at: int, prefix: str) -> Iterator[Field]:
    """The numbers that a class of the NTFS room declares."""
    for name, number in vars(kind).items():
        if isinstance(number, Number):
            yield Field(f"{prefix}.{name}", at + number._offset, number.size)
