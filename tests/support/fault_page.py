"""docs/faults.md: a row for each fault of `tests/faults/`, made of its recipe.

``PYTHONPATH=tests:images python -m support.fault_page > docs/faults.md``
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.fault import load, names

if TYPE_CHECKING:
    from support.fault import Fault, Table

HEAD = """# Faults

Each row is a folder of `tests/faults/`: a disk on which other people's tools make one thing wrong, what a diagnosis
must find there, and how a repair must end. `python -m tests.faults NAME` makes that disk and plays it: diagnosis,
repair, second diagnosis, undo, with the judges before and after. Every fault is played in each run of the tests. The
page is made of the recipes (`tests/support/fault_page.py`), and a test compares it.

*Code* is where the start must be found to end, and with which code; it is empty where it does not end, or where the
recipe is about something else. *Repair* says what `vmrescue repair` leaves, as the second diagnosis must find it:
warnings and what is critical.

| fault | code | repair | source |
| --- | --- | --- | --- |
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(map(_row, map(load, names())))


def _row(fault: Fault) -> str:
    recipe = fault.recipe
    title = recipe["title"].replace("|", "\\|")
    return f"| `{fault.name}`: {title} | {_code(recipe)} | {_repair(recipe)} | {_link(recipe['source'])} |\n"


def _code(recipe: Table) -> str:
    """Of a disk that cannot be read, its exit status."""
    expected = recipe["expect"]
    stop: str = expected.get("stop", "")
    return f"exit status {expected['status']}" if expected["status"] > 1 else stop


def _repair(recipe: Table) -> str:
    repair = recipe.get("repair")
    if repair is None:
        return "there is nothing to repair" if recipe["expect"]["status"] == 0 else "none: it is told"
    if repair["status"] == 4:
        return "refused, and not a byte is changed"
    words = f" with `{' '.join(repair['options'])}`" if repair.get("options") else ""
    after = repair["after"]
    if not after.get("findings", after["status"]):
        return f"mended{words}"
    left = ", ".join(f"`{each.split()[0]}`" for each in after.get("findings", []))
    return f"made{words}; left: {left or 'other findings'}"


def _link(source: str) -> str:
    address = source.split()[0].rstrip(";,")
    return f"[{address.removeprefix('https://').split('/')[0]}]({address})"


if __name__ == "__main__":
    print(page(), end="")
