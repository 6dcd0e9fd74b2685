"""Ctrl-C at the moments where Python itself would drop it."""

from __future__ import annotations

import gc
import io
import signal

import pytest

from vmrescue.cli.interrupts import noticed_interrupts
from vmrescue.interrupts import checkpoint, held


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
