"""The fast check of a file record agrees with the full one, on sound and on damaged volumes."""

from __future__ import annotations

import os
from random import Random
from typing import TYPE_CHECKING

from fuzz.mutation import mutate
from fuzz.rooms import PARSERS
from support.memory_device import MemoryDevice
from vmrescue.errors import VmRescueError
from vmrescue.ntfs.defrag import layout
from vmrescue.ntfs.plain_record import stored_in
from vmrescue.ntfs.store import Store

if TYPE_CHECKING:
    import pytest

    from vmrescue.ntfs.defrag.layout import Placed

TIMES = int(os.environ.get("VMRESCUE_CAMPAIGN", "1"))


def layout_of(volume: bytes) -> list[Placed] | str:
    try:
        return sorted(layout.read_layout(Store(MemoryDevice(volume))))
    except VmRescueError as error:
        return str(error)


def test_damaged_volumes_have_the_same_layout_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds, chance = PARSERS["ntfs"].must_have_seeds(), Random(2026)
    volumes = [seed.data for seed in seeds]
    volumes += [mutate(chance.choice(seeds), chance) for _ in range(60 * TIMES)]
    said = []

    def counted(record: bytes, clusters: int, parent: int | None) -> object:
        said.append(stored_in(record, clusters, parent))
        return said[-1]

    monkeypatch.setattr(layout, "stored_in", counted)
    quick = [layout_of(volume) for volume in volumes]
    monkeypatch.setattr(layout, "stored_in", lambda *_: None)
    assert [number for number, volume in enumerate(volumes) if layout_of(volume) != quick[number]] == []
    assert sum(each is not None for each in said) > 0.8 * len(said)
