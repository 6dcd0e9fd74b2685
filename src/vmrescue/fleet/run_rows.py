"""The results of a run of repairs as rows, and their shape when they are read back."""

from __future__ import annotations

from typing import Any, get_args

from vmrescue.fleet.repaired import RepairStatus
from vmrescue.fleet.stored import KINDS, Check, fields, list_of, one_of, or_null, seconds, text, truth
from vmrescue.plan.schema import number

# name: what it is; docs/fleet.md has the same table
COLUMNS: dict[str, type] = {
    "image": str,
    "status": str,
    "exit_status": int,
    "run": str,
    "dry_run": bool,
    "seconds": float,
    "made": list,
    "left": list,
    "next": list,
    "bytes_written": int,
    "id": str,
    "folder": str,
    "journal": int,
    "error": str,
    "notes": list,
}
WHAT = "a run of repairs"

MADE: dict[str, Check] = {"check": text, "title": text}
LEFT: dict[str, Check] = dict.fromkeys(("check", "severity", "summary"), text) | {"commands": list_of(text)}
NEEDED: dict[str, Check] = {
    "image": text,
    "status": one_of(get_args(RepairStatus)),
    "exit_status": number,
    "run": text,
    "dry_run": truth,
    "seconds": seconds,
    "bytes_written": number,
    "id": or_null(text),
    "folder": or_null(text),
    "journal": or_null(number),
}
DOCUMENT = fields(
    NEEDED
    | {
        "made": list_of(fields(MADE)),
        "left": list_of(fields(LEFT)),
        "error": or_null(fields({"message": text})),
        "notes": list_of(text),
    }
)
CELLS: dict[str, Check] = {name: or_null(KINDS[kind]) for name, kind in COLUMNS.items()} | NEEDED
ROW = fields(CELLS)
PAGE_ROW = fields(CELLS, {"findings": list_of(fields(LEFT)), "changes": list_of(fields(MADE))})


def row_of(document: dict[str, Any]) -> dict[str, Any]:
    """The row of a result, from its document (`RepairResult.to_dict`)."""
    row = {name: document.get(name) for name in COLUMNS}
    row["error"] = document["error"]["message"] if document["error"] else None
    row["made"] = sorted({each["check"] for each in document["made"]})
    row["left"] = sorted({each["check"] for each in document["left"]})
    row["next"] = list(dict.fromkeys(command for each in document["left"] for command in each["commands"]))
    return row


def page_row(document: dict[str, Any]) -> dict[str, Any]:
    """The row of a result with what was made and what is left."""
    return row_of(document) | {"findings": document["left"], "changes": document["made"]}
