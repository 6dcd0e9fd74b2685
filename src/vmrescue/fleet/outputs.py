"""Where a scan's results go: a file whose name says its form, and which an interrupted scan can be resumed from.

Lines (JSON, CSV) are written as they come. Parquet and HTML can only be written as a whole: until then the results are
in ``OUTPUT.partial``, one JSON document a line; it is turned into the output when the scan ends, be it by Ctrl-C, and
what a killed scan left there is taken up by ``--resume``.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from vmrescue.errors import UsageError, VmRescueError
from vmrescue.files import kind_of, new_file, open_regular
from vmrescue.fleet import stored
from vmrescue.fleet.lines import CsvTable, JsonLines, json_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

Document = dict[str, Any]


class Output(Protocol):
    """A file of results being written."""

    def images(self) -> Iterator[str]:
        """The images whose results it holds already."""

    def add(self, document: Document) -> None:
        """Keeps a result, given as `ScanResult.to_dict`."""

    def close(self) -> None:
        """Finishes the file: it can be read then, whether or not the scan came to its end."""


@dataclass(frozen=True)
class WholeForm:
    """A form that is written as a whole: how to write and to read it; what it keeps of a result, and in which shape."""

    write: Callable[[Iterable[Document], BinaryIO], None]
    read: Callable[[BinaryIO], Iterator[Document]]
    shape: stored.Check = stored.DOCUMENT
    keep: Callable[[Document], Document] | None = None


class WholeFile:
    """An output in a form that is written as a whole, when it is closed."""

    def __init__(self, path: Path, resume: bool, form: WholeForm) -> None:
        self._path = path
        self._form = form
        self._partial = path.with_name(path.name + ".partial")
        if resume and kind_of(path) and not kind_of(self._partial):
            self._take_up()
        self._lines = JsonLines(self._partial, resume, form.shape, form.keep)

    def _take_up(self) -> None:
        """Makes the partial file of what the output holds: it is there only once it is complete."""
        with open(self._path, "rb", opener=open_regular) as old, self._new_file(self._partial) as new:
            new.writelines(json_line(document).encode() for document in self._form.read(old))

    @contextmanager
    def _new_file(self, path: Path) -> Iterator[BinaryIO]:
        try:
            with new_file(path, overwrite=True) as stream:
                yield stream
        except OSError as error:
            raise VmRescueError(f"cannot write {path}: {error.strerror}") from error

    def images(self) -> Iterator[str]:
        return self._lines.images()

    def add(self, document: Document) -> None:
        self._lines.add(document)

    def close(self) -> None:
        self._lines.close()
        with self._new_file(self._path) as stream:
            self._form.write(self._lines.documents(), stream)
        self._partial.unlink()


def _parquet(_sources: Iterable[str]) -> WholeForm:
    from vmrescue.fleet import parquet

    parquet.schema()  # that pyarrow is missing is said before a scan, not after it
    return WholeForm(parquet.write, parquet.read)


def _html(sources: Iterable[str]) -> WholeForm:
    import vmrescue.report.scan_page as scan_page
    from vmrescue.fleet.rows import page_row

    scan = scan_page.Scan(tuple(sources))
    return WholeForm(partial(scan_page.write, scan=scan), scan_page.read, stored.PAGE_ROW, page_row)


LINES: dict[str, Callable[[Path, bool], Output]] = {".jsonl": JsonLines, ".csv": CsvTable}
WHOLE: dict[str, Callable[[Iterable[str]], WholeForm]] = {".parquet": _parquet, ".html": _html}


def open_output(path: Path, resume: bool, sources: Iterable[str] = ()) -> Output:
    """The output for a file's name. Raises UsageError for an unknown form, and what an earlier output is amiss with.

    `sources` are what is scanned, as a page of results says it; a URL without its secrets.
    """
    suffix = path.suffix.lower()
    if suffix in LINES:
        return LINES[suffix](path, resume)
    if suffix in WHOLE:
        return WholeFile(path, resume, WHOLE[suffix](sources))
    raise UsageError(f"an output's name ends in {', '.join([*LINES, *WHOLE])}, not {path.suffix or 'nothing'}")
