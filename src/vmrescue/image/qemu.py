"""Calls `qemu-img`, if it is installed, to make containers that vmrescue does not write, and to check them.

It only converts a complete raw image, and compares the result with it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING, Any

from vmrescue.errors import RefusedError, RepairFailedError, UnsupportedError, WriteError
from vmrescue.files import NEW_FILE
from vmrescue.interrupts import checkpoint

if TYPE_CHECKING:
    from pathlib import Path

PACKAGES = "qemu-utils (Debian, Ubuntu: apt install qemu-utils), qemu-img (Fedora, RHEL: dnf install qemu-img; Alpine)"
SOUND, LEAKS = 0, 3  # exit statuses of `qemu-img check`
POLL = 0.1  # seconds between checks whether the program is done or has to be ended


def must_be_there(form: str) -> None:
    """Raises UnsupportedError if `qemu-img` is not installed."""
    if shutil.which("qemu-img") is None:
        raise UnsupportedError(
            f"a {form} is made by qemu-img, which is not installed: it comes with the package {PACKAGES}; a vhd, a"
            " vhd-dynamic, a vhdx and a raw copy are made without it"
        )


def convert(raw: Path, out: Path, form: str) -> None:
    """Converts the raw image to a new file `out` in QEMU's format `form`, and syncs it. Holes stay holes.

    Raises:
        RefusedError: `out` exists already.
        WriteError: the conversion failed; what was written is deleted.
    """
    try:
        os.close(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, NEW_FILE))
    except FileExistsError as error:
        raise RefusedError(f"{out} exists already; it is not overwritten") from error
    except OSError as error:
        raise WriteError(f"cannot create {out}: {error.strerror}") from error
    try:
        done = _run("convert", "-f", "raw", "-O", form, f"file:{raw.absolute()}", f"file:{out.absolute()}")
        if done.returncode:
            raise WriteError(f"qemu-img cannot make {out}: {_said(done)}")
        with out.open("rb") as stream:
            os.fsync(stream.fileno())
    except BaseException:
        out.unlink(missing_ok=True)
        raise


def must_be_sound(raw: Path, out: Path, form: str) -> None:
    """Raises RepairFailedError unless `qemu-img compare` finds the same disk in both."""
    done = _run("compare", "-f", "raw", "-F", form, f"file:{raw.absolute()}", f"file:{out.absolute()}")
    if done.returncode:
        raise RepairFailedError(f"{out} is not what it was made of, says qemu-img: {_said(done)}")


def found_sound(blocks: dict[str, Any]) -> str | None:
    """What `qemu-img check` finds damaged in an image, named by QEMU's options of it; None if nothing.

    Clusters that nothing uses are no damage: a program that was killed leaves them.
    """
    done = _run("check", "--output=human", f"json:{json.dumps(blocks)}")
    return None if done.returncode in (SOUND, LEAKS) else _said(done)


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    """Runs `qemu-img`. A signal that ends this program ends it too."""
    must_be_there("copy in that form")
    process = subprocess.Popen(
        ["qemu-img", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C in the terminal goes to this program only
    )
    with process:
        try:
            while True:
                try:
                    out, err = process.communicate(timeout=POLL)
                    break
                except subprocess.TimeoutExpired:
                    checkpoint()
        except BaseException:
            process.send_signal(signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(words, process.returncode, out, err)


def _said(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stderr or done.stdout).strip().splitlines()
    return lines[-1].removeprefix("qemu-img: ") if lines else f"it ended with status {done.returncode}"
