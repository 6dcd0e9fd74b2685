"""A diagnosis as one HTML file that needs nothing else: for a ticket, a case file, a printer."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from vmrescue.checks.finding import SEVERITIES
from vmrescue.checks.rules import chosen
from vmrescue.diagnosis import examine, open_disks
from vmrescue.diagnosis.command_line import commands, mending, remedy, to_tell
from vmrescue.printable import printable
from vmrescue.progress import work
from vmrescue.report.free_map import FreeMap, free_maps
from vmrescue.report.layout import windows_facts
from vmrescue.report.templating import template
from vmrescue.report.text import headline, not_checked_lines, nothing_found, same_as, untold_lines
from vmrescue.units import size_text
from vmrescue.windows.installation import NOTHING_SAID

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterable, Sequence

    from vmrescue.checks import Finding, Policy
    from vmrescue.diagnosis import Diagnosis
    from vmrescue.diagnosis.described import VolumeFacts
    from vmrescue.windows import Choice

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
        plan_size=len(diagnosis.plan(diagnosis.only or None)),
        command=remedy(diagnosis),
        refusal=diagnosis.refusal,
        not_checked=not_checked_lines(diagnosis),
        odd=untold_lines(diagnosis),
        in_part=bool(diagnosis.not_checked or diagnosis.only or diagnosis.skip),
        nothing_found=nothing_found(diagnosis),
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
    choice: Choice = NOTHING_SAID,
) -> tuple[Diagnosis, str]:
    """Diagnoses an image, and makes the page with its free-space maps. Raises as `checks.diagnose`."""
    chosen(only, skip)  # a check that there is not is said before anything is opened
    with work("reading the disk"), open_disks([image, *data_disks]) as disks:
        diagnosis = examine(disks, policy, only, skip, choice, promise=True, now=True)
        return diagnosis, diagnosis_page(diagnosis, free_maps(disks[0]))


def _counts(diagnosis: Diagnosis) -> list[tuple[str, int]]:
    counted = [(each, sum(finding.severity == each for finding in diagnosis.findings)) for each in SEVERITIES]
    return [(severity, count) for severity, count in counted if count]


def _facts(diagnosis: Diagnosis) -> list[tuple[str, str]]:
    """What is known of the disk and its Windows."""
    container = [("container", diagnosis.disk.format), ("disk id", diagnosis.disk.id)]
    facts = [*windows_facts(diagnosis, mark_current=True), *container]
    return [(name, printable(value)) for name, value in facts if value]


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
    run = (shlex.join(words) for finding in findings for words in commands(diagnosis, finding))
    refused = list(dict.fromkeys(finding.refused for finding in findings if finding.refused))
    others = [found for each in findings if (found := mending(diagnosis, each)) and each not in found]
    return {
        "check": check,
        "severity": findings[0].severity,
        "steps": list(dict.fromkeys(finding.step for finding in findings)),
        "findings": [_finding(finding) for finding in findings],
        "command": remedy(diagnosis, check) if mended else None,
        "refused": refused,
        "mended_with": list(dict.fromkeys(map(same_as, others))),
        "on_request": all(finding.applicability == "on_request" for finding in mended),
        "commands": list(dict.fromkeys(run)),
        "tell": list(dict.fromkeys(each for finding in findings for each in to_tell(finding))),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "severity": finding.severity,
        "summary": finding.summary,
        "meaning": finding.meaning,
        "facts": [
            (told.label, told.head, [[printable(cell) for cell in row] for row in told.rows]) for told in finding.told()
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


def _on_the_disk(diagnosis: Diagnosis) -> list[VolumeFacts]:
    """The volumes of the disk itself, from its first byte to its last."""
    return sorted((each for each in diagnosis.volumes if each.disk == 0), key=lambda volume: volume.start)


def _volumes(diagnosis: Diagnosis) -> list[dict[str, Any]]:
    """All volumes, those of the disk with the colour that they have in its picture."""
    coloured = {volume.partition: index % COLOURS for index, volume in enumerate(_on_the_disk(diagnosis))}
    return [
        volume.to_dict() | {"colour": None if volume.disk else coloured[volume.partition]}
        for volume in diagnosis.volumes
    ]


def _layout(diagnosis: Diagnosis) -> list[dict[str, Any]]:
    """The disk from its first byte to its last: partitions, and the gaps between them."""
    parts: list[dict[str, Any]] = []
    at = 0
    gap = {"colour": None, "label": "", "title": "no partition"}
    for index, volume in enumerate(_on_the_disk(diagnosis)):
        name = volume.letter or volume.role
        title = f"partition {volume.partition}, {name}, {size_text(volume.size)} at byte {volume.start}"
        # A label that a narrow part would cut is left to the table below, which has the part's colour.
        label = f"{volume.partition} {name}" if volume.size >= diagnosis.disk.size * LABELLED else ""
        parts.append(gap | {"size": max(0, volume.start - at)})
        parts.append({"colour": index % COLOURS, "label": label, "title": title, "size": volume.size})
        at = volume.start + volume.size
    parts.append(gap | {"size": max(0, diagnosis.disk.size - at)})
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
