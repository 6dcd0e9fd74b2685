"""What a command imports: the start of a process is a large part of what a short one costs."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from vmrescue.registry import Hive

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# Runs a command, and prints at its end which modules there are, in a line of its own on standard error.
RUN = """
import atexit, json, sys
atexit.register(lambda: print("\\n" + json.dumps(sorted(sys.modules)), file=sys.stderr))
from vmrescue.cli.main import main
main()
"""
FAR = ("asyncio", "ssl", "yaml", "vmrescue.fleet", "vmrescue.report.html", "vmrescue.image.transports.nbd")
# What only reads has no use for.
SLOW = ("logging", "tempfile", "difflib", "csv", "importlib.resources", "vmrescue.readers.qcow2")
CHECKS = ("vmrescue.checks.rules", "vmrescue.rehearsal.rehearsal")
WRITES = ("vmrescue.transaction", "vmrescue.ntfs.volume", "vmrescue.registry.hive")
DISSECT = ("dissect",)


@pytest.mark.parametrize(
    ("words", "without", "most"),
    [
        (["diagnose", "IMAGE"], (*FAR, *SLOW, *WRITES[:2], *DISSECT), 308),
        (["info", "IMAGE"], (*FAR, *SLOW, *WRITES[:2], *DISSECT), 309),
        (["ls", "IMAGE:3", "Windows"], (*FAR, *SLOW, *CHECKS, *WRITES, *DISSECT, "vmrescue.bcd"), 132),
        (["ls", "IMAGE", r"C:\Windows"], (*FAR, *SLOW, *CHECKS, *WRITES, *DISSECT), 156),
        (["bcdedit", "IMAGE", "/enum", "all"], (*FAR, *SLOW, *CHECKS, *WRITES, *DISSECT), 217),
        (["reg", "IMAGE", "query", r"HKLM\SYSTEM\Select"], (*FAR, *SLOW, *CHECKS, *WRITES[:2], *DISSECT), 200),
        (["undo", "IMAGE", "--list"], (*FAR, *SLOW, *CHECKS, *WRITES[1:], *DISSECT, "construct"), 70),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_a_command_imports_only_what_it_needs(
    gen2_broken: Path, words: list[str], without: tuple[str, ...], most: int
) -> None:
    modules = imported_by([word.replace("IMAGE", str(gen2_broken)) for word in words])
    assert among(modules, without) == []
    assert len(among(modules, ("vmrescue",))) <= most


def test_an_edit_of_a_hives_file_imports_no_check_and_no_file_system(tmp_path: Path) -> None:
    hive = tmp_path / "HIVE"
    hive.write_bytes(Hive.create("HIVE").to_bytes())
    modules = imported_by(["reg", str(hive), "add", r"HKLM\HIVE", "/v", "X", "/d", "1", "/f", "--yes"])
    assert Hive(hive.read_bytes()).value("", "X").data == "1"
    far = "vmrescue.diagnosis.examination", "vmrescue.ntfs", "vmrescue.fat", "importlib.metadata", "email"
    assert among(modules, (*FAR, *CHECKS, *far)) == []
    assert len(among(modules, ("vmrescue",))) <= 248


def imported_by(words: list[str]) -> list[str]:
    """The names of all modules that there are at the end of a command."""
    done = subprocess.run([sys.executable, "-c", RUN, *words], capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    modules: list[str] = json.loads(done.stderr.splitlines()[-1])
    return modules


def among(modules: list[str], rooms: Sequence[str]) -> list[str]:
    """Those that are these, or lie in them."""
    return [name for name in modules if f"{name}.".startswith(tuple(f"{room}." for room in rooms))]
