"""Ctrl-C at the moments where Python itself would drop it."""

from __future__ import annotations

import gc
import io
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.images import fingerprint
from vmrescue.cli.interrupts import noticed_interrupts
from vmrescue.interrupts import checkpoint, held

if TYPE_CHECKING:
    from pathlib import Path


class InterruptedWhileClosed(io.RawIOBase):
    """A file during whose closing Ctrl-C comes."""

    def close(self) -> None:
        if not self.closed:
            super().close()
            signal.raise_signal(signal.SIGINT)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Python 3.13 says what it drops
def test_an_interrupt_that_python_drops_is_raised_at_the_next_step() -> None:
    with noticed_interrupts() as interrupted:
        interrupted()
        InterruptedWhileClosed()  # closed by its finaliser: nothing is raised here
        gc.collect()
        with pytest.raises(KeyboardInterrupt):
            interrupted()


def test_an_interrupt_is_raised_at_once_or_waits_as_the_command_wants() -> None:
    before = signal.getsignal(signal.SIGINT)
    with noticed_interrupts(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    with held():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            checkpoint()
    assert signal.getsignal(signal.SIGINT) is before


END_WITHIN = """
import os, sys

ENDING, WHERE = int(sys.argv.pop(1)), sys.argv.pop(1)

def watch(frame, event, _):
    if event == "call" and WHERE in (frame.f_code.co_qualname, frame.f_globals.get("__name__")):
        sys.setprofile(None)
        os.kill(os.getpid(), ENDING)

sys.setprofile(watch)
from vmrescue.__main__ import main
sys.argv[0] = "vmrescue"
main()
"""


TERM = str(signal.SIGTERM.value)


def test_a_command_that_ends_while_a_temporary_file_is_half_made_prints_no_traceback(gen2_broken: Path) -> None:
    words = ("repair", "--yes", str(gen2_broken))
    before = fingerprint(gen2_broken)
    command = [sys.executable, "-c", END_WITHIN, TERM, "SpooledTemporaryFile.__init__", *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (143, "vmrescue: interrupted\n")
    assert fingerprint(gen2_broken) == before


@pytest.mark.parametrize("where", ["Command.parse_args", "vmrescue.image.notices", "vmrescue.cli.info"])
def test_a_signal_while_a_command_is_only_being_read_is_no_finding(where: str) -> None:
    """click answers Ctrl-C with the status 1, which says that an image has findings."""
    command = [sys.executable, "-c", END_WITHIN, TERM, where, "info", "there is no such image"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (143, "vmrescue: interrupted\n")


def test_ctrl_c_while_python_imports_prints_no_traceback() -> None:
    command = [sys.executable, "-c", END_WITHIN, str(signal.SIGINT.value), "click", "info", "there is no such image"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")
