"""A scan as one HTML file: what was found how often, and a table of the images that can be sorted and searched.

The rows are in the page as JSON, one a line, so that a page of any length is written, and read again, row by row.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import field
from datetime import UTC, datetime
from io import TextIOWrapper
from itertools import pairwise
from typing import TYPE_CHECKING, Any, BinaryIO

from vmrescue.dataclass import dataclass
from vmrescue.errors import FormatError
from vmrescue.files import lines
from vmrescue.fleet.stored import LONGEST, PAGE_ROW, parsed
from vmrescue.report.templating import template
from vmrescue.units import GIB, size_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmrescue.fleet.stored import Check

Row = dict[str, Any]

BEGIN = '<script type="application/x-ndjson" id="rows">'
END = "</script>"
FREE_SPACE_STEPS = (100 << 20, 300 << 20, GIB, 4 * GIB, 16 * GIB, 64 * GIB)  # bytes; 300 MB is what Windows needs


@dataclass(frozen=True)
class Scan:
    """What a page says of the scan that made it.

    Args:
        sources: what was looked at, as it was asked for.
        began: when; now, unless given.
    """

    sources: tuple[str, ...] = ()
    began: datetime = field(default_factory=lambda: datetime.now(UTC))

    def duration(self) -> str:
        """How long it has been going on."""
        return duration_text((datetime.now(UTC) - self.began).total_seconds())


class Totals:
    """What is counted while the rows go by."""

    def __init__(self) -> None:
        self.images = 0
        self.seconds = 0.0
        self.bytes_read = 0
        self.statuses: Counter[str] = Counter()
        self._checks: Counter[str] = Counter()
        self._free: Counter[int] = Counter()  # by the number of steps below

    def counted(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The same rows."""
        for row in rows:
            self.images += 1
            self.seconds += row["seconds"]
            self.bytes_read += row["bytes_read"]
            self.statuses[row["status"]] += 1
            self._checks.update(row["checks"])
            if row["os_free"] is not None:
                self._free[sum(row["os_free"] >= step for step in FREE_SPACE_STEPS)] += 1
            yield row

    def percent(self, count: int) -> float:
        """Of the images; of none, nothing."""
        return round(100 * count / self.images, 2) if self.images else 0

    def by_check(self) -> list[tuple[str, int]]:
        """How many images each check found something in, the most first."""
        return sorted(self._checks.items(), key=lambda item: (-item[1], item[0]))

    def histogram(self) -> list[tuple[str, int]]:
        """How many OS volumes have how much free."""
        steps = [size_text(step) for step in FREE_SPACE_STEPS]
        names = [f"under {steps[0]}", *(f"{low} to {high}" for low, high in pairwise(steps))]
        return [(name, self._free[index]) for index, name in enumerate([*names, f"{steps[-1]} and more"])]


def duration_text(seconds: float) -> str:
    """``43.8 s``, ``5 min 2 s``, ``3 h 20 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def write(rows: Iterable[Row], stream: BinaryIO, scan: Scan | None = None) -> None:
    """Writes the page of a scan's rows (`fleet.rows.page_row`) to a file. Raises UnsupportedError without Jinja2."""
    totals = Totals()
    page = template("scan.html").generate(rows=totals.counted(rows), totals=totals, scan=scan, duration=duration_text)
    stream.writelines(piece.encode() for piece in page)


def read(stream: BinaryIO) -> Iterator[Row]:
    """The rows of a page that `write` has made. Raises FormatError where it is another."""
    return rows_in(stream, PAGE_ROW, "a scan")


def rows_in(stream: BinaryIO, shape: Check, what: str) -> Iterator[Row]:
    """The rows that a page holds as JSON, each of this shape. Raises FormatError where it is no page of `what`."""
    with TextIOWrapper(stream, encoding="utf-8", errors="replace") as page:
        numbered = lines(page, stream.name, LONGEST)
        if not any(line.startswith(BEGIN) for _, line in numbered):
            raise FormatError(stream.name, None, f"the rows of the report of {what}")
        for number, line in numbered:
            if line.startswith(END):
                return
            yield parsed(line, shape, f"{stream.name}, line {number}", what)
