"""What a command imports: the start of a process is a large part of what a short one costs."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

# Runs a command, and prints at its end which modules there are, in a line of its own on standard error.
RUN = """
import atexit, json, sys
atexit.register(lambda: print("\\n" + json.dumps(sorted(sys.modules)), file=sys.stderr))
from vmrescue.cli.main import main
main()
"""
FAR = ("asyncio", "ssl", "yaml", "vmrescue.fleet", "vmrescue.report.html", "vmrescue.image.transports.nbd")
CHECKS = ("vmrescue.checks.rules", "vmrescue.rehearsal.rehearsal")
WRITES = ("vmrescue.transaction", "vmrescue.ntfs.volume", "vmrescue.registry.hive")
DISSECT = ("dissect",)


@pytest.mark.parametrize(
    ("words", "without", "most"),
    [
        (["diagnose", "IMAGE"], (*FAR, *WRITES[:2], *DISSECT), 350),
        (["info", "IMAGE"], (*FAR, *WRITES[:2], *DISSECT), 345),
        (["ls", "IMAGE:3", "Windows"], (*FAR, *CHECKS, *WRITES, *DISSECT, "vmrescue.bcd"), 160),
        (["ls", "IMAGE", r"C:\Windows"], (*FAR, *CHECKS, *WRITES, *DISSECT), 195),
        (["bcdedit", "IMAGE", "/enum", "all"], (*FAR, *CHECKS, *WRITES, *DISSECT), 260),
        (["reg", "IMAGE", "query", r"HKLM\SYSTEM\Select"], (*FAR, *CHECKS, *WRITES[:2], *DISSECT), 260),
        (["undo", "IMAGE", "--list"], (*FAR, *CHECKS, *WRITES[1:], *DISSECT, "construct"), 105),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_a_command_imports_only_what_it_needs(
    gen2_broken: Path, words: list[str], without: tuple[str, ...], most: int
) -> None:
    command = [sys.executable, "-c", RUN, *(word.replace("IMAGE", str(gen2_broken)) for word in words)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    modules = json.loads(done.stderr.splitlines()[-1])
    assert [name for name in modules if f"{name}.".startswith(tuple(f"{each}." for each in without))] == []
    assert len([name for name in modules if name.startswith("vmrescue")]) <= most
