"""What is being done, shown on a terminal while it takes longer than a moment, and wiped away before anything is said.

It is drawn by a thread, so that it moves even where the work does not say how far it has got. Where stderr is no
terminal nothing is drawn.
"""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from vmrescue.printable import printable
from vmrescue.progress import on_progress
from vmrescue.units import size_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Progress as Bars

    from vmrescue.progress import Progress

FIRST = 0.5  # seconds that a command may take before it says what it does; imports count
LATER = 0.1  # and once it has taken those, before it says what it does next
OFTEN = 8  # times a second that the bar is drawn


class Display:
    """One line at the bottom of the terminal.

    Args:
        in_colour: whether it may be in colour, asked once the command's options are known.
    """

    def __init__(self, in_colour: Callable[[], bool]) -> None:
        self._in_colour = in_colour
        self._lock = threading.RLock()
        self._timer: threading.Timer | None = None
        self._began = self._since = time.monotonic()  # the command, and what it does now
        self._now: Progress | None = None
        self._shown: Progress | None = None
        self._bars: Bars | None = None
        self._plain = False  # whether the line that stands until the bar can be drawn is there
        self._colour = True

    def __call__(self, progress: Progress | None) -> None:
        """Told what is being done; None: nothing any more."""
        with self._lock:
            if progress and not (self._now and self._now.deed == progress.deed):
                self._since = time.monotonic()
            self._now = progress
            if progress is None:
                self._forget_timer()
                self.wipe()
            elif self._bars:
                self._draw(self._bars, progress)
            elif self._timer is None:
                self._colour = self._in_colour()
                self._timer = threading.Timer(self._wait(), self._show)
                self._timer.daemon = True
                self._timer.start()

    def wipe(self) -> None:
        """Makes room for what is to be said; the line comes back with the next news, however much there is to say."""
        with self._lock:
            self._wipe_plain()
            if self._bars:
                self._bars.stop()
                self._bars = self._shown = None

    def _forget_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> float:
        return max(LATER, self._began + FIRST - time.monotonic())

    def _say_plainly(self) -> None:
        """At once: what draws the bar takes a moment to be imported."""
        with self._lock:
            if self._timer and self._now:
                sys.stderr.write(f"\r{printable(self._now.deed)} …")
                sys.stderr.flush()
                self._plain = True

    def _wipe_plain(self) -> None:
        if self._plain:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()
            self._plain = False

    def _show(self) -> None:
        self._say_plainly()
        from rich.console import Console
        from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars
        from rich.text import Text

        class HowFar(ProgressColumn):
            """Both figures in the units that all of vmrescue uses."""

            def render(self, task: Task) -> Text:
                return Text(_how_far(int(task.completed), task.total, str(task.fields["unit"])))

        class HowFast(ProgressColumn):
            def render(self, task: Task) -> Text:
                return Text(str(task.fields["rate"]))

        with self._lock:
            if self._timer is None or self._now is None:
                return  # it came to an end meanwhile
            self._timer = None
            self._wipe_plain()
            self._bars = Bars(
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=20),
                HowFar(),
                HowFast(),
                TimeRemainingColumn(elapsed_when_finished=True),
                console=Console(stderr=True, no_color=not self._colour),
                transient=True,
                refresh_per_second=OFTEN,
                redirect_stdout=False,  # may be a pipe, whose bytes are not ours to print elsewhere
                redirect_stderr=False,
            )
            self._bars.start()
            self._draw(self._bars, self._now)

    def _draw(self, bars: Bars, progress: Progress) -> None:
        seconds = max(time.monotonic() - self._since, OFTEN**-1)
        rate = _how_fast(progress.done / seconds, progress.unit) if progress.done else ""
        if self._shown and (self._shown.deed, self._shown.unit) == (progress.deed, progress.unit):
            bars.update(bars.task_ids[-1], completed=progress.done, total=progress.total, rate=rate)
        else:
            for task in bars.task_ids:
                bars.remove_task(task)
            task = bars.add_task(printable(progress.deed), total=progress.total, unit=progress.unit, rate=rate)
            bars.update(task, completed=progress.done)
        self._shown = progress


def _how_far(done: int, total: float | None, unit: str) -> str:
    if unit == "byte":
        return f"{size_text(done)} of {size_text(int(total))}" if total else size_text(done) if done else ""
    return f"{done} of {int(total)} {unit}s" if total else f"{done} {unit}s" if done else ""


def _how_fast(speed: float, unit: str) -> str:
    return f"{size_text(int(speed))}/s" if unit == "byte" else f"{speed:.1f} {unit}s/s"


_DISPLAY: ContextVar[Display | None] = ContextVar("display", default=None)


@contextmanager
def displayed(in_colour: Callable[[], bool]) -> Iterator[None]:
    """While this lasts, works are shown, if stderr is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    display = Display(in_colour)
    token = _DISPLAY.set(display)
    try:
        with on_progress(display):
            yield
    finally:
        _DISPLAY.reset(token)
        display.wipe()


def wipe() -> None:
    """Before something is said in the midst of a work."""
    if display := _DISPLAY.get():
        display.wipe()
