"""A rehearsal as plain text: the stages, what is odd in each, and where the start ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.printable import printable
from vmrescue.rehearsal.stage import State
from vmrescue.report.fold import fold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.rehearsal import Rehearsal, Stage

SHOWN = 12  # things of a stage, those that end the path before others
STATE = 8  # letters of a state
MARKS = {State.OK: " ", State.ODD: "?", State.UNKNOWN: "-", State.STOP: "!"}


def rehearsal_text(rehearsal: Rehearsal, full: bool = False) -> str:
    """A line for each stage, and one for each thing in it that is not as it should be; `full`: for each thing."""
    lines: list[str] = []
    ended = False
    for stage in rehearsal.stages:
        lines += _stage_lines(stage, full, ended)
        if stage.stop and not ended:
            lines += [f"{'':{STATE}} (the start ends here; what the stages below would find is told in brackets)"]
            ended = True
    return "\n".join([*lines, "", *verdict_lines(rehearsal)])


def verdict_lines(rehearsal: Rehearsal) -> list[str]:
    """Where the start ends, or that it does not as far as could be looked."""
    stop = rehearsal.stop
    if stop is None:
        if rehearsal.known:
            return ["No stop was found."]
        hidden = _wrapped(f"What could not be is hidden by damage: {rehearsal.damage}.", "", "  ")
        return ["No stop was found in what could be looked at.", *(hidden if rehearsal.damage else ())]
    said = [
        f"The start ends in the stage {stop.stage}{f' with {stop.code}' if stop.code else ''}.",
        f"shown:   {stop.screen}",
        f"why:     {stop.reason}",
        f"article: {stop.source}",
    ]
    if (later := rehearsal.later) is not None:
        said.append(f"later:   after two starts that fail, {later.code}: {later.reason}")
    return [line for text in said for line in _wrapped(text, "", " " * 9)]


def _stage_lines(stage: Stage, full: bool, ended: bool) -> Iterator[str]:
    """`ended`: whether the start does not come so far."""
    state = f"({stage.state})" if ended else str(stage.state)
    yield f"{state:{STATE}} {stage.id}: {stage.title}"
    told = [fact for fact in stage.facts if full or fact.state is not State.OK]
    shown = told if full else sorted(told, key=lambda fact: fact.state is not State.STOP)[:SHOWN]
    for fact in told:
        if fact in shown:
            yield from _wrapped(f"{fact.what}: {fact.said}", f"       {MARKS[fact.state]} ", " " * 11)
    if len(shown) < len(told):
        yield f"         … {len(told) - len(shown)} more"


def _wrapped(text: str, first: str, indent: str) -> list[str]:
    return fold(printable(text), first, indent)
