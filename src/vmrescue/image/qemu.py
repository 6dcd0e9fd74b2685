"""`qemu-img`, which makes the containers that vmrescue does not write, where it is installed.

It is asked only to convert a raw image that is complete, and to compare what it made with that.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

from vmrescue.errors import RefusedError, RepairFailedError, UnsupportedError, WriteError
from vmrescue.files import NEW_FILE
from vmrescue.interrupts import checkpoint

if TYPE_CHECKING:
    from pathlib import Path

PACKAGES = "qemu-utils (Debian, Ubuntu), qemu-img (Fedora, RHEL, Alpine)"
KNOWS_HOLES = ("qcow2",)  # of which QEMU tells what is allocated
POLL = 0.1  # seconds between two looks at whether the program is done, or is to be ended


def must_be_there(form: str) -> None:
    """Raises UnsupportedError where there is no `qemu-img`."""
    if shutil.which("qemu-img") is None:
        raise UnsupportedError(
            f"a {form} is made by qemu-img, which is not installed: it comes with the package {PACKAGES}; a vhd, a"
            " vhd-dynamic and a raw copy are made without it"
        )


def convert(raw: Path, out: Path, form: str) -> None:
    """Makes a new file `out` of the raw image, in QEMU's format `form`; its holes stay holes. It is on stable storage.

    Raises:
        RefusedError: something is called `out` already.
        WriteError: it could not be made; what there is of it is gone.
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
    """Raises RepairFailedError unless `qemu-img compare` finds the same disk in both.

    Of a VHDX it does not know the holes, and would read their zeros, a minute for 100 GiB: there `qemu-img check` looks
    at its structures, and whoever reads what is in it has to compare that.
    """
    place = f"file:{out.absolute()}"
    if form in KNOWS_HOLES:
        done = _run("compare", "-f", "raw", "-F", form, f"file:{raw.absolute()}", place)
    else:
        done = _run("check", "-f", form, place)
    if done.returncode:
        raise RepairFailedError(f"{out} is not what it was made of, says qemu-img: {_said(done)}")


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    """Runs it to its end; a signal that is to end this program ends it too."""
    must_be_there("copy in that form")
    process = subprocess.Popen(
        ["qemu-img", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a terminal's Ctrl-C is for this program to answer
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
