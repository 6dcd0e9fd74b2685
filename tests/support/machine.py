"""What this machine may lack, and what that means: a skip with its reason for a user, a failure in CI."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, NoReturn

import pytest

from support import judges

if TYPE_CHECKING:
    from pathlib import Path

IN_CI = os.environ.get("CI", "") not in ("", "0", "false")


def missing(reason: str) -> NoReturn:
    """Skips the test, with its reason; in CI nothing may be missing, so there it fails."""
    if IN_CI:
        pytest.fail(f"in CI this may not be missing: {reason}")
    pytest.skip(reason)


def need_tool(name: str) -> str:
    """The path of a judge, e.g. ``ntfsresize``: one of `support.judges`."""
    path = judges.find(name)
    return path or missing(f"the program {name} is not installed ({judges.package_of(name)} has it)")


def need_tools(*names: str) -> None:
    """For what starts them by itself, as `images/build.py` does."""
    for name in names:
        need_tool(name)


def need_root() -> None:
    """Loop devices and FUSE mounts need root."""
    if os.geteuid() != 0:
        missing("needs root, for loop devices and mounts")


def run(*command: str | Path, stdin: bytes | None = None, ok: tuple[int, ...] = (0,), **environment: str) -> str:
    """Runs a judge and returns what it printed (both streams); an exit status not in `ok` fails the test.

    `environment`: variables that it is given besides ours, e.g. ``TZ="UTC"``.
    """
    done = subprocess.run(
        [need_tool(str(command[0])), *map(str, command[1:])],
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=600,
        env=os.environ | environment,
    )
    text = done.stdout.decode("utf-8", "replace")
    assert done.returncode in ok, f"{' '.join(map(str, command))} ended with {done.returncode}:\n{text}"
    return text


def run_bytes(*command: str | Path) -> bytes:
    """Runs a judge and returns what it wrote to standard output, byte for byte."""
    done = subprocess.run([need_tool(str(command[0])), *map(str, command[1:])], capture_output=True, timeout=600)
    assert done.returncode == 0, f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stderr!r}"
    return done.stdout
