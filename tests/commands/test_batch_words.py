"""A command file's text: its encodings, what cmd makes of a line, and how each program takes its words."""

from __future__ import annotations

import codecs

import pytest

from vmrescue.commands.batch.file_commands import fits
from vmrescue.commands.batch.runbook import Runbook
from vmrescue.commands.batch.text import decoded, joined
from vmrescue.commands.batch.words import expanded, own_words, program_words, setting, statement
from vmrescue.errors import UsageError

TEXT = 'echo "Größe"\r\n'


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        TEXT.encode("cp1252"),
    ],
)
def test_the_usual_encodings_are_read(data: bytes) -> None:
    assert decoded(data, "x.cmd") == TEXT


def test_what_is_no_text_is_refused() -> None:
    for data in (TEXT.encode("utf-16-le"), b"\x81\x8d", b"a\0b", codecs.BOM_UTF16_LE + b"\x00\xd8"):
        with pytest.raises(UsageError, match=r"x\.cmd is no text in UTF-8"):
            decoded(data, "x.cmd")


def test_lines_are_joined_by_a_caret_and_numbered_by_their_first() -> None:
    text = 'a ^\r\nb\r\n\r\nc "^\nd ^^\nrem e ^\nf ^'

    assert [(line.number, line.text) for line in joined(text)] == [
        (1, "a b"),
        (3, ""),
        (4, 'c "^'),
        (5, "d ^^"),
        (6, "rem e ^"),
        (7, "f "),
    ]


def test_variables_are_replaced_and_those_of_the_guest_stay() -> None:
    variables = dict([setting(" OS=F:"), setting(' "Name=a b"  ')])

    assert expanded(r"%os%\x %NAME% 5%%", variables) == r"F:\x a b 5%"
    assert expanded(r"%SystemRoot%\M.DMP %~dp0fix.sys", {}) == r"%SystemRoot%\M.DMP fix.sys"
    assert setting("A=b ") == ("A", "b ")
    assert expanded("%A%%A%", {"A": "x" * 4000}) == "x" * 8000
    with pytest.raises(UsageError, match="8200 letters; cmd takes 8191"):
        expanded("%A%%A%", {"A": "x" * 4100})
    for text, message in (("%TEMP%", "not set"), ("%1", "argument"), ("%OS:~0,1%", "parts of a variable")):
        with pytest.raises(UsageError, match=message):
            expanded(text, variables)
    for text in ("/p x=y", "name", "=x"):
        with pytest.raises(UsageError, match="NAME=VALUE"):
            setting(text)


def test_quotes_and_carets_take_the_meaning_of_special_letters() -> None:
    found = statement('  @REG.exe add "a&b" /d x^&y >nul 2>&1')

    assert found is not None
    assert (found.name, program_words(found.rest)) == ("reg", ["add", "a&b", "/d", "x&y"])
    assert statement("   ") is None
    for text, message in (
        ("a | b", "joins commands"),
        ("a && b", "joins commands"),
        ("a > out.txt", "only >nul"),
        ("defrag <LETTER OF THE DISK>:", "<LETTER OF THE DISK> is to be filled in"),
    ):
        with pytest.raises(UsageError, match=message):
            statement(text)


def test_a_program_takes_its_words_as_c_does() -> None:
    assert program_words(r'add "HKLM\A B" /d "\"C:\x\\\"" /ve ""') == ["add", r"HKLM\A B", "/d", '"C:\\x\\"', "/ve", ""]
    assert program_words(r'"a\\" b\c a"b c"d') == ["a\\", r"b\c", "ab cd"]


def test_a_pattern_fits_names_in_any_case() -> None:
    names = ["a.tmp", "A.TMP", "b.tmp.txt", "tmp", "ab"]

    def fitting(pattern: str) -> list[str]:
        return [name for name in names if fits(name, pattern)]

    assert fitting("*.tmp") == ["a.tmp", "A.TMP"]
    assert fitting("*tmp*") == ["a.tmp", "A.TMP", "b.tmp.txt", "tmp"]
    assert fitting("?.t?p") == ["a.tmp", "A.TMP"]
    assert fitting("a*b*") == ["ab"]
    assert fitting("*.*") == fitting("*") == names
    assert not fits("a" * 250, "*a" * 60 + "b"), "in no time"


def test_a_command_of_cmds_own_separates_words_and_switches() -> None:
    found = statement(r'del/f/Q "F:\a b, c.txt",F:\d=F:\e')

    assert found is not None
    assert found.name == "del"
    assert own_words(found.rest, found.quoted) == ([r"F:\a b, c.txt", r"F:\d", r"F:\e"], ["f", "q"])
    odd = statement('del "" "/x" /')
    assert odd is not None
    assert own_words(odd.rest, odd.quoted) == (["/x"], [""])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("frobnicate F:", "frobnicate is not known here; these are: bcdedit, reg"),
        ("if exist F:\\x del F:\\x", "if is control flow"),
        (":again", "label"),
        ("goto again", "goto is control flow"),
        ("exit /b 3", "exit is control flow"),
        ("setlocal EnableDelayedExpansion", "setlocal enabledelayedexpansion: after it other lines would mean"),
        ("setlocal\nset A=1\nendlocal\necho %A%", "%A% was not set before"),
        ("bcdedit /frobnicate", "An unknown command was specified"),
        ("reg add", "Invalid syntax"),
        ("reg load HKCU\\X F:\\x", "Invalid key name"),
        ("defrag /x", "takes a volume"),
        ("del /p F:\\x", "del /p is not known here"),
        ("del", "takes one or more"),
        ("copy a+b F:\\c", "joins no files"),
        ("copy a", "takes two paths"),
        ("copy F:\\x here", "name it with a drive's letter"),
        ("ren F:\\x a\\b", "more than a name"),
        ("ren F:\\x a?b", "no file can be called"),
        ("attrib +x F:\\x", "attrib +x is not known here"),
        ("attrib F:\\x", "attributes to set (+r)"),
        ("bcdedit /createstore F:\\x", "makes a store of no machine"),
        ("echo %NOTHING%", "%NOTHING% was not set before"),
    ],
)
def test_a_line_that_is_not_known_is_refused_with_its_number(line: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        Runbook.parse(f"@echo off\n:: a comment\nREM another\n\n{line}\n".encode(), "x.cmd")

    assert str(refused.value).startswith(f"x.cmd, line {5 + line.count(chr(10))}: ")
    assert message in str(refused.value)


@pytest.mark.parametrize("end", ["exit", "@EXIT /B", "exit /b 0", "exit /b %ERRORLEVEL%", "goto :eof"])
def test_lines_that_only_frame_a_command_file_do_what_they_mean(end: str) -> None:
    """What `setlocal` keeps comes back, and behind the end nothing is done."""
    lines = f"""@echo off
title Repair
setlocal EnableExtensions
set A=outer
setlocal
set A=inner
echo %A%
endlocal
echo %A%
cls
pause >nul
endlocal
endlocal
{end}
frobnicate F:
:again
"""
    commands = Runbook.parse(lines.encode(), "x.cmd").commands
    assert [(command.number, command.text) for command in commands] == [(7, "echo inner"), (9, "echo outer")]
