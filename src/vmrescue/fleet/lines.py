"""Results in files of lines, JSON or CSV: each is on the disk when its image is done, and can be read at any time."""

from __future__ import annotations

import csv
import io
import json
import os
from typing import TYPE_CHECKING, Any

from vmrescue.errors import FormatError, VmRescueError
from vmrescue.files import open_regular
from vmrescue.fleet.rows import COLUMNS, row_of
from vmrescue.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TAIL = 1 << 16
RISKY = ("=", "+", "-", "@", "\t", "\r", "'")  # a spreadsheet would take a cell that begins so for a formula


class LineFile:
    """A file that grows by whole lines.

    Args:
        path: the file.
        resume: whether what it holds is kept; a last line that was not finished is cut off.

    Raises:
        RefusedError: it is a link, which somebody may have put there, or no file.
    """

    def __init__(self, path: Path, resume: bool) -> None:
        self.path = path
        try:
            mode = "r+b" if resume and path.exists() else "w+b"
            self._stream = open(path, mode, opener=open_regular)  # noqa: SIM115 - `close` closes it
        except OSError as error:
            raise VmRescueError(f"cannot write {path}: {error.strerror}") from error
        self._end = self._end_of_last_line()
        self.empty = self._end == 0

    def _end_of_last_line(self) -> int:
        end = self._stream.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - TAIL)
            self._stream.seek(start)
            newline = self._stream.read(end - start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        return end

    def lines(self) -> Iterator[str]:
        """Those that are there."""
        with open(self.path, encoding="utf-8", errors="replace", newline="", opener=open_regular) as stream:
            yield from (line for line in stream if line.endswith("\n"))

    def add(self, line: str) -> None:
        """Adds a line; when this returns, other programs see it."""
        try:
            self._stream.truncate(self._end)  # not before: the file may turn out to be none of ours
            self._stream.seek(self._end)
            self._end += self._stream.write(line.encode())
            self._stream.flush()
        except OSError as error:
            raise VmRescueError(f"cannot write {self.path}: {error.strerror}") from error
        self.empty = False

    def close(self) -> None:
        self._stream.close()


class JsonLines:
    """One JSON document a line.

    Args:
        shape: what is kept of a result's document; all of it unless given.
    """

    def __init__(
        self, path: Path, resume: bool, shape: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    ) -> None:
        self._file = LineFile(path, resume)
        self._shape = shape

    def documents(self) -> Iterator[dict[str, Any]]:
        """What the file holds. Raises FormatError where a line is no result."""
        for number, line in enumerate(self._file.lines(), 1):
            try:
                document = json.loads(line)
                document["image"]
            except (ValueError, KeyError, TypeError) as error:
                raise FormatError(f"{self._file.path}, line {number}", 0, "a result of a scan", line[:40]) from error
            yield document

    def images(self) -> Iterator[str]:
        """The images whose results it holds."""
        return (document["image"] for document in self.documents())

    def add(self, document: dict[str, Any]) -> None:
        kept = self._shape(document) if self._shape else document
        self._file.add(json_line(kept))

    def close(self) -> None:
        self._file.close()


class CsvTable:
    """One row an image, under a header, in UTF-8; lists joined with semicolons."""

    def __init__(self, path: Path, resume: bool) -> None:
        self._file = LineFile(path, resume)
        if self._file.empty:
            self._file.add(_csv_line(list(COLUMNS)))

    def images(self) -> Iterator[str]:
        """The images that it holds. Raises FormatError where it is another table."""
        reader = csv.DictReader(self._file.lines())
        if reader.fieldnames != list(COLUMNS):
            raise FormatError(str(self._file.path), 0, "the header of a scan's table", reader.fieldnames)
        return (_plain(row["image"]) for row in reader)

    def add(self, document: dict[str, Any]) -> None:
        row = row_of(document)
        self._file.add(_csv_line([_cell(value, exact=name == "image") for name, value in row.items()]))

    def close(self) -> None:
        self._file.close()


def json_line(document: dict[str, Any]) -> str:
    """A document as a line of its own."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=True) + "\n"


def _csv_line(cells: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


def _cell(value: Any, exact: bool = False) -> str:
    """In one line. What an image says of itself must not become a formula: such text gets an apostrophe in front.

    Nor may it act on a terminal, or hide: only where it is looked up again, `exact`, is it left as it is.
    """
    if value is None:
        return ""
    if isinstance(value, list):
        return ";".join(value)
    text = str(value)
    if isinstance(value, str):
        text = text.replace("\r", " ").replace("\n", " ")
        text = text.encode("utf-8", "backslashreplace").decode() if exact else printable(text)
        return "'" + text if text.startswith(RISKY) else text
    return text


def _plain(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(RISKY) else cell
