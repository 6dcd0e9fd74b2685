"""The results of a scan as a kind of results: their rows, their shape, and what is left out of one that is too long."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from vmrescue.fleet import stored
from vmrescue.fleet.kind import ResultKind
from vmrescue.fleet.result import SCHEMA, ImageError
from vmrescue.fleet.rows import COLUMNS, page_row, row_of

if TYPE_CHECKING:
    from collections.abc import Iterator

FINDING: dict[str, type] = dict.fromkeys(
    ("check", "severity", "summary", "meaning", "step", "evidence", "changes"), str
)
FINDING |= {"on_request": bool, "applicability": str, "commands": list}
VOLUME: dict[str, type] = dict.fromkeys(("disk", "partition", "start", "size"), int)
VOLUME |= dict.fromkeys(("role", "letter", "file_system", "label"), str) | dict.fromkeys(("cluster_size", "free"), int)


def _nested(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    diagnosis = document["diagnosis"] or {}
    findings = list(map(_finding, diagnosis.get("findings", [])))
    return {"findings": findings, "volumes": diagnosis.get("volumes", [])}


def _finding(finding: dict[str, Any]) -> dict[str, Any]:
    """What has no fixed form as JSON text; commands as they are typed. Results of before there were any have none."""
    texts = {name: json.dumps(finding[name]) for name in ("evidence", "changes")}
    return finding | texts | {"commands": [shlex.join(words) for words in finding.get("commands", [])]}


def _shorter(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What makes one too long is what an image says of itself, in the values that its changes replace.

    One without these changes says so, and a diagnosis of the image has them.
    """
    if diagnosis := document.get("diagnosis"):
        yield document | {"diagnosis": _without_changes(diagnosis)}
    error = ImageError("UnsupportedError", f"what was found takes more than {stored.LONGEST} characters to say")
    yield document | {"diagnosis": None, "status": "error", "error": asdict(error)}


def _without_changes(diagnosis: dict[str, Any]) -> dict[str, Any]:
    said = "they are too long for a scan's output: see a diagnosis of the image"
    findings = [
        finding | {"changes": [], "evidence": finding["evidence"] | {"changes_left_out": said}}
        if finding["changes"]
        else finding
        for finding in diagnosis["findings"]
    ]
    return diagnosis | {"findings": findings}


def _page() -> Any:
    import vmrescue.fleet.scan_page as page

    return page


SCAN = ResultKind(
    what="a scan",
    schema=SCHEMA,
    columns=COLUMNS,
    row_of=row_of,
    document=stored.DOCUMENT,
    row=stored.ROW,
    page_row=stored.PAGE_ROW,
    brief=page_row,
    page=_page,
    nested={"findings": FINDING, "volumes": VOLUME},
    nested_of=_nested,
    shorter=_shorter,
)
