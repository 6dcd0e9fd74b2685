"""active-partition: a BIOS finds no partition to start from, or two, or one without a boot manager."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.checks.check import check
from vmrescue.checks.facts import VolumeFact
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part
from vmrescue.plan import FileRef, SetActive
from vmrescue.rehearsal.about import ActiveFlag
from vmrescue.rehearsal.endings import FIRMWARE
from vmrescue.rehearsal.stage import State
from vmrescue.volume.mbr import numbers_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.finding import Finding
    from vmrescue.checks.subject import Subject


@check(
    "active-partition",
    family="boot",
    severity="critical",
    title="the active partition is not the one that has the boot manager",
    meaning="A BIOS starts from the one active partition. If another partition is active, or none, or two, it says "
    "that it finds no boot device, or that BOOTMGR is missing.",
    fires="an MBR has no active partition, or several, or an active one without \\bootmgr. It also fires if the "
    "active one has no boot store, and another partition has both. It is advice if the boot record's program takes "
    "the right one of several",
    repair="make the partition active that has \\bootmgr, if exactly one has it",
    source="Microsoft, learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/os-bucket-boot-failure and "
    "os-bootmgr-missing",
    step=RunbookStep.REPAIR_VM,
    needs=(Part.VOLUMES,),
)
def active_partition(subject: Subject) -> Iterator[Finding]:
    found = [(fact, flag) for fact in subject.rehearsal.facts() if isinstance(flag := fact.about, ActiveFlag)]
    # Where there is no boot manager at all, its file is what is missing.
    found = [(fact, flag) for fact, flag in found if flag.candidates and flag.active != flag.candidates]
    if not found:
        return
    fact, flag = min(found, key=lambda each: len(each[1].candidates))  # of several the one that knows best
    wanted = flag.candidates[0] if len(flag.candidates) == 1 else None
    change = SetActive(FileRef(0, 0, ""), numbers_text(list(flag.active)), wanted) if wanted else None
    firmware = subject.rehearsal.stage(FIRMWARE).facts
    yield active_partition.finding(
        f"{fact.what}: {fact.said}",
        severity=None if fact.state is State.STOP else "advice",
        facts=tuple(
            VolumeFact(str(volume), volume.position)
            for volume in subject.volumes
            if volume.disk_index == 0 and volume.partition.number in flag.candidates
        ),
        changes=(change,) if change else (),
        about=[*(each.reason for each in firmware if each.state is State.STOP), fact.reason],
    )
