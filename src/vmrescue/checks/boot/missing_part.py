"""missing-part: a boot store, a hive, a Windows or a disk is not there, or cannot be read.

The other checks examine the parts that are there. What they could not examine is `not_checked`, for this reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.checks.boot.boot_elements import os_device_of
from vmrescue.checks.boot.restoring import restoring_hive
from vmrescue.checks.check import check
from vmrescue.checks.facts import PartFact
from vmrescue.checks.intents import PutIn, SetElement, TakeOut
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part
from vmrescue.errors import fault_of
from vmrescue.upcase import upper
from vmrescue.windows.boot_store import why_no_store
from vmrescue.windows.operating_system import HIVES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vmrescue.checks.finding import Finding, Severity
    from vmrescue.checks.intents import Intent
    from vmrescue.checks.subject import Subject
    from vmrescue.windows import Installation, OperatingSystem
    from vmrescue.windows.loaders import Loader

SECRETS = ("SAM", "SECURITY", "DEFAULT")
THE_STORE = "the boot store"  # what a finding is about


@check(
    "missing-part",
    family="boot",
    severity="critical",
    title="the boot store, a hive, or Windows itself is missing or cannot be read",
    meaning="Windows does not start without it. Everything else was examined without it.",
    fires="there is no boot store where the firmware looks, or the file is no store; no Windows is found, or none "
    "where the default loader points; SYSTEM, SOFTWARE, SAM, SECURITY or DEFAULT is missing, empty, or no hive; a "
    "data disk has no partition table. It is a warning if a store or a hive is there but cannot be read from the "
    "disk alone (EFS, WOF)",
    repair="none. Restore what is lost from a backup, or make it anew (bcdboot). If the default loader leads to no "
    "Windows, the finding names the command that makes it lead to the one that is there",
    source='Microsoft, "Troubleshoot Windows boot configuration issues": 0xC000000F, 0xC000014C, 0xC0000218',
    step=RunbookStep.REPAIR_VM,
    needs=(Part.VOLUMES,),
    applicability="advice",
    advises=(TakeOut, PutIn, SetElement),
)
def missing_part(subject: Subject) -> Iterator[Finding]:
    found = subject.installation
    yield from _stores(found)
    yield from _windows(found)
    yield from _disks(found)


def _finding(
    part: str,
    why: str,
    meaning: str | None = None,
    severity: Severity | None = None,
    tell: Sequence[str] = (),
    about: Sequence[str] = (),
    intents: Sequence[Intent] = (),
) -> Finding:
    return missing_part.finding(
        f"{part}: {why}",
        facts=(PartFact(part, why),),
        meaning=meaning,
        severity=severity,
        tell=tell,
        about=about,
        intents=intents,
    )


def _stores(found: Installation) -> Iterator[Finding]:
    disk = found.disks[0]
    if not found.stores and disk.table.style != "none" and not _has_none(found):
        yield _finding("the boot store", why_no_store(disk, found.unreadable), _rebuild(found), about=[THE_STORE])
    for store in found.stores:
        if store.fault and (unread := store.volume.why_not_read(store.path)):
            yield _finding(f"the boot store {store}", unread, _NOT_READ, "warning" if store.may_boot else "advice")
        elif store.fault and store.may_boot:
            yield _finding(f"the boot store {store}", store.fault, _rebuild(found), about=[THE_STORE])
        elif store.fault:
            yield _finding(f"the store {store}, which does not boot", store.fault, _NOT_USED, "advice")


def _has_none(found: Installation) -> bool:
    """Whether it may well be that there is no store to be seen: it is encrypted, or a Windows before Vista has none."""
    return found.may_hide_store or (found.os is not None and found.os.before_vista)


def _rebuild(found: Installation) -> str:
    firmware = _FIRMWARES.get(found.generation or 0, "ALL")
    return (
        "The boot manager stops with 0xC000000F or 0xC0000034. bcdboot makes a store anew (bcdboot F:\\Windows /s G: "
        f"/f {firmware}, on a repair VM); what else is there was looked at without it."
    )


def _windows(found: Installation) -> Iterator[Finding]:
    if found.os is not None:
        for name in HIVES:
            if unread := found.os.volume.why_not_read(f"{found.os.config}\\{name}"):
                yield _finding(f"the hive {name} of {found.os}", unread, _NOT_READ, "warning")
            elif why := _fault(found.os, name):
                said, intents = restoring_hive(found.os, name)
                yield _finding(f"the hive {name} of {found.os}", why, f"{_RESTORE} {said}", intents=intents)
    elif not found.locked:
        chance = [str(each) for each in found.volumes if each.is_like_chance]
        said = f" It may be encrypted: {', '.join(chance)} begins like chance." if chance else ""
        yield _finding(
            "Windows", found.why_no_windows or "", f"{missing_part.meaning}{said}", "warning" if said else None
        )
    yield from _default_loader(found)
    for windows in found.systems:
        if windows is not found.os and windows.fault:
            yield _finding(f"the hive SYSTEM of {windows}, which does not boot", windows.fault, _NOT_USED, "advice")


def _default_loader(found: Installation) -> Iterator[Finding]:
    """Where it leads to, if not to the Windows that was looked at; one on a disk that was not given is a warning."""
    default = found.default_loader
    if default is None or found.os is None or found.os.loader is default or found.choice.windows is not None:
        return
    looked, about = f"{found.os} was looked at", [os_device_of(default.entry.guid)]
    said, intents = _led_back(found, default)
    if default.fault:
        why = f"{default.fault}; {looked}"
        yield _finding(str(default), why, f"{_LEADS_NOWHERE}{said}", about=about, intents=intents)
    elif default.elsewhere:
        severity: Severity = "warning" if default.is_windows else "advice"
        why = f"it {default.elsewhere}; {looked}"
        yield _finding(str(default), why, f"{_ELSEWHERE}{said}", severity, intents=intents)
    elif default.volume:
        why = f"it names \\{default.root} on {default.volume}, where no Windows is; {looked}"
        yield _finding(str(default), why, f"{_LEADS_NOWHERE}{said}", intents=intents)
    else:
        why = f"its osdevice is on none of the disks given; {looked}"
        yield _finding(str(default), why, _LEADS_NOWHERE, "warning", ["data_disks"], about)


def _led_back(found: Installation, default: Loader) -> tuple[str, tuple[Intent, ...]]:
    """How the boot manager comes to start the Windows that was looked at, where the store can be told in a word or two.

    That is by another loader, which leads there; or by this one, where it has the volume of the only Windows there is.
    """
    windows = found.os
    if windows is None or found.choice.store is not None:
        return "", ()
    if default.goes_on(found.volumes):
        return _GOES_ON, ()
    loader = windows.loader
    if loader is not None and loader.store is default.store:
        return _BY_ANOTHER, (SetElement(0, "{bootmgr}", "default", loader.entry.identifier),)
    if default.volume is not windows.volume or len(found.systems) > 1:
        return "", ()
    owner, path = default.entry.identifier, default.entry.element("path")
    words = [SetElement(0, owner, "systemroot", f"\\{windows.root}")]
    if default.root and path and isinstance(path.sound_value, str):
        root, _, rest = path.sound_value.strip("\\").partition("\\")
        program = f"{windows.root}\\{rest}"
        if upper(root) == upper(default.root) and windows.volume.has_file(program):
            words.append(SetElement(0, owner, "path", f"\\{program}"))
    return _BY_THIS, tuple(words)


def _fault(windows: OperatingSystem, name: str) -> str | None:
    """Why a hive is not there as Windows needs it."""
    if name == "SYSTEM":
        return windows.fault
    why = fault_of(lambda: windows.hive(name).root)
    if why and not windows.has(name) and not any(windows.has(each) for each in SECRETS):
        return None  # a folder with none of these was made by hand, and for no start of Windows
    return why


def _disks(found: Installation) -> Iterator[Finding]:
    for disk in found.disks[1:]:
        if not disk.volumes:
            why = "; ".join(disk.table.warnings) or "it has no partitions"
            yield _finding(
                f"data disk {disk.index} ({disk.path})",
                why,
                "It is blank, or its partition table is damaged: nothing on it was looked at.",
                "advice",
            )


_FIRMWARES = {1: "BIOS", 2: "UEFI"}
_RESTORE = (
    "Windows stops before its first process, with 0xC000014C, 0xC0000218 or a stop 0x74. Restore the hive from a "
    "backup; what else is there was looked at without it."
)
_LEADS_NOWHERE = (
    "The boot manager stops with 0xC000000E, 0xC000000F or 0xC0000225. Its device, osdevice and systemroot are to name "
    "the volume and the folder of Windows."
)
_ELSEWHERE = (
    "Each start leads there (Windows RE, Setup, a virtual disk, another system), as long as default of {bootmgr} names "
    "this entry; to the Windows that was looked at only if that is what is found there."
)
_GOES_ON = (
    " It is an upgrade's own, or its rollback's, and its file is there: let that come to its end first, or its changes "
    "stay half made."
)
_BY_ANOTHER = " Another entry of the store names the Windows that was looked at: default can name that one."
_BY_THIS = " It is the only Windows there, on the volume that the entry names: its systemroot and path can name it."
_NOT_READ = (
    "Whether a start reads it is not known. What needs it was not looked at, and it is not changed; on a repair VM "
    "compact /u /exe or cipher /d makes it plain."
)
_NOT_USED = "It is not what boots, as far as the disk tells."
