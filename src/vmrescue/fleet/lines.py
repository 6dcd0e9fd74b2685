"""Results in files of lines, JSON or CSV: each is on the disk when its image is done, and can be read at any time."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from typing import IO, TYPE_CHECKING, Any

from vmrescue.errors import FormatError, WriteError
from vmrescue.files import kind_of, lines, open_regular
from vmrescue.fleet import stored
from vmrescue.fleet.scanned import SCAN
from vmrescue.fleet.stored import LONGEST
from vmrescue.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vmrescue.fleet.kind import ResultKind

TAIL = 1 << 16
_ESCAPE = re.compile(rb"\\(\\|r|n|x[0-9a-f]{2})")
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
            # Without a buffer: what found no room on the disk is not written once more when it is closed.
            self._stream: IO[bytes] = open(path, mode, 0, opener=open_regular)  # noqa: SIM115 - `close` closes it
        except OSError as error:
            raise WriteError(f"cannot write {path}: {error.strerror}") from error
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
            rest = memoryview(line.encode())
            while rest:
                rest = rest[self._stream.write(rest) :]
            self._end = self._stream.tell()
        except OSError as error:
            raise WriteError(f"cannot write {self.path}: {error.strerror}") from error
        self.empty = False

    def close(self) -> None:
        self._stream.close()


class JsonLines:
    """One JSON document a line.

    Args:
        kind: what they are.
        brief: whether only what a page shows of them is kept.
    """

    def __init__(self, path: Path, resume: bool, kind: ResultKind = SCAN, brief: bool = False) -> None:
        self._file = LineFile(path, resume)
        self._kind = kind
        self._brief = brief

    def documents(self) -> Iterator[dict[str, Any]]:
        """What the file holds. Raises FormatError where a line is no result."""
        shape = self._kind.page_row if self._brief else self._kind.document
        return (stored.parsed(line, shape, where, self._kind.what) for where, line in self._file.lines())

    def images(self) -> Iterator[str]:
        """The images whose results it holds."""
        return (document["image"] for document in self.documents())

    def add(self, document: dict[str, Any]) -> None:
        self._file.add(json_line(self._kind.brief(document) if self._brief else document, self._kind))

    def close(self) -> None:
        self._file.close()


class CsvTable:
    """One row an image, under a header, in UTF-8; lists joined with semicolons."""

    def __init__(self, path: Path, resume: bool, kind: ResultKind = SCAN) -> None:
        self._file = LineFile(path, resume)
        self._kind = kind
        if self._file.empty:
            self._file.add(_csv_line(list(kind.columns)))

    def documents(self) -> Iterator[dict[str, Any]]:
        """The rows that it holds. Raises FormatError where it is another table."""
        rows = self._file.lines()
        _, header = next(rows, ("", ""))
        if header.rstrip("\r\n") != ",".join(self._kind.columns):
            raise FormatError(str(self._file.path), None, f"the header of the table of {self._kind.what}", header[:40])
        return (_row(line, where, self._kind) for where, line in rows)

    def images(self) -> Iterator[str]:
        """The images whose results it holds."""
        return (row["image"] for row in self.documents())

    def add(self, document: dict[str, Any]) -> None:
        row = self._kind.row_of(document)
        self._file.add(_csv_line([_cell(value, exact=name == "image") for name, value in row.items()]))

    def close(self) -> None:
        self._file.close()


def json_line(document: dict[str, Any], kind: ResultKind = SCAN) -> str:
    """A document as a line of its own, never longer than is read back: what wrote it can always resume it."""
    line = _line(document)
    for shorter in kind.shorter(document):
        if len(line) < LONGEST:
            break
        line = _line(shorter)
    return line


def _line(document: dict[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=True) + "\n"


def _csv_line(cells: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


def _cell(value: Any, exact: bool = False) -> str:
    """In one line. What an image says of itself must not become a formula: such text gets an apostrophe in front.

    Nor may it act on a terminal, or hide. An image's own path, `exact`, is looked up again, and each has its own cell.
    """
    if value is None:
        return ""
    if isinstance(value, list):
        return ";".join(value)
    text = str(value)
    if isinstance(value, str):
        text = _escaped(text) if exact else printable(text.replace("\r", " ").replace("\n", " "))
        return "'" + text if text.startswith(RISKY) else text
    return text


def _escaped(path: str) -> str:
    """A path in one line of UTF-8, from which `_unescaped` gets it back."""
    line = path.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")
    return os.fsencode(line).decode("utf-8", "backslashreplace")


def _unescaped(cell: str) -> str:
    """What `_escaped` made a cell of."""
    return os.fsdecode(_ESCAPE.sub(_meant, cell.encode("utf-8", "surrogateescape")))


def _meant(escape: re.Match[bytes]) -> bytes:
    word = escape[1]
    return bytes.fromhex(word[1:].decode()) if word.startswith(b"x") else {b"\\": b"\\", b"r": b"\r", b"n": b"\n"}[word]


def _row(line: str, where: str, kind: ResultKind) -> dict[str, Any]:
    """The row that a line of a table is. Raises FormatError where it is none."""
    try:
        (cells,) = csv.reader([line], strict=True)
        row = {name: _value(cell, kind.columns[name]) for name, cell in zip(kind.columns, cells, strict=True)}
        row["image"] = _unescaped(row["image"] or "")
    except (csv.Error, ValueError) as error:
        raise FormatError(where, None, f"a row of the table of {kind.what}", line[:40]) from error
    return stored.checked(row, kind.row, where, kind.what)


def _value(cell: str, kind: type) -> Any:
    """What a cell stands for, the other way round than `_cell`. Raises ValueError."""
    if kind is list:
        return cell.split(";") if cell else []
    if not cell:
        return None
    if kind is bool:
        return {"True": True, "False": False}[cell] if cell in ("True", "False") else cell
    return kind(cell[1:] if cell.startswith("'") and cell[1:].startswith(RISKY) else cell)
