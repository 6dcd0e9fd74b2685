"""Results as a Parquet file: the flat row, the findings and volumes as lists of structures, the whole document as JSON.

docs/results.md describes the columns; `SCHEMA_VERSION` changes when their meaning does.
"""

from __future__ import annotations

import json
import shlex
from itertools import count, islice
from typing import TYPE_CHECKING, Any, BinaryIO

from vmrescue.errors import FormatError, missing_extra
from vmrescue.fleet.rows import COLUMNS, row_of
from vmrescue.fleet.stored import DOCUMENT, parsed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SCHEMA_VERSION = "vmrescue.scan/1"
ROWS_IN_GROUP = 1000  # held in memory at once: a few MB


def _pyarrow() -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise missing_extra("Parquet is written with pyarrow", "fleet") from error
    return pyarrow


def schema() -> Any:
    """The pyarrow schema of a scan's Parquet file."""
    pa = _pyarrow()
    types = {str: pa.string(), float: pa.float64(), int: pa.int64(), list: pa.list_(pa.string())}
    finding = {name: pa.string() for name in ("check", "severity", "summary", "meaning", "step")}
    finding |= {"evidence": pa.string(), "changes": pa.string(), "on_request": pa.bool_()}
    finding |= {"applicability": pa.string(), "commands": pa.list_(pa.string())}
    volume = {"disk": pa.int64(), "partition": pa.int64(), "start": pa.int64(), "size": pa.int64()}
    volume |= {"role": pa.string(), "letter": pa.string(), "file_system": pa.string(), "label": pa.string()}
    volume |= {"cluster_size": pa.int64(), "free": pa.int64()}
    fields = [pa.field(name, types[kind], nullable=name not in ("image", "status")) for name, kind in COLUMNS.items()]
    fields.append(pa.field("findings", pa.list_(pa.struct(list(finding.items())))))
    fields.append(pa.field("volumes", pa.list_(pa.struct(list(volume.items())))))
    fields.append(pa.field("document", pa.string(), nullable=False))
    return pa.schema(fields, metadata={"vmrescue.schema": SCHEMA_VERSION})


def write(documents: Iterable[dict[str, Any]], stream: BinaryIO) -> None:
    """Writes results (their documents) to a new file, some at a time."""
    pa = _pyarrow()
    rows = map(_row, documents)
    with pa.parquet.ParquetWriter(stream, schema(), compression="zstd") as writer:
        while group := list(islice(rows, ROWS_IN_GROUP)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema()))


def read(stream: BinaryIO) -> Iterator[dict[str, Any]]:
    """The documents in a file that `write` has made. Raises FormatError where it is another."""
    pa = _pyarrow()
    try:
        # A dictionary's text that many rows share is kept once: otherwise a small file may unpack to gigabytes.
        with pa.parquet.ParquetFile(stream, read_dictionary=["document"]) as file:
            if "document" not in file.schema_arrow.names:
                raise FormatError(stream.name, None, "the column 'document' of a scan's results")
            rows = count(1)
            for batch in file.iter_batches(ROWS_IN_GROUP, columns=["document"]):
                for row, value in zip(rows, batch.column(0), strict=False):
                    yield parsed(value.as_py(), DOCUMENT, f"{stream.name}, row {row}")
    except (OSError, pa.ArrowException) as error:
        raise FormatError(stream.name, None, "a Parquet file", str(error)) from error


def _row(document: dict[str, Any]) -> dict[str, Any]:
    diagnosis = document["diagnosis"] or {}
    findings = list(map(_finding, diagnosis.get("findings", [])))
    whole = {"findings": findings, "volumes": diagnosis.get("volumes", []), "document": json.dumps(document)}
    row: dict[str, Any] = _encodable(row_of(document) | whole)
    return row


def _encodable(value: Any) -> Any:
    """The same with escapes for halves of characters, of which names on either side may have some, and no UTF-8 has."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, list):
        return [_encodable(each) for each in value]
    return {name: _encodable(each) for name, each in value.items()} if isinstance(value, dict) else value


def _finding(finding: dict[str, Any]) -> dict[str, Any]:
    """What has no fixed form as JSON text; commands as they are typed. Results of before there were any have none."""
    texts = {name: json.dumps(finding[name]) for name in ("evidence", "changes")}
    return finding | texts | {"commands": [shlex.join(words) for words in finding.get("commands", [])]}
