"""The command `vmrescue`, run as a user runs it: as a process of its own."""

from __future__ import annotations

import subprocess
import sys

# Before a command that is to be interrupted: a background job of a shell has its children ignore Ctrl-C, nohup SIGHUP.
INTERRUPTIBLE = ("env", "--default-signal=INT,HUP,TERM")


def vmrescue(*arguments: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Runs it and returns what came out, whatever the exit status."""
    command = [sys.executable, "-m", "vmrescue", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, input=stdin)


def output_of(*arguments: object, status: int = 0, stdin: str = "") -> str:
    """What it printed, when it ended with this exit status."""
    done = vmrescue(*arguments, stdin=stdin)
    assert done.returncode == status, f"{arguments} ended with {done.returncode}: {done.stderr}"
    return done.stdout
