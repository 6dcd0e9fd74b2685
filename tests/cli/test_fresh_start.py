"""Each command as a user starts it: in a Python of its own, which imports only what that command asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.command import vmrescue_anew
from vmrescue.cli.main import COMMANDS

if TYPE_CHECKING:
    from pathlib import Path


def test_every_command_finds_what_it_needs_in_a_python_that_has_imported_nothing_yet(
    gen2_broken: Path, tmp_path: Path
) -> None:
    image, out, plan, source = (str(path) for path in (gen2_broken, tmp_path / "out", tmp_path / "plan", __file__))
    lines: dict[str, tuple[str | tuple[int, ...], ...]] = {
        "diagnose": (image, (1,)),
        "explain": ("bad-memory",),
        "scan": (image, "--jobs", "2", (1,)),
        "info": (image,),
        "ls": (image, r"C:\Windows"),
        "get": (image, r"C:\Windows\System32\config\SYSTEM", out),
        "plan": (image, "--only", "serial-console", "--output", plan),
        "apply": (plan, image, "--yes", (1,)),
        "repair": (image, "--only", "crash-dump", "--yes"),
        "bcdedit": (image, "/enum", "all"),
        "reg": (image, "query", r"HKLM\SYSTEM\Select"),
        "put": (image, source, r"C:\new.py", "--yes"),
        "cat": (image, r"C:\new.py"),
        "rm": (image, r"C:\new.py", "--yes"),
        "backup": (image, f"{out}-backup"),
        "cleanup": (image, "--yes", (1,)),
        "expand": (image, "--size", "1G", "--yes"),
        "undo": (image,),
        "defrag": (image, "--analyze"),
        "demo": ("--sample", "gen2-broken"),
    }
    for name in [*lines, *(COMMANDS.keys() - lines.keys())]:
        words = lines.get(name, ("--help",))
        statuses = [word for word in words if not isinstance(word, str)] or [(0,)]
        done = vmrescue_anew(name, *(word for word in words if isinstance(word, str)))
        assert done.returncode in statuses[0], f"{name} ended with {done.returncode}: {done.stderr}"
