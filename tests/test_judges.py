"""Every judge is looked up in one place: what the tests start stands in the table, and what is missing is told."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support import machine
from support.judges import COREUTILS, FETCHED, JUDGES, NPM, OWN, Judge, debian_packages, package_of
from support.judges_report import table

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).parent
STARTERS = {"run", "run_bytes", "need_tool", "need_tools", "find"}  # of `support.machine` and `support.judges`
OWN_RUN = {"test_logging.py"}  # its `run` is another
BARE_STARTERS = {"Popen", "run", "check_output", "check_call"}  # of `subprocess`
KNOWN = JUDGES.keys() | COREUTILS


def calls() -> Iterator[tuple[Path, ast.Call]]:
    for path in TESTS.rglob("*.py"):
        yield from ((path, node) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))


def first_word(call: ast.Call) -> str:
    """The first word of a command that is written out, else an empty text."""
    word = call.args[0] if call.args else None
    if isinstance(word, ast.List) and word.elts:
        word = word.elts[0]
    return word.value if isinstance(word, ast.Constant) and isinstance(word.value, str) else ""


def test_what_the_tests_start_stands_in_the_table() -> None:
    found = {
        (path.relative_to(TESTS), first_word(call))
        for path, call in calls()
        if isinstance(call.func, ast.Name) and call.func.id in STARTERS and path.name not in OWN_RUN
    }
    assert len(found) > 100
    assert {(path, word) for path, word in found if word and word not in KNOWN} == set()


def test_no_test_starts_a_judge_by_itself() -> None:
    found = {
        (str(path.relative_to(TESTS)), call.lineno)
        for path, call in calls()
        if isinstance(call.func, ast.Attribute) and call.func.attr in BARE_STARTERS and first_word(call) in JUDGES
    }
    assert {(path, line) for path, line in found if path != "public_files.py"} == set()  # looks for them by itself


def test_ci_installs_the_package_of_each() -> None:
    ci = (TESTS.parent / ".ci/run").read_text()
    printed = subprocess.run([sys.executable, TESTS / "support/judges.py"], capture_output=True, text=True, check=True)

    assert "python3 tests/support/judges.py" in ci
    assert printed.stdout.splitlines() == debian_packages()
    named = {each.package for each in JUDGES.values() if not each.package.startswith(OWN)}
    others = {package.removeprefix(NPM).removeprefix(FETCHED) for package in named} - set(debian_packages())
    assert {package for package in others if package not in ci} == set()


def test_a_judge_that_is_missing_is_a_skip_with_its_reason_and_in_ci_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = Judge("nobody-has-this", "a-package", "nothing")
    monkeypatch.setitem(JUDGES, nobody.name, nobody)
    reason = "the program nobody-has-this is not installed (the Debian package a-package has it)"

    monkeypatch.setattr(machine, "IN_CI", False)
    with pytest.raises(pytest.skip.Exception, match=reason.replace("(", r"\(").replace(")", r"\)")):
        machine.run("nobody-has-this", "--version")

    monkeypatch.setattr(machine, "IN_CI", True)
    with pytest.raises(pytest.fail.Exception, match="in CI this may not be missing: the program nobody-has-this"):
        machine.need_tool("nobody-has-this")

    lines = table({nobody.name: {"a test", "another"}, "qemu-img": {"a test"}})
    assert [line.split()[:3] for line in lines if line.startswith("nobody")] == [[nobody.name, "missing", "a-package"]]


def test_what_has_the_judge_is_named() -> None:
    assert package_of("azurite-blob") == "npm's azurite@3"
    assert package_of("ntfs3").startswith("tests/support/debian_judges.py")
    assert package_of("mcopy") == "the Debian package mtools"
