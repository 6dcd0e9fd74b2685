"""Parsing of bcdedit's command line."""

from __future__ import annotations

import pytest

from vmrescue.commands.bcdedit import Command, parse
from vmrescue.errors import UsageError


def test_no_words_list_the_active_entries_and_v_alone_lists_them_in_full() -> None:
    assert parse([]) == Command("enum")
    assert parse(["/v"]) == Command("enum", verbose=True)


def test_a_store_may_be_named_before_and_after_the_command() -> None:
    command = parse(["/store", r"F:\boot\bcd", "/enum", "{badmemory}"])

    assert command == Command("enum", ("{badmemory}",), store=r"F:\boot\bcd")
    assert parse(["/enum", "{badmemory}", "/store", r"F:\boot\bcd"]) == command


def test_commands_and_switches_are_known_in_any_case_and_after_a_dash() -> None:
    assert parse(["-SET", "TESTSIGNING", "ON"]) == Command("set", ("TESTSIGNING", "ON"))
    assert parse(["/DisplayOrder", "{a}", "/AddFirst"]) == Command("displayorder", ("{a}",), {"addfirst": ""})


def test_a_switch_takes_its_value_and_an_optional_one_only_where_there_is_one() -> None:
    words = ["/create", "/d", "My entry", "/application", "osloader"]

    assert parse(words).switches == {"d": "My entry", "application": "osloader"}
    assert parse(["/create", "/inherit", "osloader"]).switches == {"inherit": "osloader"}
    assert parse(["/create", "/inherit", "/d", "x"]).switches == {"inherit": "", "d": "x"}


def test_a_path_of_this_machine_is_no_switch() -> None:
    assert parse(["/store", "/mnt/bcd", "/export", "/mnt/copy"]) == Command("export", ("/mnt/copy",), store="/mnt/bcd")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["/get", "x"], "An unknown command was specified"),
        (["enum"], "An unknown command was specified"),
        (["/enum", "/all"], "Invalid command line switch: /all"),
        (["/enum", "a", "b"], "The enum command specified is not valid"),
        (["/set", "nx"], "The set command specified is not valid"),
        (["/timeout"], "The timeout command specified is not valid"),
        (["/create", "/d"], "Invalid command line switch: /d"),
        (["/store"], "Invalid command line switch: /store"),
    ],
)
def test_a_wrong_command_line_is_refused_in_bcdedits_words(words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message) as error:
        parse(words)
    assert 'Run "bcdedit /?" for command line assistance.' in str(error.value)
