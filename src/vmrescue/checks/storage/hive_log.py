"""hive-log: a hive was not written out when the VM stopped; what Windows sees is in its transaction logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.checks.check import check
from vmrescue.checks.facts import HiveFact
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part
from vmrescue.errors import fault_of
from vmrescue.plan import ReplayLog
from vmrescue.rehearsal.about import DirtyHive
from vmrescue.windows.operating_system import HIVES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.finding import Finding
    from vmrescue.checks.subject import Subject
    from vmrescue.windows.registry_file import RegistryFile


@check(
    "hive-log",
    family="storage",
    severity="warning",
    title="a hive is dirty: it was not written out when the VM stopped",
    meaning="The file alone is not what Windows sees: Windows replays the transaction logs first.",
    fires="the two sequence numbers of the boot store or of a hive in System32\\config differ, or its header's "
    "checksum is wrong",
    repair="replay its transaction logs, as Windows would. A hive that no log mends is read as it is, and not edited",
    source="the hive's base block: primary and secondary sequence number, checksum",
    step=RunbookStep.PAGE_FILE,
    needs=(Part.VOLUMES,),
)
def hive_log(subject: Subject) -> Iterator[Finding]:
    for hive in _hives(subject):
        if not hive.state.dirty:
            continue
        problem = hive.why_not_replayable()
        yield hive_log.finding(
            f"the hive \\{hive.path} is dirty ({hive.state.reason})" + (f"; {problem}" if problem else ""),
            meaning=_not_mended(hive) if problem else None,
            facts=(HiveFact(hive.path, str(hive.volume), hive.state.reason, problem),),
            changes=() if problem else (ReplayLog(hive.ref, hive.state.reason),),
            about=() if subject.other else subject.told_of(DirtyHive(hive.volume, hive.path)),
        )


def _not_mended(hive: RegistryFile) -> str:
    windows = (
        "Windows may not load it"
        if hive.state.is_torn
        else "Windows goes on with its file as it is, without the changes that were not written out"
    )
    cure = "It is read as it is, and not edited: put its logs beside it, or restore it from a backup."
    return f"{windows}. {cure}"


def _hives(subject: Subject) -> Iterator[RegistryFile]:
    """Those that are hives at all: what is none is a finding of `missing-part`."""
    found = subject.installation
    for store in found.stores:
        if fault_of(lambda store=store: store.hive) is None:  # type: ignore[misc]
            yield store.hive
    windows = found.os
    for name in HIVES if windows else ():
        if windows and fault_of(lambda name=name: windows.hive(name)) is None:  # type: ignore[misc]
            yield windows.hive(name)
