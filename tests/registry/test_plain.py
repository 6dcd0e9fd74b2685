"""The check's fast pass over plain keys agrees with the full check, on sound and on damaged hives."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from registry.samples import boot_store, windows_7_hive, windows_10_system
from support.campaign import TIMES
from vmrescue.errors import VmRescueError
from vmrescue.registry import Hive, check
from vmrescue.registry.plain import PlainCells

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vmrescue.registry.check import Problem

FIRST_BIN = 4096


def verdict(data: bytes) -> list[Problem] | str:
    """The problems that the check finds, without regard to their order."""
    try:
        return sorted(Hive(data).check())
    except VmRescueError as error:
        return str(error)


def in_full(data: bytes) -> list[Problem] | str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(check, "_KNOWN", {})
        patch.setattr(PlainCells, "subkeys", lambda *_: None)
        patch.setattr(PlainCells, "odd", lambda _, keys, __: iter(keys))
        return verdict(data)


def damaged(data: bytes, choice: random.Random) -> bytes:
    """One to three bytes or numbers changed, near a cell's beginning more often than not."""
    raw = bytearray(data)
    for _ in range(choice.randint(1, 3)):
        at = choice.randrange(FIRST_BIN, len(raw) - 8)
        if choice.random() < 0.7:
            signature = choice.choice([b"nk", b"vk", b"lf", b"lh", b"li", b"sk"])
            found = raw.find(signature, at)
            at = max(FIRST_BIN, found + choice.randrange(-4, 84)) if found > 0 else at
        other = choice.randrange(FIRST_BIN, len(raw) - 8) & ~7
        flipped = raw[at] ^ 1 << choice.randrange(8)
        cell, number = (other - FIRST_BIN).to_bytes(4, "little"), bytes(raw[other : other + 4])
        change = choice.choice([b"\0", bytes([choice.randrange(256)]), bytes([flipped]), number, cell, b"\xff" * 4])
        raw[at : at + len(change)] = change
    return bytes(raw)


def test_damaged_hives_get_the_same_verdict_both_ways() -> None:
    choice, data = random.Random(2026), boot_store()
    found = [(verdict(hive), in_full(hive)) for hive in (damaged(data, choice) for _ in range(250 * TIMES))]
    assert [quick for quick, full in found if quick != full] == []
    assert sum(isinstance(quick, list) and bool(quick) for quick, _ in found) > 100 * TIMES  # something was found


@pytest.mark.parametrize("real", [windows_10_system, windows_7_hive])
def test_nearly_all_keys_of_a_real_hive_are_plain(real: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    data = real()
    expected = in_full(data)
    odd: list[int] = []
    find_odd = PlainCells.odd

    def noted(plain: PlainCells, keys: Iterable[int], with_subkeys: list[int]) -> Iterator[int]:
        for key in find_odd(plain, keys, with_subkeys):
            odd.append(key)
            yield key

    monkeypatch.setattr(PlainCells, "odd", noted)
    monkeypatch.setattr(check, "_KNOWN", {})
    assert verdict(data) == expected
    assert len(odd) < 0.05 * sum(1 for _ in Hive(data).walk())
