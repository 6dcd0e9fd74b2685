"""Changes of what is in a hive."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from vmrescue.arguments import typed
from vmrescue.dataclass import dataclass
from vmrescue.plan.change import Change, Needs
from vmrescue.registry import operations

if TYPE_CHECKING:
    from vmrescue.plan.registry_data import RegistryData
    from vmrescue.registry.operations import Operation

SHOWN_VALUES = 8  # of a key that has many, for people


def values_text(values: dict[str, RegistryData]) -> str:
    """A key's values for a person; of many, the first."""
    shown = [f"{name or '(default)'} = {data}" for name, data in islice(values.items(), SHOWN_VALUES)]
    more = [f"… ({len(values)} values)"] if len(values) > SHOWN_VALUES else []
    return "; ".join([*shown, *more]) or "(no values)"


@dataclass(frozen=True)
class HiveChange(Change):
    """A change of what is in a hive; all those of one hive are made in one go."""

    needs = Needs.CONTENT

    @property
    def operation(self) -> Operation | None:
        """What it does to the hive; None where that is only the replay of its logs, which any edit begins with."""
        return None


@typed
@dataclass(frozen=True)
class SetValue(HiveChange):
    """Set a value in a hive, creating its key where it is missing. `before` is None where there was no such value."""

    kind = "set-value"
    key: str
    name: str
    before: RegistryData | None
    after: RegistryData

    @property
    def operation(self) -> Operation:
        return operations.SetValue(self.key, self.name, self.after.type, self.after.raw)

    @property
    def title(self) -> str:
        return f"set {self.key}\\{self.name}"


@typed
@dataclass(frozen=True)
class DeleteValue(HiveChange):
    """Delete a value from a hive."""

    kind = "delete-value"
    key: str
    name: str
    before: RegistryData

    @property
    def operation(self) -> Operation:
        return operations.DeleteValue(self.key, self.name)

    @property
    def title(self) -> str:
        return f"delete the value {self.key}\\{self.name}"


@typed
@dataclass(frozen=True)
class CreateKey(HiveChange):
    """Create a key, and those above it that are missing."""

    kind = "create-key"
    key: str

    @property
    def operation(self) -> Operation:
        return operations.CreateKey(self.key)

    @property
    def title(self) -> str:
        return f"create the key {self.key}"

    @property
    def after_text(self) -> str:
        return "(an empty key)"


@typed
@dataclass(frozen=True)
class DeleteKey(HiveChange):
    """Delete a key with all that is below it. `before` holds the values of the key itself, by name."""

    kind = "delete-key"
    key: str
    before: dict[str, RegistryData]

    @property
    def operation(self) -> Operation:
        return operations.DeleteKey(self.key)

    @property
    def title(self) -> str:
        return f"delete the key {self.key}"

    @property
    def before_text(self) -> str:
        return values_text(self.before)


@typed
@dataclass(frozen=True)
class ReplayLog(HiveChange):
    """Replay a dirty hive's transaction logs into it, as Windows would at its next load."""

    kind = "replay-log"
    reason: str

    @property
    def title(self) -> str:
        return "replay the hive's transaction logs"

    @property
    def before_text(self) -> str:
        return f"dirty: {self.reason}"

    @property
    def after_text(self) -> str:
        return "clean"
