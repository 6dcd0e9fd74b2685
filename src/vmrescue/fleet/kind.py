"""What the forms of a result file have to know of what they hold: the results of a scan, or of a run of repairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vmrescue.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vmrescue.fleet.stored import Check

    Document = dict[str, Any]
    Fields = dict[str, type]


@dataclass(frozen=True)
class ResultKind:
    """A kind of results.

    Attributes:
        what: where they come from, for people: ``a scan``.
        schema: the name of the documents' form.
        columns: a row's fields, and what each is: text, number, integer, list of texts.
        row_of: the row of a document.
        document, row, page_row: what is read back must be such a document, row of a table, row of a page.
        brief: the row of a document in a page, with what it opens to show.
        page: imports the module that writes and reads the page (`write`, `read`, `Scan`).
        nested: further columns of a Parquet file, a list of structures each.
        nested_of: what of a document is in them.
        shorter: smaller documents for one that is too long to be a line, the most telling first.
    """

    what: str
    schema: str
    columns: Fields
    row_of: Callable[[Document], Document]
    document: Check
    row: Check
    page_row: Check
    brief: Callable[[Document], Document]
    page: Callable[[], Any]
    nested: dict[str, Fields]
    nested_of: Callable[[Document], dict[str, list[Document]]]
    shorter: Callable[[Document], Iterable[Document]]
