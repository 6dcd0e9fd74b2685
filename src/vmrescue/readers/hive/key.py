"""Keys and values, read by dissect.regf."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, Self

from vmrescue.errors import FormatError
from vmrescue.readers.guard import reading
from vmrescue.readers.hive.pages import Pages
from vmrescue.upcase import upper

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

SYM_LINK = 0x10  # flag of a key
FEW = 32  # lookups in a key; after so many its whole list is read once


class HiveValue(NamedTuple):
    """A value: its type's number (REG_SZ = 1 …) and its bytes."""

    type: int
    raw: bytes


class HiveKey:
    """A key. `hive` is the hive's name for errors. Names are compared as in Windows, without regard to case."""

    def __init__(self, key: Any, hive: str) -> None:
        from vmrescue.readers.hive.bounds import check_key

        check_key(key)
        self._key = key
        self._hive = hive
        self._asked = 0

    def _reading(self) -> AbstractContextManager[None]:
        """The guard for everything that dissect.regf does with this hive."""
        return reading(self._hive, None)

    @property
    def name(self) -> str:
        return str(self._key.name)

    @classmethod
    def root_of(cls, stream: BinaryIO, hive: str) -> Self:
        """The root key of the hive in a stream."""
        from vmrescue.readers.hive.bounds import BoundedHive

        return cls(BoundedHive(stream).root(), hive)

    @property
    def pages(self) -> Pages:
        """The hive's bytes."""
        return Pages(self._key.hive.fh, self._key.hive.size)

    @property
    def subkey_list(self) -> tuple[int, int]:
        """(cell of the list of subkeys, number of subkeys)."""
        return int(self._key.cell.SubKeyLists[0]), int(self._key.cell.SubKeyCounts[0])

    @property
    def hive(self) -> str:
        """The hive's name in errors."""
        return self._hive

    @property
    def is_link(self) -> bool:
        return bool(int(self._key.cell.Flags) & SYM_LINK)

    @property
    def place(self) -> tuple[int, str]:
        """Identifies the key in its hive, on whatever path it was found: (cell of its parent, upper-cased name)."""
        return int(self._key.cell.Parent), upper(self.name)

    def subkeys(self) -> list[Self]:
        """The subkeys; of several with one name, in a damaged list, only the first, as in Windows."""
        from vmrescue.readers.hive.bounds import check_list

        with self._reading():
            check_list(self._key)
            found: dict[str, Any] = {}
            for key in self._key.subkeys():
                found.setdefault(upper(str(key.name)), key)
            return [type(self)(key, self._hive) for key in found.values()]

    def subkey(self, name: str) -> Self | None:
        from dissect.regf.exceptions import RegistryKeyNotFoundError

        from vmrescue.readers.hive.bounds import check_list

        self._asked += 1
        if self._asked <= FEW:
            with self._reading():
                check_list(self._key)
                try:
                    found = type(self)(self._key.subkey(name), self._hive)
                except (RegistryKeyNotFoundError, UnicodeDecodeError):
                    # dissect compares case in `li` lists, and fails on `lf` hints that are not ASCII
                    found = None
                if found and upper(found.name) == upper(name):  # dissect's lower case is not Windows' upper case
                    return found
        return self._subkeys.get(upper(name))

    def value(self, name: str) -> HiveValue | None:
        """The value `name`, "" for the default value; None if missing. dissect's own lookup may give another value."""
        with self._reading():
            found = self._values.get(upper(name))
            return None if found is None else HiveValue(int(found.type), _data(found))

    def stored_values(self) -> dict[str, HiveValue]:
        """All values by name; the unnamed one as ``""``."""
        with self._reading():
            if sum(value.size for value in self._values.values()) > self._key.hive.size:
                raise FormatError(f"key {self.name}", None, "values that fit in their hive together", "larger ones")
            return {value.name: HiveValue(int(value.type), _data(value)) for value in self._values.values()}

    @cached_property
    def _subkeys(self) -> dict[str, Self]:
        """Upper-cased name -> subkey. dissect would search its list at each lookup."""
        return {upper(key.name): key for key in self.subkeys()}

    @cached_property
    def _values(self) -> dict[str, Any]:
        """Upper-cased name -> dissect's value, the first of two alike. dissect would search a list at each lookup."""
        found: dict[str, Any] = {}
        for value in self._key.values():
            found.setdefault(upper(value.name), value)
        return found


def _data(value: Any) -> bytes:
    """A value's bytes. dissect would read a cell even for a size of 0, where there is none."""
    return bytes(value.data) if value.size else b""
