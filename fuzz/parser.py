"""What a fuzzed parser is: sound files to start from, and everything that can be asked of a damaged one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import pytest

from fuzz.mutation import Seed, mutate
from vmrescue.errors import VmRescueError

if TYPE_CHECKING:
    from collections.abc import Iterator

Mutator = Callable[[Seed, Random], bytes]


@dataclass(frozen=True)
class Parser:
    """A parser under fire.

    Args:
        run: takes any bytes; ends in success or a VmRescueError, whatever they are.
        seeds: makes the sound files; it may need tools and time.
        mutate: how an input is made of a seed.
    """

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], Sequence[Seed]]
    mutate: Mutator = mutate

    def must_have_seeds(self) -> Sequence[Seed]:
        """The seeds, for a command: without any it ends with the reason."""
        return self.seeds() or sys.exit(f"{self.name}: no file to start from; set VMRESCUE_CORPUS")


def where_there(*makers: Callable[[], Seed]) -> list[Seed]:
    """Seeds that are made of files which a user's machine may lack: the corpus beside the project."""
    found = []
    for make in makers:
        with suppress(pytest.skip.Exception):
            found.append(make())
    return found


class Refusals:
    """The errors of ours that single questions ended in: one of them must not keep the others from being asked."""

    def __init__(self) -> None:
        self.first: VmRescueError | None = None

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Keeps an error of ours. Its text is made, as a user would see it."""
        try:
            yield
        except VmRescueError as error:
            assert str(error)  # noqa: PT017 - the text must be possible to make
            self.first = self.first or error

    def tell(self) -> None:
        """Raises the first refusal, for the campaign's table."""
        if self.first is not None:
            raise self.first
