"""The table of judges at the end of a run: which were used, by how many tests, and which were missing.

pytest calls these functions: `conftest.py` has them among its names. Under xdist each worker tells what its tests
used when it ends, and the process that prints adds it up.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from support.judges import JUDGES, used

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

ANSWER = "judges"  # the name under which a worker tells
_told: defaultdict[str, set[str]] = defaultdict(set)  # judge: tests, of all workers


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In a worker: what its tests used."""
    output = getattr(session.config, "workeroutput", None)
    if output is None:
        _add(used())
    else:
        output[ANSWER] = used()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """In the process that prints: what a worker tells. One that was lost tells nothing."""
    _add(getattr(node, "workeroutput", {}).get(ANSWER, {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table, where any judge was asked for."""
    if not _told:
        return
    terminalreporter.section("judges")
    for line in table(_told):
        terminalreporter.line(line)


def _add(tests_by_judge: Mapping[str, list[str]]) -> None:
    for name, tests in tests_by_judge.items():
        _told[name] |= set(tests)


def table(told: Mapping[str, set[str]]) -> list[str]:
    """A row for each judge that a test asked for, and lines for the others."""
    rows = [("judge", "tests", "package", "what it is asked")]
    others: dict[str, list[str]] = {"there": [], "missing": []}
    for name, judge in JUDGES.items():
        there = judge.find(name) is not None
        if name in told:
            count = str(len(told[name])) if there else "missing"
            rows.append((name, count, judge.package, judge.asked))
        else:
            others["there" if there else "missing"].append(name)
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]) for row in rows
    ]
    lines += [f"{len(others['there'])} more are there, and were not asked"] * bool(others["there"])
    lines += [f"missing, and not asked for: {', '.join(others['missing'])}"] * bool(others["missing"])
    return lines
