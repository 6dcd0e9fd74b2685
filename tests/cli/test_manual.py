"""The pages that are made of the commands, and the completion of their words in a shell."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.command import vmrescue
from support.command_pages import MAN, files
from support.machine import run

if TYPE_CHECKING:
    from pathlib import Path


def test_the_pages_say_what_the_commands_say() -> None:
    for path, text in files().items():
        assert path.read_text(encoding="utf-8") == text, "run: PYTHONPATH=tests python -m support.command_pages"
    assert sorted(MAN.iterdir()) == sorted(path for path in files() if path.parent == MAN)


def test_mandoc_finds_no_fault_in_the_man_pages() -> None:
    said = run("mandoc", "-Tlint", "-Wwarning", *sorted(MAN.iterdir()), ok=(0, 2)).splitlines()
    assert [line for line in said if "missing date" not in line] == []


def test_a_man_page_shows_backslashes_and_points_at_the_start_of_a_line_as_they_are() -> None:
    shown = " ".join(run("mandoc", "-Tascii", "-Owidth=200", MAN / "vmrescue-reg.1").split())
    assert r"vmrescue reg os.vhd query 'HKLM\SYSTEM\CurrentControlSet\Control\CrashControl'" in shown
    assert r"written \{5c}, \{a}." in shown


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["dia"], ["diagnose"]),
        (["diagnose", "--platform", "h"], ["hyper-v"]),
        (["repair", "--only", "bad-memory,pag"], ["bad-memory,page-file"]),
        (["repair", "--skip", "mem"], ["memory-limit", "memory"]),
        (["explain", "0xC0000017"], ["0xC0000017"]),
        (["bcdedit", "--to-format", "q"], ["qcow2"]),
    ],
)
def test_bash_completes(tmp_path: Path, typed: list[str], offered: list[str]) -> None:
    installed = tmp_path / "vmrescue"
    installed.write_text(f'#!/bin/sh\nexec {sys.executable} -m vmrescue "$@"\n')
    installed.chmod(0o755)
    script = f"""PATH={tmp_path}:$PATH
        {vmrescue("completion", "bash").stdout}
        COMP_WORDS=(vmrescue "$@"); COMP_CWORD=$#
        _vmrescue_completion vmrescue
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script, "bash", *typed], capture_output=True, text=True)
    assert (done.stdout.split(), done.stderr) == (offered, "")
