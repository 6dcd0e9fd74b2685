"""Inputs made of real files: a few fields set to telling values, bytes changed, blocks moved, the end cut or drawn out.

`mutate` draws all its choices from a `random.Random`; Hypothesis has one that it can shrink (`strategies`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from fuzz.layouts import Field

BYTES = (0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF)
NEAR = 96  # bytes around a field in which bytes are changed: volumes are empty nearly everywhere
LONGEST_BLOCK = 4096
SEALED = 0.85  # how often the checksums are made right again


@dataclass(frozen=True)
class Seed:
    """A sound file to start from.

    Args:
        fields: the numbers in it that mean something.
        seal: makes the checksums in a changed file right, so that what was changed gets past them.
    """

    name: str
    data: bytes
    fields: list[Field] = field(default_factory=list, repr=False)
    seal: Callable[[bytearray], None] | None = None


def mutate(seed: Seed, chance: Random) -> bytes:
    """The seed with one to five changes."""
    data = bytearray(seed.data)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 5))):
        kind = chance.randrange(20)
        if seed.fields and kind < 12:
            set_field(data, seed, chance)
        elif kind < 16:
            change_bytes(data, seed, chance)
        elif kind < 19:
            change_blocks(data, seed, chance)
        else:
            change_end(data, chance)
    if seed.seal and data and chance.random() < SEALED:
        seed.seal(data)
    return bytes(data)


def set_field(data: bytearray, seed: Seed, chance: Random) -> None:
    """A number becomes one at a border, a neighbour of what it was, another field's, or a place in the file."""
    target = chance.choice(seed.fields)
    bits = 8 * target.size
    old = target.read(data)
    other = chance.choice(seed.fields)
    kinds: tuple[Callable[[], int], ...] = (
        lambda: 0,
        lambda: 1,
        lambda: (1 << bits) - 1,
        lambda: 1 << bits - 1,
        lambda: (1 << bits - 1) - 1,
        lambda: old + 1,
        lambda: old - 1,
        lambda: old + chance.choice((2, 4, 8, 512, 4096)) * chance.choice((1, -1)),
        lambda: old ^ 1 << chance.randrange(bits),
        lambda: old * 2,
        lambda: other.read(data),
        lambda: other.offset,
        lambda: target.offset,
        lambda: len(data),
        lambda: chance.getrandbits(bits),
        lambda: chance.getrandbits(chance.randrange(1, bits + 1)),
    )
    target.write(data, chance.choice(kinds)())


def _place(data: bytearray, seed: Seed, chance: Random) -> int:
    """A byte that is likely to mean something."""
    if seed.fields and chance.random() < 0.8:
        return min(max(chance.choice(seed.fields).offset + chance.randrange(-NEAR, NEAR), 0), max(len(data) - 1, 0))
    return chance.randrange(max(len(data), 1))


def change_bytes(data: bytearray, seed: Seed, chance: Random) -> None:
    """A few bytes next to each other are flipped, or set."""
    at = _place(data, seed, chance)
    for place in range(at, min(at + chance.choice((1, 1, 2, 4, 8)), len(data))):
        flipped = data[place] ^ 1 << chance.randrange(8)
        data[place] = chance.choice((*BYTES, flipped, chance.randrange(256)))


def change_blocks(data: bytearray, seed: Seed, chance: Random) -> None:
    """A block is written over another one, blanked, or repeated from there on. The file keeps its size."""
    length = chance.choice((8, 16, 32, 64, 512, 1024, LONGEST_BLOCK))
    source, target = _place(data, seed, chance), _place(data, seed, chance)
    if chance.random() < 0.5:  # as structures lie
        source, target = source // length * length, target // length * length
    block = bytes(data[source : source + length])
    if chance.random() < 0.25:
        block = bytes([chance.choice(BYTES)]) * len(block)
    block *= chance.choice((1, 1, 1, 4))
    block = block[: len(data) - target]
    data[target : target + len(block)] = block


def change_end(data: bytearray, chance: Random) -> None:
    """The file is cut short, or goes on for a while."""
    if chance.random() < 0.6:
        unit = chance.choice((1, 512, 4096))
        del data[chance.randrange(len(data) + 1) // unit * unit :]
    else:
        data += bytes([chance.choice(BYTES)]) * chance.choice((1, 511, 512, 4096, 65536))
