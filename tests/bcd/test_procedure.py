"""The bcdedit lines in the text of Microsoft's procedure "status no memory" run unchanged."""

from __future__ import annotations

import re
from functools import cache

import pytest

from bcd.stores import LOADER, RecipeVolumes, edited, element, recipe, store_of
from bcd.test_commands import BAD_MEMORY, EMS, ON, integer
from support.machine import missing
from support.real_data import CORPUS
from vmrescue.commands.bcdedit import Outcome, parse, run

REFERENCE = CORPUS.parent / "reference" / "windows-stop-error-no-memory.fr.md"


@cache
def procedure() -> tuple[str, ...]:
    """The bcdedit lines of the procedure, with the placeholders in angle brackets replaced."""
    if not REFERENCE.exists():
        missing(f"the procedure's text is not here ({REFERENCE.name})")
    lines = re.findall(r"^\s*bcdedit (.+?)\s*$", REFERENCE.read_text(), re.MULTILINE)
    return tuple(re.sub(r"<[^>]+>", "F", line.replace("<BOOT LOADER IDENTIFIER>", str(LOADER))) for line in lines)


def perform(pattern: str, hive: bytes) -> Outcome:
    (line,) = [line for line in procedure() if re.search(pattern, line)]
    return run(parse(line.split()), store_of(hive), RecipeVolumes(1))


def test_every_bcdedit_line_of_the_procedure_is_understood_and_names_the_store() -> None:
    commands = [parse(line.split()) for line in procedure()]

    assert [command.name for command in commands] == [
        *("enum", "deletevalue", "enum", "enum", "ems", "emssettings"),
    ]
    assert {command.store for command in commands} == {r"F:\boot\bcd", r"F:EFI\Microsoft\boot\bcd"}


def test_the_line_that_asks_for_bad_memory_shows_it() -> None:
    assert "badmemorylist           0xffe38\n" in perform(r"/enum \{badmemory\}", recipe(1)).text


def test_the_line_that_deletes_the_bad_memory_list_does() -> None:
    assert element(recipe(1), BAD_MEMORY, 0x1700000A) is not None

    hive = edited(recipe(1), perform("/deletevalue", recipe(1)).operations)

    assert element(hive, BAD_MEMORY, 0x1700000A) is None
    assert perform(r"/enum \{badmemory\}", hive).text.endswith("{badmemory}\n")


@pytest.mark.parametrize("generation", [1, 2])
def test_the_lines_that_list_the_store_give_the_loaders_identifier(generation: int) -> None:
    line = [line for line in procedure() if line.endswith("/enum")][generation - 1]

    outcome = run(parse(line.split()), store_of(recipe(generation)), RecipeVolumes(generation))

    assert "Windows Boot Loader" in outcome.text
    assert "identifier              {default}" in outcome.text


def test_the_lines_that_turn_on_the_serial_console_do() -> None:
    hive = edited(recipe(1), perform(r"/ems ", recipe(1)).operations)
    hive = edited(hive, perform("/emssettings", hive).operations)

    assert element(hive, LOADER, 0x260000B0) == ON
    assert (element(hive, EMS, 0x15000022), element(hive, EMS, 0x15000023)) == (integer(1), integer(115200))
