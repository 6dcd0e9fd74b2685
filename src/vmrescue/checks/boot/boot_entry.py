"""boot-entry: the boot manager's lists, or a loader, name entries that the store does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.bcd import Format, edits, objects
from vmrescue.bcd.new_store import new_manager
from vmrescue.checks.boot.boot_elements import element_fact
from vmrescue.checks.check import check
from vmrescue.checks.facts import PartFact
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part
from vmrescue.errors import NotFoundError
from vmrescue.rehearsal import endings
from vmrescue.rehearsal.about import LostObject
from vmrescue.rehearsal.firmware import UEFI_MANAGER
from vmrescue.rehearsal.stage import State
from vmrescue.rehearsal.way import DEFAULT, DISPLAY_ORDER
from vmrescue.windows.hive_changes import hive_changes
from vmrescue.windows.loaders import lasting_partition_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from vmrescue.bcd import BcdObject
    from vmrescue.checks.finding import Finding
    from vmrescue.checks.subject import Subject
    from vmrescue.registry.operations import Operation

NOT_KNOWN = "a loader of this store: which one, it does not tell"


@check(
    "boot-entry",
    family="boot",
    severity="critical",
    title="the boot store names an entry that it does not have",
    meaning="The boot manager starts another entry than the one that is meant, or starts none and stops with "
    "0xc0000098.",
    fires="default, displayorder or bootsequence of {bootmgr}, or recoverysequence of the entry that is started, names "
    "an object that is not there; or {bootmgr} itself is not there",
    repair="take the name away. For default, and for an empty displayorder, put the loader there, if the store has "
    "exactly one. With it {bootmgr} is made anew",
    source="Microsoft, learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/boot-error-0xc0000034; "
    "BcdBootMgrElementTypes",
    step=RunbookStep.REPAIR_VM,
    needs=(Part.BOOT_STORE,),
)
def boot_entry(subject: Subject) -> Iterator[Finding]:
    boot = subject.boot
    for fact in subject.rehearsal.facts():
        if fact.ending is endings.NO_MANAGER_OBJECT:
            yield boot_entry.finding(
                f"{fact.what}: {fact.said}",
                facts=(PartFact(fact.what, fact.said),),
                changes=hive_changes(boot.hive, _manager(subject, _only_loader(subject))),
                about=(fact.reason,),
            )
        lost = fact.about
        owner = _owner(subject, lost) if isinstance(lost, LostObject) else None
        if owner is None or not isinstance(lost, LostObject) or not (lost.missing or lost.element == DEFAULT):
            continue
        element = owner.element(lost.element)
        left = _left(owner, lost, _only_loader(subject))
        yield boot_entry.finding(
            f"{fact.what}: {fact.said}",
            severity="critical" if fact.state is State.STOP else "warning",
            facts=(element_fact(owner, element, _wanted(left, lost)),) if element else (),
            changes=hive_changes(boot.hive, _operations(owner, lost, left)),
            about=(fact.reason,),
        )


def _owner(subject: Subject, lost: LostObject) -> BcdObject | None:
    """Whose element it is: the boot manager's, or else that of the entry that is started."""
    try:
        manager = subject.boot.store.boot_manager
    except NotFoundError:
        return None
    owners = [manager, *([subject.boot.loader] if subject.boot.loader else [])]
    return next((each for each in owners if set(lost.missing) & set(each.references(lost.element))), manager)


def _manager(subject: Subject, only: tuple[UUID, ...]) -> list[Operation]:
    """What makes {bootmgr} anew; nothing where what it is to start, or what it is to inherit, is not certain."""
    boot = subject.boot
    place = lasting_partition_of(boot.volume)
    if place is None or not only or boot.store.find(objects.BY_ALIAS["globalsettings"].guid) is None:
        return []
    return new_manager(place, f"\\{UEFI_MANAGER}" if subject.installation.generation == 2 else None, only[0])


def _only_loader(subject: Subject) -> tuple[UUID, ...]:
    """The one entry of the store that leads to a Windows at hand; none where there are several."""
    loaders = (system.loader for system in subject.installation.systems)
    found = {loader.entry.guid for loader in loaders if loader and loader.store is subject.boot}
    return tuple(found) if len(found) == 1 else ()


def _left(owner: BcdObject, lost: LostObject, only: tuple[UUID, ...]) -> tuple[UUID, ...]:
    """What the element is to name: the one loader, where it names nothing else."""
    if lost.element == DEFAULT:
        return only
    left = tuple(guid for guid in owner.references(lost.element) if guid not in lost.missing)
    return left or (only if lost.element == DISPLAY_ORDER else ())


def _wanted(left: tuple[UUID, ...], lost: LostObject) -> str | None:
    """The same in words; None where the element is to go."""
    return " ".join(map(str, left)) or (NOT_KNOWN if lost.element == DEFAULT else None)


def _operations(owner: BcdObject, lost: LostObject, left: tuple[UUID, ...]) -> list[Operation]:
    if lost.element == DEFAULT:
        return [edits.set_element(owner.guid, DEFAULT, Format.OBJECT, guid) for guid in left]
    if left:
        return [edits.set_element(owner.guid, lost.element, Format.OBJECT_LIST, left)]
    return [edits.delete_element(owner.guid, lost.element)]
