"""What the runner of the faults reads: recordings (`expect.json`), recipes (`fault.toml`) and sources (`source.md`)."""

from __future__ import annotations

import functools
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fuzz.mutation import Seed
from fuzz.parser import Parser
from fuzz.rooms import plans, scripts
from support.fault import RECIPE, RECORD, SOURCE, Recipe, load
from support.fault_record import Record
from support.fault_source import Source
from vmrescue.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

# With a stop and what is left; refused; with many changes; healthy; with options and a text of several lines.
SAMPLES = (
    "system-hive-cut-short", "bitlocker-on-a-windows-that-sleeps", "page-file-on-the-os-disk", "healthy-gen2",
    "recovery-left-on",
)  # fmt: skip


@functools.cache
def records() -> list[Seed]:
    return _seeds(RECORD)


@functools.cache
def recipes() -> list[Seed]:
    return _seeds(RECIPE)


@functools.cache
def sources() -> list[Seed]:
    return _seeds(SOURCE)


def _seeds(file: str) -> list[Seed]:
    return [Seed(name, load(name).path(file).read_bytes()) for name in SAMPLES]


def change(seed: Seed, chance: Random) -> bytes:
    """Of a recording its values, names and lists; or its words."""
    return (scripts.change if chance.randrange(4) == 0 else plans.change)(seed, chance)


def run_record(data: bytes) -> None:
    """What is taken is written as what is read again as the same."""
    with _named(RECORD):
        record = Record.from_json(data, RECORD)
    assert Record.from_json(record.to_json().encode(), RECORD) == record
    load(SAMPLES[0]).contradictions(record)


def run_recipe(data: bytes) -> None:
    with _named(RECIPE):
        recipe = Recipe.from_toml(data, RECIPE)
    assert recipe.disk in ("gen1", "gen2")


def run_source(data: bytes) -> None:
    with _named(SOURCE):
        source = Source.from_bytes(data, SOURCE)
    assert source.address.startswith("https://")


@contextmanager
def _named(file: str) -> Iterator[None]:
    """An error names the file."""
    try:
        yield
    except FormatError as error:
        assert str(error).startswith(f"{file}: "), error  # noqa: PT017 - of every error, whichever it is
        raise


PARSERS = (
    Parser("fault-record", run_record, records, change),
    Parser("fault-recipe", run_recipe, recipes, scripts.change),
    Parser("fault-source", run_source, sources, scripts.change),
)
