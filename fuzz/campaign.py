"""A campaign: many inputs for one parser, in a process of its own that may be lost, and what came of them."""

from __future__ import annotations

import hashlib
import multiprocessing
import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from fuzz import scratch
from fuzz.limits import try_input

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection
    from pathlib import Path

    from fuzz.limits import Outcome
    from fuzz.parser import Parser

STUCK = 120.0  # seconds by the clock without an answer: the process is caught in code that no signal reaches


@dataclass
class Find:
    """An input that ended in something else than success or an error of ours, in time and memory."""

    number: int
    data: bytes
    kind: str
    text: str


@dataclass
class Result:
    """What a campaign counted."""

    parser: str
    seed: object
    kinds: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0  # seconds
    slowest_number: int = -1
    memory: int = 0  # bytes, the largest growth
    finds: list[Find] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def inputs(self) -> int:
        return self.kinds.total()

    def row(self) -> str:
        """A line of the table."""
        refused = ", ".join(f"{kind} {count}" for kind, count in self.kinds.most_common() if kind != "accepted")
        return (
            f"{self.parser:14} {self.inputs:>7} inputs  {self.kinds['accepted']:>7} accepted  "
            f"slowest {self.slowest:5.2f} s (#{self.slowest_number})  peak {self.memory >> 20:>4} MB  "
            f"{len(self.finds)} finds  {self.seconds:.0f} s  [{refused}]"
        )


def make_input(parser: Parser, seed: object, number: int) -> bytes:
    """Input `number` of the campaign with this seed: always the same for the same files to start from."""
    chance = Random(f"{seed}/{parser.name}/{number}")
    return parser.mutate(chance.choice(parser.seeds()), chance)


def campaign(parser: Parser, numbers: range, seed: object) -> Result:
    """Tries the inputs of these numbers, each under the limits."""
    scratch.begin()
    parser.seeds()  # before the fork: tools make them
    result = Result(parser.name, seed)
    begun = time.perf_counter()
    while numbers:
        done = 0
        for number, outcome in _tried(parser, numbers, seed):
            _count(result, parser, number, outcome)
            done += 1
        numbers = numbers[done:]
        if numbers:
            _lost(result, parser, numbers[0])
            numbers = numbers[1:]
    result.seconds = time.perf_counter() - begun
    return result


def _tried(parser: Parser, numbers: range, seed: object) -> Iterator[tuple[int, Outcome]]:
    """The outcomes that a process of its own comes to, until it is through or lost."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    worker = context.Process(target=_work, args=(parser, numbers, seed, theirs), daemon=True)
    worker.start()
    theirs.close()
    try:
        while ours.poll(STUCK):
            yield ours.recv()
    except EOFError:
        pass
    finally:
        worker.kill()
        worker.join()
        ours.close()


def _work(parser: Parser, numbers: range, seed: object, answers: Connection) -> None:
    for number in numbers:
        answers.send((number, try_input(parser.run, make_input(parser, seed, number))))
    answers.close()


def _count(result: Result, parser: Parser, number: int, outcome: Outcome) -> None:
    result.kinds[outcome.kind] += 1
    result.memory = max(result.memory, outcome.memory)
    if outcome.seconds > result.slowest:
        result.slowest, result.slowest_number = outcome.seconds, number
    if outcome.find:
        data = make_input(parser, result.seed, number)
        result.finds.append(Find(number, data, outcome.kind, outcome.find))


def _lost(result: Result, parser: Parser, number: int) -> None:
    result.kinds["lost"] += 1
    text = f"the process that tried it died, or gave no answer for {STUCK} s"
    result.finds.append(Find(number, make_input(parser, result.seed, number), "lost", text))


def save_find(find: Find, parser: str, folder: Path) -> Path:
    """Keeps an input and what it did, under a name that its content gives."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{parser}-{find.kind}-{hashlib.sha256(find.data).hexdigest()[:10]}"
    path.write_bytes(find.data)
    path.with_name(path.name + ".txt").write_text(f"input {find.number}\n{find.text}\n")
    return path
