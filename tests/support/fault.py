"""A fault of `tests/faults/`: what stands in its folder, read strictly. How it is played: `support.fault_play`.

`fault.toml` is written by hand: how the disk is made, where the start must end, what a diagnosis must find, how a
repair must end. `source.md` says where that comes from. `expect.json` and `expect.txt` are recordings of a play: they
may say more than the recipe, and nothing else.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from support.fault_record import Record, Status
from support.fault_source import Source
from support.strict import read
from vmrescue.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.fault_record import Diagnosis

FAULTS = Path(__file__).parent.parent / "faults"
RECIPE, RECORD, TRANSCRIPT, SOURCE = "fault.toml", "expect.json", "expect.txt", "source.md"
LEFT = {"warning", "critical"}
REFUSED = 4


@dataclass(frozen=True, kw_only=True)
class Printed:
    """Of a command: its exit status, its options, words that it prints, words that it does not."""

    status: Status
    options: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    never_says: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Wanted(Printed):
    """Of a diagnosis.

    Attributes:
        findings: check and severity of all that is a warning or critical, sorted, each once.
        stop: stage and code where the start ends; "" where it does not.
        not_checked: the checks that could not run; not compared where it is left out.
    """

    findings: tuple[str, ...]
    stop: str
    not_checked: tuple[str, ...] | None = None

    def differences(self, found: Diagnosis) -> Iterator[str]:
        """What a diagnosis found otherwise, a line each."""
        seen = {f"{each.check} {each.severity}" for each in found.findings if each.severity in LEFT}
        pairs: dict[str, tuple[object, object]] = {
            "status": (self.status, found.status),
            "findings": (list(self.findings), sorted(seen)),
            "stop": (self.stop, str(found.stop or "")),
        }
        if self.not_checked is not None:
            pairs["not_checked"] = list(self.not_checked), list(found.not_checked)
        for name, (wanted, there) in pairs.items():
            if wanted != there:
                yield f"{name}: {there}; the recipe expects {wanted}"


@dataclass(frozen=True, kw_only=True)
class WantedRepair(Printed):
    """Of a repair; and of the diagnosis `after` it, which a refused one has not."""

    after: Wanted | None = None


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """`fault.toml`.

    Attributes:
        title: what is wrong, in a line.
        disk: the healthy disk that it begins with.
        image: what kind of file the disk is in.
        options: for every diagnosis and repair.
        make: the steps, in their order (`support.fault_disk`).
        repair: None where nothing is to be repaired.
    """

    title: str
    disk: Literal["gen1", "gen2"]
    expect: Wanted
    image: Literal["raw", "vhd", "vhdx", "qcow2"] = "raw"
    options: tuple[str, ...] = ()
    make: tuple[dict[str, Any], ...] = ()
    repair: WantedRepair | None = None

    @classmethod
    def from_toml(cls, data: bytes, file: str) -> Recipe:
        """Raises FormatError, which names the file and the field."""
        try:
            document = tomllib.loads(data.decode())
        except (ValueError, RecursionError) as error:
            raise FormatError(file, None, "TOML", f"{error}") from error
        return read(cls, document, file)


@dataclass(frozen=True)
class Fault:
    """One folder."""

    name: str

    def path(self, file: str) -> Path:
        return FAULTS / self.name / file

    def place(self, file: str) -> str:
        """One of its files as it is named in errors."""
        return f"tests/faults/{self.name}/{file}"

    @cached_property
    def recipe(self) -> Recipe:
        return Recipe.from_toml(self.path(RECIPE).read_bytes(), self.place(RECIPE))

    @cached_property
    def source(self) -> Source:
        return Source.from_bytes(self.path(SOURCE).read_bytes(), self.place(SOURCE))

    @cached_property
    def record(self) -> Record:
        return Record.from_json(self.path(RECORD).read_bytes(), self.place(RECORD))

    @cached_property
    def transcript(self) -> str:
        return self.path(TRANSCRIPT).read_text(encoding="utf-8")

    def contradictions(self, record: Record) -> list[str]:
        """Where a recording, the kept one or a fresh one, is not what the recipe expects by hand."""
        found = [f"diagnosis: {line}" for line in self.recipe.expect.differences(record.diagnosis)]
        wanted, made = self.recipe.repair, record.repair
        if (wanted is None) != (made is None):
            found.append("repair: one of recipe and recording has none")
        if wanted is None or made is None:
            return found
        if wanted.status != made.status:
            found.append(f"repair: status: {made.status}; the recipe expects {wanted.status}")
        if (wanted.after is None) != (made.after is None):
            found.append("repair: one of recipe and recording has no second diagnosis")
        if wanted.after is not None and made.after is not None:
            found += [f"diagnosis after the repair: {line}" for line in wanted.after.differences(made.after)]
        return found


def load(name: str) -> Fault:
    """One fault by its folder's name."""
    return Fault(name)


def names() -> list[str]:
    """All faults there are."""
    return sorted(path.parent.name for path in FAULTS.glob(f"*/{RECIPE}"))
