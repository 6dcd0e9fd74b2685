"""Random single faults of a healthy disk: the rehearsal stops where the fault ends a start, and nowhere else.

A few by default; 500 with ``VMRESCUE_MUTATIONS=500``.
"""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

import vmrescue
from rehearsal.mutations import all_of
from support.campaign import count
from support.images import sample
from support.machine import need_root, run

if TYPE_CHECKING:
    from rehearsal.mutations import Mutation

COUNT = count("VMRESCUE_MUTATIONS", 8)
SAMPLES = {1: "gen1-broken", 2: "gen2-healthy"}  # neither has a fault on the boot path


@cache
def _folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="vmrescue-mutations-")


@cache
def raw(generation: int) -> Path:
    folder = Path(_folder().name)
    vhd, disk = sample(SAMPLES[generation], folder), folder / f"{generation}.raw"
    run("qemu-img", "convert", "-f", "vpc", "-O", "raw", vhd, disk)
    vhd.unlink()
    return disk


def chosen() -> list[Mutation]:
    """As many of each generation, the same in each run."""
    draw = random.Random(21)
    return [each for generation in SAMPLES for each in draw.sample(all_of(generation), COUNT // 2)]


@pytest.mark.parametrize("generation", SAMPLES)
def test_the_disk_itself_has_no_stop(generation: int) -> None:
    assert vmrescue.rehearse(raw(generation)).stop is None


@pytest.mark.parametrize("mutation", chosen(), ids=lambda each: f"gen{each.generation}: {each.title}")
def test_a_start_ends_where_the_fault_ends_it_and_nowhere_else(mutation: Mutation, quick_folder: Path) -> None:
    need_root()
    disk = quick_folder / "disk.raw"
    run("cp", "--sparse=always", raw(mutation.generation), disk)
    mutation.make(disk)
    found = vmrescue.rehearse(disk)
    assert (found.stop is not None) == mutation.stops, found.stop or [each.to_dict() for each in found.stages]
