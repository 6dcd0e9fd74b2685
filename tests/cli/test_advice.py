"""What a message advises exists: each command and option that our texts name is one of ours, on that command."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import click
import pytest

import vmrescue
from vmrescue.checks.rules import CHECKS
from vmrescue.cli.main import COMMANDS, group

SOURCE = Path(vmrescue.__file__).parent
# of az, where tests/report/test_azure.py holds the lines that `report.azure` writes; of qemu-nbd and qemu-img
COMMANDS_OF_OTHERS = ("report/azure.py", "transports/qemu_nbd.py", "image/qemu_options.py", "containers/advice.py")
OF_OTHERS = {"--blob-type", "--read-only", "--upload-size-bytes", "--setrw"}
WRITTEN_OUT = re.compile(r"`?\bvmrescue (?P<command>[a-z]+)(?P<words>(?: [^`\n,;:]*)?)")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")


def options_of(name: str) -> set[str]:
    command = group.get_command(click.Context(group), name)
    assert command is not None
    return {option for each in command.params for option in each.opts} | {"--help"}


@cache
def messages(path: Path) -> list[str]:
    """The texts in a file that are no docstrings; what is put into one is ``{}``."""
    tree = ast.parse(path.read_text())
    passed = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            found.append("".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and not {id(node)} & (passed | inner):
            found.append(node.value)
    return found


def test_every_command_that_a_text_names_has_the_options_that_it_names() -> None:
    named = [
        (path.name, match["command"], match["words"])
        for path in SOURCE.rglob("*.py")
        for text in messages(path)
        for match in WRITTEN_OUT.finditer(text)
        if match["command"] in COMMANDS or "`" in text
    ]
    assert len(named) > 5
    for file, command, words in named:
        assert command in COMMANDS, (file, command, words)
        assert {*OPTION.findall(words)} <= options_of(command), (file, command, words)


def test_every_option_that_a_text_names_is_one_of_some_command() -> None:
    known = OF_OTHERS.union(*map(options_of, COMMANDS))
    for path in SOURCE.rglob("*.py"):
        if path.parent.name == "dissect_plugin" or "plugins" in path.parts or any(map(path.match, COMMANDS_OF_OTHERS)):
            continue
        for text in messages(path):
            assert {*OPTION.findall(text)} <= known, (path.name, text)


@pytest.mark.parametrize("command", ["repair", "diagnose", "plan", "scan"])
def test_checks_are_left_out_and_chosen_wherever_a_text_says_so(command: str) -> None:
    assert {"--only", "--skip"} <= options_of(command)


def test_the_checks_that_texts_name_with_these_options_are_checks() -> None:
    for path in SOURCE.rglob("*.py"):
        for text in messages(path):
            for names in re.findall(r"--(?:only|skip) ([a-z][a-z,-]*)", text):
                assert set(names.split(",")) <= set(CHECKS), (path.name, text)
