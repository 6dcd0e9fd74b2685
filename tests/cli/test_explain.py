"""What is said of a check and of a stop code comes from one place: in `explain` and in docs/checks.md."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.command import output_of, vmrescue
from vmrescue.checks.rules import CHECKS
from vmrescue.checks.screens import SCREENS
from vmrescue.checks.stop_codes import STOP_CODES, stop_code
from vmrescue.rehearsal.endings import ENDINGS, Ending
from vmrescue.report import explanation

PROJECT = Path(__file__).parents[2]


def said(*words: str) -> str:
    return " ".join(output_of("explain", *words).split())


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_is_explained_with_all_that_it_declares(name: str) -> None:
    check, text = CHECKS[name], said(name)
    assert text.startswith(f"{name}: {check.severity}, about {check.family} ")
    for part in (check.meaning, check.repair, check.fires, check.source, str(check.step), *check.needs):
        plain = part.replace("`", "").rstrip(".")
        assert plain[1:] in text, part  # it may have got a capital
    assert (f"--only {name}" in text) == (check.applicability == "on_request")


def test_a_stop_code_names_the_checks_that_concern_it() -> None:
    text = said("0xC0000017")
    assert text.startswith(
        "0xC0000017 (STATUS_NO_MEMORY): shown by the boot manager There is no memory for the ramdisk"
    )
    assert "vmrescue diagnose IMAGE --only bad-memory,memory-limit,free-space,fragmentation" in text
    assert said("c0000017") == said("0XC0000017") == text
    assert "No check looks for a cause of it yet." in said("0xC0000605")
    assert {name for code in STOP_CODES.values() for name in code.checks} <= set(CHECKS)
    assert all(stop_code(str(code)) is code for code in STOP_CODES.values())


@pytest.mark.parametrize("ending", [each for each in ENDINGS if each.code], ids=lambda each: each.source)
def test_a_code_with_which_a_rehearsal_may_end_names_the_check_that_tells_it(ending: Ending) -> None:
    text = said(ending.code)
    assert f"may end with it in: {ending.stage}" in text or f", {ending.stage}" in text
    assert " boot-path " in text
    assert "No check looks for a cause" not in text


@pytest.mark.parametrize(
    ("words", "begins"),
    [
        ("INACCESSIBLE_BOOT_DEVICE", "0x7B (INACCESSIBLE_BOOT_DEVICE): shown by the kernel"),
        ("inaccessible boot device", "0x7B (INACCESSIBLE_BOOT_DEVICE): shown by the kernel"),
        ("no_memory", "0xC0000017 (STATUS_NO_MEMORY): shown by the boot manager"),
        ("Bootmgr is missing", '"BOOTMGR is missing": shown by the boot sector'),
        ("getting windows ready", '"Getting Windows ready": shown by the logon screen'),
        ("We couldn't complete the updates. Undoing changes", '"Undoing changes": shown by the logon screen'),
        ("An operating system wasn't found", '"An operating system wasn\'t found": shown by the firmware'),
    ],
)
def test_names_of_codes_and_the_words_on_a_screen_are_known_too(words: str, begins: str) -> None:
    assert said(words).startswith(begins)
    assert {check for screen in SCREENS for check in screen.checks} <= set(CHECKS)
    assert {ending.screen for ending in ENDINGS if not ending.code} & {screen.words for screen in SCREENS}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("bad-memroy", "bad-memory"),
        ("page_file", "page-file"),
        *((name, "") for name in ("0xC0000018", "-", "12")),
    ],
)
def test_what_there_is_not_is_wrong_usage_and_says_what_was_meant(name: str, meant: str) -> None:
    done = vmrescue("explain", name)
    assert (done.returncode, done.stdout) == (2, "")
    hint = f"did you mean {meant}?" if meant else "`explain` without a name lists all"
    assert done.stderr == f"vmrescue: there is no check and no stop code {name!r}; {hint}\n"


def test_without_a_name_all_are_listed() -> None:
    text = said()
    assert all(name in text for name in CHECKS)
    assert all(f"{code} " in text for code in STOP_CODES.values())
    document = json.loads(output_of("explain", "--format", "json"))
    assert [each["check"] for each in document["checks"]] == list(CHECKS)
    assert {each["check"]: each["codes"] for each in document["checks"]}["bad-memory"] == ["0xC0000017"]
    assert vmrescue("explain", "bad-memory", "--format", "json").returncode == 2


def test_the_page_of_the_checks_is_what_the_command_makes() -> None:
    page = (PROJECT / "docs/checks.md").read_text(encoding="utf-8")
    assert page == explanation.page(), f"{explanation.MADE} > docs/checks.md"


def test_an_on_request_check_says_so_in_the_table() -> None:
    rows = dict(zip(CHECKS, explanation.table()[2:], strict=True))
    for name, check in CHECKS.items():
        assert (f"only with `--only {name}`" in rows[name]) == (check.applicability == "on_request")
