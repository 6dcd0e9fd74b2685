"""A diagnosis as one HTML file that needs nothing else: for a ticket, a case file, a printer."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from vmrescue.checks import examine, open_disks
from vmrescue.checks.finding import SEVERITIES
from vmrescue.checks.rules import chosen
from vmrescue.printable import printable
from vmrescue.report.free_map import FreeMap, free_maps
from vmrescue.report.templating import template
from vmrescue.report.text import evidence_text, headline
from vmrescue.units import size_text

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterable, Sequence

    from vmrescue.checks import Diagnosis, Finding, Policy

MAP_COLUMNS = 80


def diagnosis_page(diagnosis: Diagnosis, maps: Sequence[FreeMap] = ()) -> str:
    """The page; `maps` are drawn where they are given. Raises UnsupportedError where Jinja2 is not installed."""
    plan = diagnosis.plan()
    return template("diagnosis.html").render(
        diagnosis=diagnosis,
        headline=headline(diagnosis).removeprefix(f"{printable(diagnosis.image)}: "),
        counts=_counts(diagnosis),
        facts=_facts(diagnosis),
        findings=[_finding(diagnosis, finding) for finding in diagnosis.findings],
        plan_size=len(plan),
        command=_command(diagnosis),
        layout=_layout(diagnosis),
        maps=[_drawn(each) for each in maps],
    )


def diagnose_as_page(
    image: str | os.PathLike[str],
    policy: Policy,
    data_disks: Iterable[str | os.PathLike[str]] = (),
    only: Collection[str] | None = None,
    skip: Collection[str] = (),
) -> tuple[Diagnosis, str]:
    """Diagnoses an image, and makes the page with its free-space maps. Raises as `checks.diagnose`."""
    rules = chosen(only, skip)
    with open_disks([image, *data_disks]) as disks:
        diagnosis = examine(disks, policy, rules)
        return diagnosis, diagnosis_page(diagnosis, free_maps(disks[0]))


def _counts(diagnosis: Diagnosis) -> list[tuple[str, int]]:
    counted = [(each, sum(finding.severity == each for finding in diagnosis.findings)) for each in SEVERITIES]
    return [(severity, count) for severity, count in counted if count]


def _facts(diagnosis: Diagnosis) -> list[tuple[str, Any]]:
    windows = diagnosis.windows or {}
    facts = {
        "product": windows.get("product"),
        "version": windows.get("version"),
        "build": windows.get("build"),
        "computer": windows.get("computer_name"),
        "generation": diagnosis.generation,
        "container": diagnosis.disk["format"],
        "disk id": diagnosis.disk["id"],
        "boot store": f"\\{windows['boot_store']} on partition {windows['boot_volume']}" if windows else None,
        "Windows": f"\\{windows['root']} on partition {windows['os_volume']}" if windows else "on an encrypted volume",
        "control sets": ", ".join(windows.get("control_sets", ())),
    }
    return [(name, printable(value)) for name, value in facts.items() if value]


def _command(diagnosis: Diagnosis, check: str | None = None) -> str:
    only = ["--only", check] if check else []
    return shlex.join(["vmrescue", "repair", *only, diagnosis.image])


def _finding(diagnosis: Diagnosis, finding: Finding) -> dict[str, Any]:
    return {
        "check": finding.check,
        "severity": finding.severity,
        "summary": printable(finding.summary),
        "meaning": printable(finding.meaning),
        "step": finding.step,
        "evidence": [
            (name.replace("_", " "), printable(evidence_text(name, value)))
            for name, value in finding.evidence.items()
            if value is not None and value != []
        ],
        "changes": [
            {
                "title": printable(change.title),
                "before": printable(change.before_text),
                "after": printable(change.after_text),
            }
            for change in finding.changes
        ],
        "command": _command(diagnosis, finding.check),
        "commands": [printable(shlex.join(words)) for words in finding.commands],
    }


def _layout(diagnosis: Diagnosis) -> list[dict[str, Any]]:
    """The disk from its first byte to its last: partitions, and the gaps between them."""
    parts = []
    at = 0
    volumes = [volume for volume in diagnosis.volumes if volume["disk"] == 0]
    for volume in sorted(volumes, key=lambda volume: int(volume["start"])):
        name = volume["letter"] or volume["role"]
        title = f"partition {volume['partition']}, {name}, {size_text(volume['size'])} at byte {volume['start']}"
        parts.append({"size": max(0, volume["start"] - at), "label": "", "title": "no partition"})
        parts.append({"size": volume["size"], "label": f"{volume['partition']} {name}", "title": title})
        at = volume["start"] + volume["size"]
    parts.append({"size": max(0, diagnosis.disk["size"] - at), "label": "", "title": "no partition"})
    return [part for part in parts if part["size"]]


def _drawn(free_map: FreeMap) -> dict[str, Any]:
    cells = [
        {"x": index % MAP_COLUMNS, "y": index // MAP_COLUMNS, "used": round(100 * share)}
        for index, share in enumerate(free_map.used)
    ]
    rows = -(-len(cells) // MAP_COLUMNS)
    return {
        "partition": free_map.partition,
        "letter": free_map.letter,
        "unit": free_map.unit,
        "columns": MAP_COLUMNS,
        "rows": rows,
        "cells": cells,
    }
