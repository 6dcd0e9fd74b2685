"""What reg lists, as values: keys with their values, what two keys do not share, and what is wrong with a hive."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from vmrescue.dataclass import dataclass
from vmrescue.plan import RegistryData
from vmrescue.registry.value_type import type_name

if TYPE_CHECKING:
    from vmrescue.commands.reg.registry import StoredValue


@dataclass(frozen=True)
class ListedValue:
    """A value of a key; the default value's name is empty."""

    name: str
    data: RegistryData

    @classmethod
    def of(cls, value: StoredValue) -> ListedValue:
        return cls(value.name, RegistryData(value.type, value.raw))

    def to_dict(self) -> dict[str, Any]:
        """With the bytes themselves where what Windows programs make of them does not say all."""
        plain = self.data.data
        rest: dict[str, Any] = {} if isinstance(plain, bytes) else {"data": plain}
        if not self.data.faithful:
            rest["hex"] = self.data.raw.hex()
        return {"name": self.name, "type": type_name(self.data.type), **rest}


@dataclass(frozen=True)
class ListedKey:
    """A key, by its full name, and those of its values that are listed."""

    key: str
    values: tuple[ListedValue, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"key": self.key, "values": [value.to_dict() for value in self.values]}


@dataclass(frozen=True)
class Compared:
    """A value, or a key below, of two keys that were compared.

    Attributes:
        side: ``=``: both have it; ``<``: only the first has it so; ``>``: only the second.
        key: the full name of the key that has it.
        value: None where it is a key.
    """

    side: Literal["=", "<", ">"]
    key: str
    value: ListedValue | None

    def to_dict(self) -> dict[str, Any]:
        return {"side": self.side, "key": self.key, "value": self.value.to_dict() if self.value else None}


@dataclass(frozen=True)
class ListedProblem:
    """What is wrong with a hive.

    Attributes:
        position: the first byte of the cell or bin, counted from the start of the hive's file.
        structure: what it is; `problem` what is the matter with it.
        weight: ``damage``: the hive is not edited; ``flaw``: Windows' checker repairs it; ``note``: Windows has no
            objection.
    """

    position: int
    structure: str
    problem: str
    weight: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
