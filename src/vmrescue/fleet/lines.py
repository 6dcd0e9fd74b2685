"""Results in files of lines, JSON or CSV: each is on the disk when its image is done, and can be read at any time."""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import asdict
from typing import IO, TYPE_CHECKING, Any

from vmrescue.errors import FormatError, VmRescueError
from vmrescue.files import kind_of, lines, open_regular
from vmrescue.fleet import stored
from vmrescue.fleet.result import ImageError
from vmrescue.fleet.rows import COLUMNS, row_of
from vmrescue.fleet.stored import LONGEST
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
            mode = "r+b" if resume and kind_of(path) else "w+b"
            self._stream: IO[bytes] = open(path, mode, opener=open_regular)  # noqa: SIM115 - `close` closes it
        except OSError as error:
            raise VmRescueError(f"cannot write {path}: {error.strerror}") from error
        self._end = self._end_of_last_line()
        self.empty = self._end == 0

    def _end_of_last_line(self) -> int:
        """Raises FormatError where there is none within the length of a line."""
        size = end = self._stream.seek(0, os.SEEK_END)
        while end:
            if size - end > LONGEST:
                self._stream.close()
                raise FormatError(f"{self.path}, last line", end, f"a line of at most {LONGEST} characters")
            start = max(0, end - TAIL)
            self._stream.seek(start)
            newline = self._stream.read(end - start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            end = start
        return end

    def lines(self) -> Iterator[tuple[str, str]]:
        """Those that are there, each with the words that say where. Raises FormatError where one is too long."""
        with open(self.path, encoding="utf-8", errors="replace", newline="\n", opener=open_regular) as stream:
            for number, line in lines(stream, str(self.path), LONGEST):
                if line.endswith("\n"):
                    yield f"{self.path}, line {number}", line

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
        shape: what a line that is read must be.
        keep: makes of a result's document what is kept; all of it unless given.
    """

    def __init__(
        self,
        path: Path,
        resume: bool,
        shape: stored.Check = stored.DOCUMENT,
        keep: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
    ) -> None:
        self._file = LineFile(path, resume)
        self._shape = shape
        self._keep = keep

    def documents(self) -> Iterator[dict[str, Any]]:
        """What the file holds. Raises FormatError where a line is no result."""
        return (stored.parsed(line, self._shape, where) for where, line in self._file.lines())

    def images(self) -> Iterator[str]:
        """The images whose results it holds."""
        return (document["image"] for document in self.documents())

    def add(self, document: dict[str, Any]) -> None:
        kept = self._keep(document) if self._keep else document
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
        rows = self._file.lines()
        _, header = next(rows, ("", ""))
        if header.rstrip("\r\n") != ",".join(COLUMNS):
            raise FormatError(str(self._file.path), None, "the header of a scan's table", header[:40])
        return (_row(line, where)["image"] for where, line in rows)

    def add(self, document: dict[str, Any]) -> None:
        row = row_of(document)
        self._file.add(_csv_line([_cell(value, exact=name == "image") for name, value in row.items()]))

    def close(self) -> None:
        self._file.close()


def json_line(document: dict[str, Any]) -> str:
    """A document as a line of its own, never longer than is read back: a scan can always resume its own output.

    What would make it longer is what an image says of itself, in the values that its changes replace: a line without
    these changes says so, and a diagnosis of the image has them.
    """
    line = _line(document)
    if len(line) < LONGEST:
        return line
    if diagnosis := document.get("diagnosis"):
        line = _line(document | {"diagnosis": _without_changes(diagnosis)})
    if len(line) < LONGEST:
        return line
    error = ImageError("UnsupportedError", f"what was found takes more than {LONGEST} characters to say")
    return _line(document | {"diagnosis": None, "status": "error", "error": asdict(error)})


def _without_changes(diagnosis: dict[str, Any]) -> dict[str, Any]:
    said = "they are too long for a scan's output: see a diagnosis of the image"
    findings = [
        finding | {"changes": [], "evidence": finding["evidence"] | {"changes_left_out": said}}
        if finding["changes"]
        else finding
        for finding in diagnosis["findings"]
    ]
    return diagnosis | {"findings": findings}


def _line(document: dict[str, Any]) -> str:
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


def _row(line: str, where: str) -> dict[str, Any]:
    """The row that a line of a table is. Raises FormatError where it is none."""
    try:
        (cells,) = csv.reader([line], strict=True)
        row = {name: _value(cell, COLUMNS[name]) for name, cell in zip(COLUMNS, cells, strict=True)}
    except (csv.Error, ValueError) as error:
        raise FormatError(where, None, "a row of a scan's table", line[:40]) from error
    return stored.checked(row, stored.ROW, where)


def _value(cell: str, kind: type) -> Any:
    """What a cell stands for, the other way round than `_cell`. Raises ValueError."""
    if kind is list:
        return cell.split(";") if cell else []
    if not cell:
        return None
    return kind(cell[1:] if cell.startswith("'") and cell[1:].startswith(RISKY) else cell)
