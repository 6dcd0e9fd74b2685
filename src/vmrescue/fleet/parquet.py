"""Results as a Parquet file: the flat row, what lies in it as lists of structures, the whole document as JSON.

docs/results.md and docs/fleet.md describe the columns; a kind's `schema` changes when their meaning does.
"""

from __future__ import annotations

import json
from itertools import count, islice
from typing import TYPE_CHECKING, Any, BinaryIO

from vmrescue.errors import FormatError, missing_extra
from vmrescue.fleet.scanned import SCAN
from vmrescue.fleet.stored import parsed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmrescue.fleet.kind import ResultKind

ROWS_IN_GROUP = 1000  # held in memory at once: a few MB


def _pyarrow() -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise missing_extra("Parquet is written with pyarrow", "fleet") from error
    return pyarrow


def schema(kind: ResultKind = SCAN) -> Any:
    """The pyarrow schema of a Parquet file of such results."""
    pa = _pyarrow()
    types = {str: pa.string(), float: pa.float64(), int: pa.int64(), bool: pa.bool_(), list: pa.list_(pa.string())}
    needed = ("image", "status")
    fields = [pa.field(name, types[each], nullable=name not in needed) for name, each in kind.columns.items()]
    for name, members in kind.nested.items():
        structure = pa.struct([(member, types[each]) for member, each in members.items()])
        fields.append(pa.field(name, pa.list_(structure)))
    fields.append(pa.field("document", pa.string(), nullable=False))
    return pa.schema(fields, metadata={"vmrescue.schema": kind.schema})


def write(documents: Iterable[dict[str, Any]], stream: BinaryIO, kind: ResultKind = SCAN) -> None:
    """Writes results (their documents) to a new file, some at a time."""
    pa = _pyarrow()
    columns = schema(kind)
    rows = (_row(document, kind) for document in documents)
    with pa.parquet.ParquetWriter(stream, columns, compression="zstd") as writer:
        while group := list(islice(rows, ROWS_IN_GROUP)):
            writer.write_table(pa.Table.from_pylist(group, schema=columns))


def read(stream: BinaryIO, kind: ResultKind = SCAN) -> Iterator[dict[str, Any]]:
    """The documents in a file that `write` has made. Raises FormatError where it is another."""
    pa = _pyarrow()
    try:
        # A dictionary's text that many rows share is kept once: otherwise a small file may unpack to gigabytes.
        with pa.parquet.ParquetFile(stream, read_dictionary=["document"]) as file:
            if "document" not in file.schema_arrow.names:
                raise FormatError(stream.name, None, f"the column 'document' of the results of {kind.what}")
            rows = count(1)
            for batch in file.iter_batches(ROWS_IN_GROUP, columns=["document"]):
                for row, value in zip(rows, batch.column(0), strict=False):
                    yield parsed(value.as_py(), kind.document, f"{stream.name}, row {row}", kind.what)
    except (OSError, pa.ArrowException) as error:
        raise FormatError(stream.name, None, "a Parquet file", str(error)) from error


def _row(document: dict[str, Any], kind: ResultKind) -> dict[str, Any]:
    whole = {**kind.nested_of(document), "document": json.dumps(document)}
    row: dict[str, Any] = _encodable(kind.row_of(document) | whole)
    return row


def _encodable(value: Any) -> Any:
    """The same with escapes for halves of characters, of which names on either side may have some, and no UTF-8 has."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, list):
        return [_encodable(each) for each in value]
    return {name: _encodable(each) for name, each in value.items()} if isinstance(value, dict) else value
