"""A run of repairs as one HTML file: a table of the images, each with what was made, what is left and what to do next.

The rows are in the page as JSON too, one a line, so that it is read again row by row.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, BinaryIO

from vmrescue.fleet.run_rows import PAGE_ROW, WHAT
from vmrescue.fleet.scan_page import Scan, duration_text, rows_in
from vmrescue.report.templating import template

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Row = dict[str, Any]

__all__ = ["Scan", "read", "write"]


def write(rows: Iterable[Row], stream: BinaryIO, scan: Scan | None = None) -> None:
    """Writes the page of a run's rows (`fleet.run_rows.page_row`) to a file."""
    held = list(rows)
    counts = Counter(row["status"] for row in held)
    page = template("run.html").generate(rows=held, counts=counts, scan=scan, duration=duration_text)
    stream.writelines(piece.encode() for piece in page)


def read(stream: BinaryIO) -> Iterator[Row]:
    """The rows of a page that `write` has made. Raises FormatError where it is another."""
    return rows_in(stream, PAGE_ROW, WHAT)
