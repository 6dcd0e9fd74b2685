"""docs/faults.md: a row for each fault of `tests/faults/`, made of what its folder holds.

``PYTHONPATH=tests:images python -m support.fault_page > docs/faults.md``
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.fault import load, names

if TYPE_CHECKING:
    from support.fault import Fault, Recipe, Wanted

HEAD = """# Faults

Each row is a folder of `tests/faults/`: a disk on which other people's tools make one thing wrong, what a diagnosis
must find there, and how a repair must end. Beside the recipe lie what was found (`expect.json`), what a person sees of
it (`expect.txt`), and where the situation comes from (`source.md`). `python -m tests.faults NAME` makes that disk and
plays it: diagnosis, rehearsal, repair, second diagnosis, second repair, undo, with the judges before and after. Every
fault is played in each run of the tests. The page is made of the folders (`tests/support/fault_page.py`), and a test
compares it.

*Code* is where the start must be found to end, and with which code; it is empty where it does not end. *Repair* says
what `vmrescue repair` leaves, as the second diagnosis must find it: warnings and what is critical.

| fault | code | repair | source |
| --- | --- | --- | --- |
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(map(_row, map(load, names())))


def _row(fault: Fault) -> str:
    recipe, source = fault.recipe, fault.source
    link = f"[{_cell(source.title)}]({source.address})"
    return f"| `{fault.name}`: {_cell(recipe.title)} | {_code(recipe.expect)} | {_repair(recipe)} | {link} |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _code(expected: Wanted) -> str:
    """Of a disk that cannot be read, its exit status."""
    return f"exit status {expected.status}" if expected.status > 1 else expected.stop


def _repair(recipe: Recipe) -> str:
    repair = recipe.repair
    if repair is None:
        return "there is nothing to repair" if recipe.expect.status == 0 else "none: it is told"
    if repair.after is None:
        return "refused, and not a byte is changed"
    words = f" with `{' '.join(repair.options)}`" if repair.options else ""
    if not repair.after.findings and not repair.after.status:
        return f"mended{words}"
    left = ", ".join(f"`{each.split()[0]}`" for each in repair.after.findings)
    return f"made{words}; left: {left or 'other findings'}"


if __name__ == "__main__":
    print(page(), end="")
