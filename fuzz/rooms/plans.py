"""Plans that somebody else made: JSON whose values are of other kinds, sizes and depths than a plan's."""

from __future__ import annotations

import copy
import functools
import json
from typing import TYPE_CHECKING, Any

from fuzz.mutation import Seed, mutate
from fuzz.parser import Parser
from plan.test_plan import PLAN
from vmrescue.plan import ExpandDisk, ExpandVolume, FileRef, MovePartition, Plan, ReplayVolumeLog, Step
from vmrescue.report.text import plan_text

if TYPE_CHECKING:
    from random import Random

DISK, VOLUME = FileRef(0, 0, ""), FileRef(0, 2, "")
MORE = (
    ExpandDisk(DISK, 1 << 30, 2 << 30),
    ExpandVolume(VOLUME, 1 << 20, 2 << 20),
    MovePartition(VOLUME, 1 << 20, 2 << 20),
    ReplayVolumeLog(FileRef(0, 2, "$LogFile"), "work"),
)
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1 << 31, 1 << 63, 1 << 64, 10**400, 1.5, 1e308, "", "\0", "..", "..\\..\\etc\\passwd",
    "/etc/shadow", "\ud800", "\x1b[2J", "\u202e", "a" * 70_000, "\\" * 600, "a\\" * 600, "zz", "00", "====", [], [[]],
    {}, {"kind": "set-value"}, {"type": "REG_DWORD", "data": -1}, {"type": "REG_DWORD", "data": 1 << 33},
    {"type": "ffffffffff", "hex": "00"}, {"type": "-1", "hex": ""}, {"type": "REG_SZ", "data": ["a"]},
    {"type": "REG_MULTI_SZ", "data": "text"}, {"type": "REG_MULTI_SZ", "data": [1]}, {"type": None, "hex": "0"},
    {"disk": 1 << 70, "partition": 0, "path": ""}, "NaN", "vmrescue.plan/1",
)  # fmt: skip
DEEP = 100_000


@functools.cache
def seeds() -> list[Seed]:
    whole = Plan(PLAN.image, (*PLAN.steps, *(Step("expand", "asked for", change) for change in MORE)))
    return [Seed("every kind of change", whole.to_json().encode())]


def change(seed: Seed, chance: Random) -> bytes:
    """Values replaced, fields left out, renamed and added, lists made long or deep; or bytes changed."""
    kind = chance.randrange(20)
    if kind < 4:
        return mutate(seed, chance)
    if kind == 4:
        opening = chance.choice(("[", '{"a":'))
        text = seed.data.decode()
        at = chance.randrange(len(text))
        return (text[:at] + opening * chance.choice((50, 2000, DEEP)) + text[at:]).encode()
    document = json.loads(seed.data)
    for _ in range(chance.choice((1, 1, 2, 4))):
        _alter(document, chance)
    return json.dumps(document).encode("utf-8", "surrogatepass")


def _alter(document: Any, chance: Random) -> None:
    """One change somewhere in a document."""
    node = document
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            return
        key = chance.choice(keys)
        below = node[key]
        if isinstance(below, dict | list) and below and chance.random() < 0.8:
            node = below
            continue
        break
    kind = chance.randrange(6)
    if kind == 0:
        del node[key]
    elif kind == 1 and isinstance(node, dict):
        node[chance.choice(("kind", "file", "x", "", "before", "size", "data", "schema"))] = _odd(chance)
    elif kind == 2 and isinstance(node, list):
        node[key:key] = [below] * chance.choice((1, 2, 100))
    elif kind == 3 and isinstance(below, str):
        node[key] = below + chance.choice([odd for odd in ODD if isinstance(odd, str)])
    elif kind == 4 and isinstance(below, int):
        node[key] = chance.choice((below + 1, -below, below << 64, 1.0, str(below)))
    else:
        node[key] = _odd(chance)


def _odd(chance: Random) -> Any:
    """Its own copy: what is put in may be changed further."""
    return copy.deepcopy(chance.choice(ODD))


def run(data: bytes) -> None:
    """Reads it; a plan that is taken is shown, and comes back from its own JSON as it is."""
    plan = Plan.from_json(data)
    assert Plan.from_json(plan.to_json()) == plan
    assert plan_text(plan).isprintable() or "\n" in plan_text(plan)


PARSERS = (Parser("plan", run, seeds, change),)
