"""Boot configuration data: the vocabulary over a hive whose values say anything."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from bcd.stores import RecipeVolumes, recipe, uefi_hive
from fuzz.mutation import Seed, mutate
from fuzz.parser import Parser, Refusals, where_there
from fuzz.rooms.hives import hive_seed
from vmrescue.bcd import Store
from vmrescue.bcd.hive_key import HiveKey
from vmrescue.commands.bcdedit import parse, run
from vmrescue.registry import Hive, KeyNotFound

if TYPE_CHECKING:
    from random import Random

COMMANDS = (
    ["/enum", "all", "/v"],
    ["/set", "{default}", "nx", "OptIn"],
    ["/deletevalue", "{badmemory}", "badmemorylist"],
    ["/ems", "{default}", "ON"],
    ["/copy", "{default}", "/d", "copy"],
)
VALUES_CHANGED = 0.6  # how often a value's content is changed, in a sound hive


@functools.cache
def seeds() -> list[Seed]:
    made = [hive_seed(f"generation {number}", recipe(number)) for number in (1, 2)]
    return [*made, *where_there(lambda: hive_seed("real", uefi_hive()))]


@functools.cache
def _values(data: bytes) -> list[tuple[str, str, int, bytes]]:
    keys = Hive(data).walk()
    return [(key.path, value.name, int(value.type), value.raw) for key in keys for value in key.values()]


def change(seed: Seed, chance: Random) -> bytes:
    """Elements whose data mean something else, in a hive that is sound; or a hive that is not."""
    if chance.random() > VALUES_CHANGED:
        return mutate(seed, chance)
    hive = Hive(seed.data)
    for _ in range(chance.choice((1, 2, 4))):
        path, name, kind, raw = chance.choice(_values(seed.data))
        other = chance.choice(_values(seed.data))
        data = chance.choice((raw, other[3], raw[: chance.randrange(len(raw) + 1)], raw * 2, b""))
        if data and chance.random() < 0.7:
            data = mutate(Seed("value", data), chance)
        new = chance.choice((kind, kind, kind, other[2], chance.getrandbits(32)))
        try:
            hive.set_value(path, name, new, data[:4096])
            if chance.random() < 0.2:
                hive.create_key(f"{path}\\{chance.choice(('Elements', 'Objects', '', '{}', '24000001'))}x")
        except KeyNotFound:
            continue
    return hive.to_bytes()


def ask(data: bytes) -> None:
    """Reads every element of every object, lists them all, and plans an edit of each kind."""
    refused = Refusals()
    with refused.allowed():
        root = HiveKey.root(Hive(data))
        store = Store(root)
        for each in store.objects():
            for element in each.elements():
                with refused.allowed():
                    _ = element.value
            with refused.allowed():
                _ = each.title, list(each.ancestors())
        with refused.allowed():
            _ = store.default_loader().title
        for words in COMMANDS:
            with Refusals().allowed():
                _ = run(parse(words), Store(root), RecipeVolumes(1)).text
    refused.tell()


PARSERS = (Parser("bcd", ask, seeds, change),)
