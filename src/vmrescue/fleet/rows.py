"""A result as one flat row: what a spreadsheet, a data frame and the report's table show of an image."""

from __future__ import annotations

import shlex
from typing import Any

from vmrescue.checks.finding import SEVERITIES

# name: what it is; docs/results.md has the same table
COLUMNS: dict[str, type] = {
    "image": str,
    "status": str,
    "error": str,
    "seconds": float,
    "bytes_read": int,
    "generation": int,
    "product": str,
    "edition": str,
    "version": str,
    "build": str,
    "computer_name": str,
    "disk_format": str,
    "disk_size": int,
    "disk_style": str,
    "disk_id": str,
    "os_size": int,
    "os_free": int,
    "critical": int,
    "warning": int,
    "advice": int,
    "checks": list,
    "sha256": str,
}


def row_of(document: dict[str, Any]) -> dict[str, Any]:
    """The row of a result, from its document (`ScanResult.to_dict`). What is not known is None."""
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row.update({name: document[name] for name in ("image", "status", "seconds", "bytes_read")})
    row["error"] = document["error"]["message"] if document["error"] else None
    row["checks"] = []
    row["sha256"] = document.get("sha256")
    diagnosis = document["diagnosis"]
    if diagnosis is None:
        return row
    disk, windows, findings = diagnosis["disk"], diagnosis["windows"] or {}, diagnosis["findings"]
    row.update({name: windows.get(name) for name in ("product", "edition", "version", "build", "computer_name")})
    row.update({f"disk_{name}": disk[name] for name in ("format", "size", "style", "id")})
    row["generation"] = diagnosis["generation"]
    for volume in diagnosis["volumes"]:
        if volume["disk"] == 0 and volume["partition"] == windows.get("os_volume"):
            row["os_size"], row["os_free"] = volume["size"], volume["free"]
    for severity in SEVERITIES:
        row[severity] = sum(finding["severity"] == severity for finding in findings)
    row["checks"] = sorted({finding["check"] for finding in findings})
    return row


def page_row(document: dict[str, Any]) -> dict[str, Any]:
    """The row of a result with its findings in brief: in the page a row opens to show them."""
    diagnosis = document["diagnosis"] or {"findings": []}
    findings = [_in_brief(finding, diagnosis.get("refusal")) for finding in diagnosis["findings"]]
    return row_of(document) | {"findings": findings}


def _in_brief(finding: dict[str, Any], refusal: str | None) -> dict[str, Any]:
    """A finding, and what is to be typed; or said, of an image that is only read."""
    repair = finding.get("repair")
    why = finding.get("refused") or (refusal if finding["changes"] else None)
    first = [shlex.join(repair)] if repair else [why] if why else []
    return {
        **{name: finding[name] for name in ("check", "severity", "summary")},
        "commands": [*first, *map(shlex.join, finding.get("commands", ()))],
    }
