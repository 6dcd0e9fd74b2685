"""One input under its limits: time by a timer, memory by what the kernel gives out and counts."""

from __future__ import annotations

import resource
import signal
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vmrescue.errors import VmRescueError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

SECONDS = 5.0  # of this process's own time, for one input
MEMORY = 512 << 20  # bytes beyond what the process had when it was given the input
_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_FORGET_PEAK = "5"  # proc(5), clear_refs: the peak of the resident set becomes what it is now


class TooSlow(BaseException):
    """Not an Exception: no `except Exception` on the way may take it for damaged input."""


@dataclass(frozen=True)
class Outcome:
    """How an input ended.

    Args:
        kind: ``accepted``, the name of a VmRescueError, or of what is a find.
        find: what is wrong with that, or "".
        seconds: of this process's time.
        memory: bytes by which the process grew at most.
    """

    kind: str
    find: str
    seconds: float
    memory: int


def try_input(run: Callable[[bytes], None], data: bytes) -> Outcome:
    """Runs a parser on an input. Only what is no success and no VmRescueError, or is over a limit, is a find."""
    resident, allocated = _kib("VmRSS"), _kib("VmSize")
    _CLEAR.write_text(_FORGET_PEAK)
    resource.setrlimit(resource.RLIMIT_AS, ((allocated << 10) + MEMORY, resource.RLIM_INFINITY))
    signal.signal(signal.SIGPROF, _too_slow)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    begun = time.process_time()
    try:
        kind, find = _ended(run, data)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return Outcome(kind, find, time.process_time() - begun, max(0, _kib("VmHWM") - resident) << 10)


def _ended(run: Callable[[bytes], None], data: bytes) -> tuple[str, str]:
    try:
        run(data)
    except VmRescueError as error:
        return type(error).__name__, _hidden_find(error)
    except TooSlow:
        return "TooSlow", f"over {SECONDS} s:\n{traceback.format_exc(limit=-6)}"
    except Exception as error:  # noqa: BLE001 - finding what nobody expects is the purpose
        return type(error).__name__, traceback.format_exc()
    return "accepted", ""


def _hidden_find(error: BaseException) -> str:
    """A lack of memory, or a mistake in our own code, that a guard has turned into an error of ours."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError | NameError | AssertionError):
            return f"{type(cause).__name__} behind {error}:\n" + "".join(traceback.format_exception(cause))
        cause = cause.__cause__ or cause.__context__
    return ""


def _too_slow(signal_number: int, frame: FrameType | None) -> None:
    raise TooSlow


def _kib(name: str) -> int:
    text = _STATUS.read_text()
    start = text.index(name) + len(name) + 1
    return int(text[start : text.index("kB", start)])
