"""partition-table: a part of a GPT is broken: the protective MBR, the primary copy, the backup."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.checks.check import check
from vmrescue.checks.facts import PartFact
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part
from vmrescue.plan import FileRef, RestorePartitionTable
from vmrescue.volume import gpt_repair
from vmrescue.volume.gpt_repair import state_of, why_not_restored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.finding import Finding
    from vmrescue.checks.subject import Subject

DIFFERENT = "the two copies are whole, and differ"


@check(
    "partition-table",
    family="boot",
    severity="warning",
    title="a part of the GPT is broken",
    meaning="Firmware and Windows use the copy that is whole. A tool that reads only the other copy sees no "
    "partitions. If the whole copy is lost too, all partitions are lost.",
    fires="the primary copy of a GPT or its backup has a wrong signature or checksum or is beyond the disk's end, "
    "or the two copies differ. It is critical if the protective MBR has no entry of the type ee that begins at "
    "sector 1: UEFI then sees no GPT",
    repair="write the broken parts from the copy that is whole, if all partitions are on the disk and do not "
    "overlap, and the MBR lists no partitions of its own. If both copies are whole and differ, nothing is written",
    source="UEFI 2.10, 5.2.3 and 5.3.2; github.com/tianocore/edk2, PartitionDxe/Gpt.c",
    step=RunbookStep.REPAIR_VM,
    needs=(Part.VOLUMES,),
)
def partition_table(subject: Subject) -> Iterator[Finding]:
    for disk in subject.installation.disks:
        state = state_of(disk.device, disk.table)
        if state is None or not (state.broken or state.differs) or disk.cut_short:
            continue  # where the image's end is missing, so is the backup
        where = f" of data disk {disk.index}" if disk.index else ""
        said = "; ".join(f"{part} is broken: {why}" for part, why in zip(state.broken, state.why, strict=True))
        why_not = why_not_restored(disk.device, disk.table, state) if state.broken else DIFFERENT
        change = RestorePartitionTable(FileRef(disk.index, 0, ""), state.broken_text)
        blind = gpt_repair.Part.PROTECTIVE in state.broken
        yield partition_table.finding(
            f"GPT{where}: {said or DIFFERENT}" + (f"; it is not written anew: {why_not}" if said and why_not else ""),
            severity="critical" if blind and not disk.index else None,
            meaning="UEFI looks for the protective MBR first, and without it for no GPT: it finds nothing to start."
            if blind
            else None,
            facts=tuple(PartFact(str(part), why) for part, why in zip(state.broken, state.why, strict=True))[:1],
            changes=() if why_not else (change,),
        )
