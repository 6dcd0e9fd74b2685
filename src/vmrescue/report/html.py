"""A diagnosis as one HTML file that needs nothing else: for a ticket, a case file, a printer."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, TypeGuard

from vmrescue.checks.finding import SEVERITIES
from vmrescue.checks.rules import chosen
from vmrescue.diagnosis import examine, open_disks
from vmrescue.printable import printable
from vmrescue.report.free_map import FreeMap, free_maps
from vmrescue.report.templating import template
from vmrescue.report.text import evidence_text, headline
from vmrescue.units import size_text

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterable, Sequence

    from vmrescue.checks import Finding, Policy
    from vmrescue.diagnosis import Diagnosis

MAP_COLUMNS = 80
COLOURS = 4  # of partitions, in turn
LABELLED = 0.15  # the share of the disk from which a part is wide enough for its label


def diagnosis_page(diagnosis: Diagnosis, maps: Sequence[FreeMap] = ()) -> str:
    """The page; `maps` are drawn where they are given. Raises UnsupportedError where Jinja2 is not installed."""
    return template("diagnosis.html").render(
        diagnosis=diagnosis,
        headline=headline(diagnosis).removeprefix(f"{printable(diagnosis.image)}: "),
        counts=_counts(diagnosis),
        facts=_facts(diagnosis),
        checks=[_check(diagnosis, findings) for findings in _by_check(diagnosis.findings)],
        plan_size=len(diagnosis.plan(diagnosis.only)),
        command=diagnosis.remedy(),
        refusal=diagnosis.refusal,
        layout=_layout(diagnosis),
        volumes=_volumes(diagnosis),
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
    chosen(only, skip)  # a check that there is not is said before anything is opened
    with open_disks([image, *data_disks]) as disks:
        diagnosis = examine(disks, policy, only, skip)
        return diagnosis, diagnosis_page(diagnosis, free_maps(disks[0]))


def _counts(diagnosis: Diagnosis) -> list[tuple[str, int]]:
    counted = [(each, sum(finding.severity == each for finding in diagnosis.findings)) for each in SEVERITIES]
    return [(severity, count) for severity, count in counted if count]


def _facts(diagnosis: Diagnosis) -> list[tuple[str, Any]]:
    windows = diagnosis.windows or {}
    facts = {
        "product": windows.get("product"),
        "edition": windows.get("edition"),
        "version": windows.get("version"),
        "build": windows.get("build"),
        "computer": windows.get("computer_name"),
        "generation": diagnosis.generation,
        "container": diagnosis.disk["format"],
        "disk id": diagnosis.disk["id"],
        "boot store": f"\\{windows['boot_store']} on partition {windows['boot_volume']}" if windows else None,
        "Windows": f"\\{windows['root']} on partition {windows['os_volume']}" if windows else "on an encrypted volume",
        "control sets": ", ".join(_control_sets(windows)),
    }
    return [(name, printable(value)) for name, value in facts.items() if value]


def _control_sets(windows: dict[str, Any]) -> list[str]:
    in_use = windows.get("current_control_set")
    return [f"{name} (in use)" if name == in_use else name for name in windows.get("control_sets", ())]


def _by_check(findings: Iterable[Finding]) -> list[list[Finding]]:
    """The findings of each check together: the worst first, and what is as bad in the order of the procedure."""
    groups: dict[str, list[Finding]] = {}
    for finding in sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)):
        groups.setdefault(finding.check, []).append(finding)
    return list(groups.values())


def _check(diagnosis: Diagnosis, findings: list[Finding]) -> dict[str, Any]:
    """What a check found, and the commands that help: these are the same for all its findings."""
    check = findings[0].check
    mended = [finding for finding in findings if finding.changes and not finding.refused]
    refused = list(dict.fromkeys(finding.refused for finding in findings if finding.refused))
    return {
        "check": check,
        "severity": findings[0].severity,
        "steps": list(dict.fromkeys(finding.step for finding in findings)),
        "findings": [_finding(finding) for finding in findings],
        "command": diagnosis.remedy(check) if mended else None,
        "refused": refused,
        "on_request": all(finding.on_request for finding in mended),
        "commands": list(dict.fromkeys(shlex.join(words) for finding in findings for words in finding.commands)),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "severity": finding.severity,
        "summary": finding.summary,
        "meaning": finding.meaning,
        "evidence": [
            (name.replace("_", " "), *_cells(name, value))
            for name, value in _side_by_side(finding.evidence).items()
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
    }


def _side_by_side(evidence: dict[str, Any]) -> dict[str, Any]:
    """Evidence in which what was found and what is wanted, of the same settings, has become one table."""
    found, wanted = evidence.get("found"), evidence.get("wanted")
    if not (_is_record(found) and _is_record(wanted) and set(found) == set(wanted)):
        return evidence
    table = [{"setting": name, "found": found[name], "wanted": wanted[name]} for name in wanted]
    return {name: value for name, value in evidence.items() if name not in ("found", "wanted")} | {"settings": table}


def _is_record(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether it is names and their values, rather than the data of one registry value."""
    return isinstance(value, dict) and "type" not in value


def _cells(name: str, value: Any) -> tuple[list[str], list[list[str]]]:
    """A piece of evidence as a table, its head first; one cell without a head for what is a single text."""
    if isinstance(value, list) and all(map(_is_record, value)):
        head = list(value[0])
        return head, [[printable(evidence_text(key, record.get(key))) for key in head] for record in value]
    if _is_record(value):  # the unit is in the record's name: bytes_by_cleanup
        unit = name if name.startswith("bytes") else ""
        return [], [[printable(key), printable(evidence_text(unit or key, item))] for key, item in value.items()]
    return [], [[printable(evidence_text(name, value))]]


def _on_the_disk(diagnosis: Diagnosis) -> list[dict[str, Any]]:
    """The volumes of the disk itself, from its first byte to its last."""
    return sorted((each for each in diagnosis.volumes if each["disk"] == 0), key=lambda volume: int(volume["start"]))


def _volumes(diagnosis: Diagnosis) -> list[dict[str, Any]]:
    """All volumes, those of the disk with the colour that they have in its picture."""
    coloured = {volume["partition"]: index % COLOURS for index, volume in enumerate(_on_the_disk(diagnosis))}
    return [
        volume | {"colour": None if volume["disk"] else coloured[volume["partition"]]} for volume in diagnosis.volumes
    ]


def _layout(diagnosis: Diagnosis) -> list[dict[str, Any]]:
    """The disk from its first byte to its last: partitions, and the gaps between them."""
    parts: list[dict[str, Any]] = []
    at = 0
    gap = {"colour": None, "label": "", "title": "no partition"}
    for index, volume in enumerate(_on_the_disk(diagnosis)):
        name = volume["letter"] or volume["role"]
        title = f"partition {volume['partition']}, {name}, {size_text(volume['size'])} at byte {volume['start']}"
        # A label that a narrow part would cut is left to the table below, which has the part's colour.
        label = f"{volume['partition']} {name}" if volume["size"] >= diagnosis.disk["size"] * LABELLED else ""
        parts.append(gap | {"size": max(0, volume["start"] - at)})
        parts.append({"colour": index % COLOURS, "label": label, "title": title, "size": volume["size"]})
        at = volume["start"] + volume["size"]
    parts.append(gap | {"size": max(0, diagnosis.disk["size"] - at)})
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
