"""The marks that tests get by what their modules can reach: nobody has to remember them.

`quick`: no judge, no root, no corpus, no campaign. `campaign`: grows with the variables of `support.campaign`.
"""

from __future__ import annotations

import functools
import sys
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

ASKS = "support.machine"  # through which a test asks for a judge, for root, for the corpus
CAMPAIGN = "support.campaign"
# they start many processes, or play many whole repairs
LONG = {"fleet", "test_crash", "test_failing_disk", "test_fresh_start"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Called by pytest: `conftest.py` has it among its names."""
    for item in items:
        module = item.module.__name__  # type: ignore[attr-defined]
        reached = reach(module)
        if CAMPAIGN in reached:
            item.add_marker(pytest.mark.campaign)
        elif ASKS not in reached and not LONG & set(module.split(".")):
            item.add_marker(pytest.mark.quick)


@functools.cache
def reach(name: str) -> frozenset[str]:
    """The modules from which a module of the tests has anything, and those from which these have."""
    found, waiting = {name}, [name]
    while waiting:
        for near in _near(waiting.pop()):
            if near not in found:
                found.add(near)
                waiting.append(near)
    return frozenset(found)


@functools.cache
def _near(name: str) -> frozenset[str]:
    module = sys.modules.get(name)
    values: Iterable[object] = vars(module).values() if module and _is_ours(module) else ()
    return frozenset(value.__name__ if isinstance(value, ModuleType) else _home(value) for value in list(values))


def _home(value: object) -> str:
    home = getattr(value, "__module__", "")
    return home if isinstance(home, str) else ""


def _is_ours(module: ModuleType) -> bool:
    """A module below `tests/`, or one beside it that makes disks or fuzzes."""
    return any(f"/{folder}/" in (getattr(module, "__file__", None) or "") for folder in ("tests", "images", "fuzz"))
