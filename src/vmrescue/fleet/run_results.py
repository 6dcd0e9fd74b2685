"""The results of a run of repairs as a kind of results: what the forms of a result file have to know of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vmrescue.fleet.kind import ResultKind
from vmrescue.fleet.repaired import SCHEMA
from vmrescue.fleet.run_rows import COLUMNS, DOCUMENT, PAGE_ROW, ROW, WHAT, page_row, row_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def _shorter(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What an image says of itself is what may be long: the receipt beside it has all of it."""
    yield document | {"left": [], "notes": ["what is left is too long to be said here: see the receipt"]}
    yield document | {"left": [], "made": [], "notes": ["this is too long to be said here: see the receipt"]}


def _page() -> Any:
    import vmrescue.fleet.run_page as page

    return page


RUN = ResultKind(
    what=WHAT,
    schema=SCHEMA,
    columns=COLUMNS,
    row_of=row_of,
    document=DOCUMENT,
    row=ROW,
    page_row=PAGE_ROW,
    brief=page_row,
    page=_page,
    nested={
        "changes": {"check": str, "title": str},
        "findings": {"check": str, "severity": str, "summary": str, "commands": list},
    },
    nested_of=lambda document: {"changes": document["made"], "findings": document["left"]},
    shorter=_shorter,
)
