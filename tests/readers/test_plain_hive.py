"""What a diagnosis reads of a hive from its bytes is what dissect reads, on real hives and on damaged ones.

VMRESCUE_CAMPAIGN multiplies the number of damaged ones.
"""

from __future__ import annotations

import io
import os
import random
from functools import partial
from typing import TYPE_CHECKING

import pytest

from registry.samples import boot_store, windows_7_hive
from registry.test_plain import damaged
from support.real_data import corpus, sdist_file
from vmrescue.errors import VmRescueError
from vmrescue.readers.hive.key import HiveKey
from vmrescue.readers.hive.plain import PlainKey
from vmrescue.readers.hive.reader import HiveReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vmrescue.readers.hive.key import HiveValue

TIMES = int(os.environ.get("VMRESCUE_CAMPAIGN", "1"))
MOST_KEYS = 120

Answer = tuple[str, object]


def answers(key: HiveKey, most: int, chance: random.Random) -> Iterator[Answer]:
    """What a key and some of those below it say when they are asked; of what raises an error, that it does."""
    waiting = [(key, "")]
    while waiting and most:
        most -= 1
        key, path = waiting.pop(chance.randrange(len(waiting)))
        yield path, (key.is_link, key.place, key.subkey_list)
        values = said(key.stored_values)
        yield path, values
        if isinstance(values, dict):
            yield path, [(said(partial(key.value, name.upper())), name) for name in values]
        names = said(partial(names_of, key))
        yield path, names
        for name in (*(names if isinstance(names, list) else ()), "no such key", "K\u00e9y"):
            below = said(partial(key.subkey, name.lower()))
            if isinstance(below, HiveKey):
                waiting.append((below, f"{path}\\{below.name}"))
            else:
                yield f"{path}\\{name}", below


def names_of(key: HiveKey) -> list[str]:
    return [each.name for each in key.subkeys()]


def said(ask: Callable[[], object]) -> object:
    try:
        return ask()
    except VmRescueError:
        return "an error"


def all_of(raw: bytes, kind: type[HiveKey], most: int = MOST_KEYS) -> list[Answer]:
    try:
        root = HiveReader(io.BytesIO(raw), "hive", (), kind).root
    except VmRescueError:
        return [("", "no hive")]
    return list(answers(root, most, random.Random(7)))


@pytest.mark.parametrize(
    "hive",
    [
        boot_store,
        windows_7_hive,
        lambda: corpus("hives/SYSTEM_B"),
        lambda: corpus("hives/BCD-uefi"),
        lambda: sdist_file("dissect.regf", "tests/_data/SYSTEM.gz"),
    ],
    ids=["store", "Windows 7", "Dell", "UEFI store", "VMware"],
)
def test_a_real_hive_reads_the_same(hive: Callable[[], bytes]) -> None:
    found = all_of(hive(), PlainKey)
    assert found == all_of(hive(), HiveKey)
    assert len(found) > 100
    assert "an error" not in [answer for _, answer in found]


def test_nearly_all_of_a_real_hive_is_read_without_dissect(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(PlainKey, "_key", property(lambda key: asked.append(key.name)))
    raw = sdist_file("dissect.regf", "tests/_data/SYSTEM.gz")
    root = HiveReader(io.BytesIO(raw), "hive", (), PlainKey).root
    values: list[HiveValue] = []
    for key in root.subkeys():
        values += key.stored_values().values()
        for below in key.subkeys():
            values += below.stored_values().values()
    assert len(values) > 50
    assert asked == []


def test_damaged_hives_read_the_same() -> None:
    chance, data = random.Random(2031), boot_store()
    different = 0
    for _ in range(20 * TIMES):
        raw = damaged(data, chance)
        found = all_of(raw, PlainKey, 60)
        assert found == all_of(raw, HiveKey, 60)
        different += found != all_of(data, PlainKey, 60)
    assert different > 5 * TIMES
