"""Who has clusters in a part of a volume: found the quick way as in the whole layout, however damaged the volume is."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from fuzz.mutation import mutate
from fuzz.rooms import PARSERS
from ntfs.test_check import sound
from ntfs.test_plain_record import bitten
from support.campaign import TIMES
from support.memory_device import MemoryDevice
from vmrescue.errors import VmRescueError
from vmrescue.ntfs.defrag.layout import Key, Placed, read_layout
from vmrescue.ntfs.store import FileStore

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmrescue.ntfs.bitmap import Piece

PARTS = 4  # of each volume


def inside(placed: Iterable[Placed], part: Piece) -> set[tuple[Key, int]]:
    """Which clusters of the part whose attributes have."""
    first, end = part[0], sum(part)
    return {
        (each.key, cluster)
        for each in placed
        for lcn, length in each.pieces
        for cluster in range(max(lcn, first), min(lcn + length, end))
    }


def test_of_a_part_of_a_volume_the_same_owners_are_found_as_in_all_of_it() -> None:
    seeds, chance = PARSERS["ntfs"].must_have_seeds(), Random(2027)
    volumes = [sound(), *(seed.data for seed in seeds)]
    for _ in range(30 * TIMES):
        volumes += [mutate(chance.choice(seeds), chance), bitten(chance.choice(seeds).data, chance)]
    found = 0
    for volume in volumes:
        try:
            store = FileStore(MemoryDevice(volume))
            whole = list(read_layout(store))
        except VmRescueError:
            continue
        for _ in range(PARTS if whole else 0):
            lcn, length = chance.choice(chance.choice(whole).pieces)
            part = max(0, lcn + chance.randrange(-20, length + 20)), chance.choice((1, 2, 9, 100))
            owners = inside(whole, part)
            assert inside(read_layout(store, part), part) == owners
            found += len(owners)
    assert found > 1000


def test_most_records_are_passed_over() -> None:
    store = FileStore(MemoryDevice(sound()))
    whole = list(read_layout(store))
    first, length = whole[-1].pieces[0]
    assert len(list(read_layout(store, (first, length)))) < len(whole) / 2
