"""A key as dissect.regf reads it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from vmrescue.errors import FormatError
from vmrescue.readers.guard import reading
from vmrescue.readers.hive.bounds import check_key, check_list
from vmrescue.upcase import upper

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

SYM_LINK = 0x10  # flag of a key
FEW = 32  # lookups in a key; whoever asks for more has its whole list read, once


class Stored(NamedTuple):
    """A value: its type's number (REG_SZ = 1 …) and its bytes."""

    type: int
    raw: bytes


class HiveKey:
    """A key of the hive that errors call `hive`. Names are compared as Windows does, without case."""

    def __init__(self, key: Any, hive: str) -> None:
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

    @property
    def node(self) -> Any:
        """dissect's own."""
        return self._key

    @property
    def hive(self) -> str:
        """What errors call its hive."""
        return self._hive

    @property
    def is_link(self) -> bool:
        return bool(int(self._key.cell.Flags) & SYM_LINK)

    @property
    def place(self) -> tuple[int, str]:
        """What tells the keys of a hive apart, however they were come by: the cell of the key above, and the name."""
        return int(self._key.cell.Parent), upper(self.name)

    def subkeys(self) -> list[Self]:
        """Each name once, the first as Windows finds it: a damaged list may say one any number of times."""
        with self._reading():
            check_list(self._key)
            found: dict[str, Any] = {}
            for key in self._key.subkeys():
                found.setdefault(upper(str(key.name)), key)
            return [type(self)(key, self._hive) for key in found.values()]

    def subkey(self, name: str) -> Self | None:
        from dissect.regf.exceptions import RegistryKeyNotFoundError

        self._asked += 1
        if self._asked <= FEW:
            with self._reading():
                check_list(self._key)
                try:
                    found = type(self)(self._key.subkey(name), self._hive)
                except (RegistryKeyNotFoundError, UnicodeDecodeError):
                    # dissect compares names in `li` lists with case, and cannot read `lf` hints that are not ASCII
                    found = None
                if found and upper(found.name) == upper(name):  # dissect's lower case is not Windows' upper case
                    return found
        return self._subkeys.get(upper(name))

    def value(self, name: str) -> Stored | None:
        """A value, "" for the default one, which dissect calls by a name that another may have; None if missing."""
        with self._reading():
            found = self._values.get(upper(name))
            return None if found is None else Stored(int(found.type), _data(found))

    def stored_values(self) -> dict[str, Stored]:
        """All values by name; the unnamed one as ``""``."""
        with self._reading():
            if sum(value.size for value in self._values.values()) > self._key.hive.size:
                raise FormatError(f"key {self.name}", None, "values that fit in their hive together", "larger ones")
            return {value.name: Stored(int(value.type), _data(value)) for value in self._values.values()}

    @cached_property
    def _subkeys(self) -> dict[str, Self]:
        """By their upper-cased names: dissect looks through a list for each."""
        return {upper(key.name): key for key in self.subkeys()}

    @cached_property
    def _values(self) -> dict[str, Any]:
        """dissect's values by their upper-cased names, of two alike the first: it looks through a list for each."""
        found: dict[str, Any] = {}
        for value in self._key.values():
            found.setdefault(upper(value.name), value)
        return found


def _data(value: Any) -> bytes:
    """Its bytes; dissect looks for a cell even where a size of 0 says that there is none."""
    return bytes(value.data) if value.size else b""
