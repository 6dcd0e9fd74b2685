"""Where results go: a file whose name says its form, and from which what was interrupted can be resumed.

Lines (JSON, CSV) are written as they come. Parquet and HTML can only be written as a whole: until then the results are
in ``OUTPUT.partial``, one JSON document a line; it is turned into the output when the scan ends, be it by Ctrl-C, and
what a killed scan left there is taken up by ``--resume``.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from vmrescue.dataclass import dataclass
from vmrescue.errors import ReadError, UsageError, WriteError
from vmrescue.files import kind_of, must_be_ours, new_file, open_regular
from vmrescue.fleet.lines import CsvTable, JsonLines, json_line
from vmrescue.fleet.scanned import SCAN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from vmrescue.fleet.kind import ResultKind

Document = dict[str, Any]


class Output(Protocol):
    """A file of results being written."""

    def images(self) -> Iterator[str]:
        """The images whose results it holds already."""

    def documents(self) -> Iterator[Document]:
        """What it holds of each: the whole document, or the row that it has in this form."""

    def add(self, document: Document) -> None:
        """Keeps a result, given as its document."""

    def close(self) -> None:
        """Finishes the file: it can be read then, whether or not the scan came to its end."""


@dataclass(frozen=True)
class WholeForm:
    """A form that is written as a whole: how to write and to read it; and whether it keeps all of a result."""

    write: Callable[[Iterable[Document], BinaryIO], None]
    read: Callable[[BinaryIO], Iterator[Document]]
    brief: bool = False


class WholeFile:
    """An output in a form that is written as a whole, when it is closed."""

    def __init__(self, path: Path, resume: bool, form: WholeForm, kind: ResultKind) -> None:
        self._path = path
        self._form = form
        self._kind = kind
        self._partial = partial_of(path)
        if resume and kind_of(path) and not kind_of(self._partial):
            self._take_up()
        self._lines = JsonLines(self._partial, resume, kind, form.brief)

    def _take_up(self) -> None:
        """Makes the partial file of what the output holds: it is there only once it is complete."""
        with open(self._path, "rb", opener=open_regular) as old, self._new_file(self._partial) as new:
            new.writelines(json_line(document, self._kind).encode() for document in self._form.read(old))

    @contextmanager
    def _new_file(self, path: Path) -> Iterator[BinaryIO]:
        try:
            with new_file(path, overwrite=True) as stream:
                yield stream
        except OSError as error:
            raise WriteError(f"cannot write {path}: {error.strerror}") from error

    def images(self) -> Iterator[str]:
        return self._lines.images()

    def documents(self) -> Iterator[Document]:
        return self._lines.documents()

    def add(self, document: Document) -> None:
        self._lines.add(document)

    def close(self) -> None:
        self._lines.close()
        with self._new_file(self._path) as stream:
            self._form.write(self._lines.documents(), stream)
        self._partial.unlink()


def _parquet(kind: ResultKind, _sources: Iterable[str]) -> WholeForm:
    from vmrescue.fleet import parquet

    parquet.schema(kind)  # that pyarrow is missing is said before the work, not after it
    return WholeForm(partial(parquet.write, kind=kind), partial(parquet.read, kind=kind))


def _html(kind: ResultKind, sources: Iterable[str]) -> WholeForm:
    page = kind.page()
    return WholeForm(partial(page.write, scan=page.Scan(tuple(sources))), page.read, brief=True)


LINES: dict[str, Callable[[Path, bool, ResultKind], Output]] = {".jsonl": JsonLines, ".csv": CsvTable}
WHOLE: dict[str, Callable[[ResultKind, Iterable[str]], WholeForm]] = {".parquet": _parquet, ".html": _html}


BEGINNINGS = {".jsonl": b"{", ".csv": b"image,", ".parquet": b"PAR1", ".html": b"<!doctype html>"}


def open_output(
    path: Path, resume: bool, sources: Iterable[str] = (), kind: ResultKind = SCAN, force: bool = False
) -> Output:
    """The output for a file's name: a new one, or the one that is resumed. Raises as `must_take_results`.

    Args:
        resume: keep what it holds.
        sources: what is looked at, as a page of results says it; a URL without its secrets.
        force: replace an earlier output.

    Raises FormatError where what is to be resumed is damaged.
    """
    must_take_results(path, resume, kind, force)
    suffix = path.suffix.lower()
    if suffix in LINES:
        return LINES[suffix](path, resume, kind)
    return WholeFile(path, resume, WHOLE[suffix](kind, sources), kind)


def must_take_results(path: Path, resume: bool, kind: ResultKind = SCAN, force: bool = False) -> None:
    """Raises an error where results cannot be kept in a file: it is asked before the work, and changes nothing.

    Raises:
        UsageError: the name says no form of ours.
        RefusedError: there is a file that is no such output, such as an image; or one with results, which are neither
            resumed nor to be replaced.
    """
    must_be_a_form(path, kind)
    suffix = path.suffix.lower()
    kept = "" if resume or force else "--resume keeps what it holds and goes on, --force writes it anew"
    must_be_ours(path, [BEGINNINGS[suffix]], f"output of {kind.what}", kept)
    if suffix in WHOLE:
        must_be_ours(partial_of(path), [BEGINNINGS[".jsonl"]], f"unfinished output of {kind.what}", kept)


def partial_of(path: Path) -> Path:
    """Where the results are until a form that is written as a whole is complete."""
    return path.with_name(path.name + ".partial")


def must_be_a_form(path: Path, kind: ResultKind) -> None:
    """Raises UsageError where a file's name says no form of ours, UnsupportedError where that takes what is missing."""
    suffix = path.suffix.lower()
    if suffix in WHOLE:
        WHOLE[suffix](kind, ())
    elif suffix not in LINES:
        raise UsageError(f"an output's name ends in {', '.join([*LINES, *WHOLE])}, not {path.suffix or 'nothing'}")


def read_results(path: Path, kind: ResultKind) -> Iterator[Document]:
    """What a file holds of each result, be it finished or not; nothing is written.

    Raises:
        UsageError: its name says no form of ours.
        FormatError: it holds something else. ReadError: it is not there.
    """
    suffix, unfinished = path.suffix.lower(), partial_of(path)
    must_be_a_form(path, kind)
    source = unfinished if suffix in WHOLE and kind_of(unfinished) else path
    if not kind_of(source):
        raise ReadError(f"there are no results in {path}: there is no such file")
    if suffix in WHOLE and source is path:
        with open(path, "rb", opener=open_regular) as stream:
            yield from WHOLE[suffix](kind, ()).read(stream)
        return
    held = CsvTable(source, True, kind) if suffix == ".csv" else JsonLines(source, True, kind, suffix == ".html")
    try:
        yield from held.documents()
    finally:
        held.close()
