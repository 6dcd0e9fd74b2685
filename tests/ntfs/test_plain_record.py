"""What is read directly from plain file records is what the records say: sound volumes and damaged ones, both ways."""

from __future__ import annotations

import os
from random import Random
from typing import TYPE_CHECKING

from fuzz.mutation import mutate
from fuzz.rooms import PARSERS
from support.memory_device import MemoryDevice
from vmrescue.errors import VmRescueError
from vmrescue.ntfs.check import volume as check
from vmrescue.ntfs.defrag import layout
from vmrescue.ntfs.plain_record import read_plain
from vmrescue.ntfs.store import FileStore

if TYPE_CHECKING:
    import pytest

TIMES = int(os.environ.get("VMRESCUE_CAMPAIGN", "1"))


def verdict(volume: bytes) -> object:
    """Each attribute in clusters, and all problems that the check finds."""
    try:
        store = FileStore(MemoryDevice(volume))
        return sorted(layout.read_layout(store)), sorted(check.check_volume(store))
    except VmRescueError as error:
        return str(error)


def test_damaged_volumes_get_the_same_verdict_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds, chance = PARSERS["ntfs"].must_have_seeds(), Random(2026)
    volumes = [seed.data for seed in seeds]
    volumes += [mutate(chance.choice(seeds), chance) for _ in range(60 * TIMES)]
    said = []

    def counted(record: bytes, number: int, clusters: int) -> object:
        said.append(read_plain(record, number, clusters))
        return said[-1]

    for module in (layout, check):
        monkeypatch.setattr(module, "read_plain", counted)
    quick = [verdict(volume) for volume in volumes]
    for module in (layout, check):
        monkeypatch.setattr(module, "read_plain", lambda *_: None)
    assert [number for number, volume in enumerate(volumes) if verdict(volume) != quick[number]] == []
    assert sum(each is not None for each in said) > len(said) / 2
