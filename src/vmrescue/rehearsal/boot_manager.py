r"""Boot manager to loader: the boot store, the entry that is started, and the loader's file.

It reads the same elements as the boot manager: ``bootsequence``, ``default``, ``displayorder``; of the entry
``device``, ``path`` and ``osdevice``. Each device is looked up among the partitions at hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.bcd import Partition, objects
from vmrescue.bcd.elements import name_of
from vmrescue.bcd.objects import Application, ObjectKind
from vmrescue.errors import NotFoundError
from vmrescue.rehearsal import endings
from vmrescue.rehearsal.about import BadFile, LeftOn, LostDevice, LostObject
from vmrescue.rehearsal.files import FaultKind, fault_of_file, fault_of_wim
from vmrescue.rehearsal.firmware import (
    LIKE_CHANCE,
    OF_LINUX,
    damaged_at_its_head,
    esp_of_mbr,
    flag_for,
    older_manager,
    other_manager,
    places_without_type,
)
from vmrescue.rehearsal.stage import Fact, odd, stop, unknown
from vmrescue.rehearsal.way import BOOT_SEQUENCE, DEFAULT, DEVICE, DISPLAY_ORDER, OS_DEVICE, PATH, SYSTEM_ROOT
from vmrescue.units import counted
from vmrescue.volume.state import StateName
from vmrescue.windows.loaders import DESCRIPTION

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from vmrescue.bcd import BcdObject
    from vmrescue.rehearsal.endings import Ending
    from vmrescue.rehearsal.way import Way
    from vmrescue.volumes.disk import Volume

RECOVERY, RECOVERY_ENABLED, STATUS_POLICY = 0x14000008, 0x16000009, 0x250000E0
RESUME = 0x26000005
SAFE_BOOT, DEBUG, BOOT_LOG, TEST_SIGNING = 0x25000080, 0x260000A0, 0x26000090, 0x16000049
SAFE_MODES = {0: "minimal", 1: "network", 2: "directory services repair"}
LEFT_ON = {BOOT_LOG: "bootlog", DEBUG: "debug", TEST_SIGNING: "testsigning"}
LOADER, WIN_PE = "winload", 0x26000022
OLD_NAMES = {1: ".exe", 2: ".efi"}  # the loader's file by generation


def boot_manager(way: Way) -> Iterator[Fact]:
    """The stage's facts."""
    if (fact := _store(way)) is not None:
        yield fact
        if fact.ending:
            return
    yield from _sequence(way)
    entry = yield from _entry(way)
    if entry is not None:
        yield from _kind(entry)
        yield from _elements(way, entry)
        yield from _loader(way, entry)
        if entry.type.application is Application.OS_LOADER:
            yield from _options(way, entry)
            yield from _recovery(way, entry)


def _store(way: Way) -> Fact | None:
    if older_manager(way):
        return unknown("boot store", "ntldr is started, which reads \\boot.ini: that is not followed")
    try:
        boot = way.boot
    except NotFoundError as error:
        hidden = way.installation.unreadable or way.installation.may_hide_store or _left_out(way)
        hidden = hidden or damaged_at_its_head(way) is not None
        if hidden or way.disk.table.style == "none":
            return unknown("boot store", str(error))
        return stop("boot store", str(error), endings.NO_STORE)
    what = f"boot store {boot}"
    elsewhere = boot.volume not in (*places_without_type(way), *esp_of_mbr(way)) and other_manager(way) is None
    if boot.rank and elsewhere:
        said = f"it lies where the boot manager does not look: {boot.way}"
        return stop(what, said, endings.NO_STORE, flag_for(way, boot.volume))
    why = boot.fault or boot.hive.why_cut()
    if why is None and boot.hive.key("Description") is None:
        return odd(what, "its hive has no key Description: the boot manager may not take it for a store")
    if why is None:
        return Fact(what, "it is a store")
    if unread := boot.volume.why_not_read(boot.path):
        return unknown(what, unread)
    if not boot.is_no_hive and any(
        boot.volume.files.size_of(boot.path + suffix) for suffix in (".LOG1", ".LOG2", ".LOG")
    ):
        return unknown(what, f"{why}; its logs may hold what mends it")
    return stop(what, why, endings.NO_STORE)


def _sequence(way: Way) -> Iterator[Fact]:
    """What is to be started once, before the default entry."""
    try:
        manager = way.manager
    except NotFoundError:
        return
    named = way.objects(manager, BOOT_SEQUENCE)
    for guid, entry in named:
        title = entry.title if entry else "which is not there"
        lost = LostObject(BOOT_SEQUENCE, (guid,), ()) if entry is None else None
        yield odd("bootsequence", f"{objects.identifier_of(guid)} is started next, once: {title}", lost)
    if way.number(manager, RESUME):
        volumes = [each for each in way.installation.volumes if each.partition.role == "basic data"]
        sleeps = any(each.state.name is StateName.HIBERNATED for each in volumes)
        hidden = any(not each.readable or each.state.name is StateName.DAMAGED for each in volumes)
        said = "that sleeps" if sleeps else "that sleeps, if one does" if hidden else "and none sleeps here"
        yield odd("resume", f"the boot manager is to wake a Windows {said}")


def _entry(way: Way) -> Generator[Fact, None, BcdObject | None]:
    """The entry that is started by itself; None where there is none."""
    if way.store.find(objects.BY_ALIAS["bootmgr"].guid) is None:
        yield stop("{bootmgr}", "the store has lost the boot manager's object", endings.NO_MANAGER_OBJECT)
        return None
    loaders = tuple(each.guid for each in way.store.loaders())
    default, order = (way.objects(way.manager, element) for element in (DEFAULT, DISPLAY_ORDER))
    missing = tuple(guid for guid, found in order if found is None)
    if missing:
        said = ", ".join(map(objects.identifier_of, missing))
        yield odd("displayorder", f"it names {said}, which is not there", LostObject(DISPLAY_ORDER, missing, loaders))
    alive = [found for _, found in (*default, *order) if found]
    lost = LostObject(DEFAULT, tuple(guid for guid, found in default if found is None), loaders)
    if not alive:
        named = ", ".join(objects.identifier_of(guid) for guid, _ in default) or "nothing"
        yield stop("default", f"it names {named}, and displayorder no entry that is there", endings.NO_ENTRY, lost)
        return None
    if lost.missing:
        yield odd("default", f"it names {objects.identifier_of(lost.missing[0])}, which is not there", lost)
    elif not default:
        yield odd("default", "it is not set: the first of displayorder counts", lost)
    elif len(alive) > 1 and default[0] not in order:
        yield odd("default", f"displayorder does not name it: {alive[1].identifier} may be started, its first")
    yield Fact("entry", f"{alive[0].identifier}, {alive[0].title}")
    return alive[0]


def _kind(entry: BcdObject) -> Iterator[Fact]:
    """Whether the boot manager takes the entry for a loader."""
    path, wanted = entry.element(PATH), (ObjectKind.APPLICATION, Application.OS_LOADER)
    if not entry.type.value:
        yield stop(f"type of {entry.identifier}", "the store does not say what kind of entry it is", endings.NO_TYPE)
    elif (entry.type.kind, entry.type.application) != wanted and path and LOADER in str(path.sound_value).lower():
        said = f"{entry.type.title}, though its path is that of a loader of Windows"
        yield odd(f"type of {entry.identifier}", said)


def _elements(way: Way, entry: BcdObject) -> Iterator[Fact]:
    """What of the entry, and of the boot manager's own settings, cannot be read, or is missing.

    ReactOS' boot manager, which is written after that of Windows (boot/environ/app/bootmgr), reads nothing of an object
    of which one element cannot be read, and leaves an entry out that has no description.
    """
    for owner in (way.manager, entry):
        for element in owner.elements():
            if element.fault and not (owner is entry and element.id in (DEVICE, OS_DEVICE)):
                said = f"it means nothing ({element.fault}): the boot manager may read nothing of that object"
                yield odd(f"{element.name} of {owner.identifier}", said)
        for identifier in owner.without_a_value():
            said = "its key holds no value: the boot manager may read nothing of that object"
            yield odd(f"{name_of(owner.type, identifier)} of {owner.identifier}", said)
    if entry.inherited(DESCRIPTION) is None:
        yield odd(f"description of {entry.identifier}", "it is not set: the boot manager may leave the entry out")


def _path(way: Way, entry: BcdObject) -> Generator[Fact, None, str]:
    """The program's path; of a loader without one that which the boot manager takes (ReactOS', bootmgr.c)."""
    if entry.type.application is not Application.OS_LOADER or entry.inherited(PATH) is not None:
        return way.text(entry, PATH)
    folder = "\\Windows\\System32" + ("\\boot" if way.number(entry, WIN_PE) else "")
    path = f"{folder}\\{LOADER}{_usual(way)}"
    yield odd(f"path of {entry.identifier}", f"it is not set: the boot manager takes {path}")
    return path


def _usual(way: Way) -> str:
    """How the name of a loader ends on this machine."""
    return OLD_NAMES[2 if esp_of_mbr(way) else way.generation]


def _loader(way: Way, entry: BcdObject) -> Iterator[Fact]:
    path = yield from _path(way, entry)
    device = way.place(entry, DEVICE)
    volume = yield from _device(way, entry, DEVICE, "device", path)
    if device.ramdisk is not None:
        yield from _ramdisk(way, entry, volume, device.ramdisk)
    elif volume is not None:
        yield from _loader_file(way, entry, volume, path)
    if entry.type.application is Application.OS_LOADER and device.ramdisk is None:
        root = way.text(entry, SYSTEM_ROOT) or "\\Windows"
        yield from _device(way, entry, OS_DEVICE, "osdevice", f"{root}\\System32\\config\\SYSTEM")


def _device(way: Way, entry: BcdObject, element: int, name: str, file: str) -> Generator[Fact, None, Volume | None]:
    """What a device of the entry means: the volume, where it is one at hand that can be read."""
    place = way.place(entry, element)
    what = f"{name} of {entry.identifier}"
    candidates = tuple(_holding(way, file)) if place.volume is None and file else ()
    lost = LostDevice(entry.guid, element, place.device, candidates)
    if place.device is None:
        ending: Ending = endings.NO_LOADER if element == DEVICE else endings.NO_OS_DEVICE
        yield stop(what, "it is not set, or means nothing", ending, lost)
        return None
    if place.volume is not None:
        yield from _volume(what, place.volume)
        return place.volume if place.volume.readable else None
    if place.searched:
        yield unknown(what, f"{place.device}: only a start resolves it")
        return None
    if _elsewhere(way, place.device.target) and not (candidates and _has_new_id(way)):
        yield unknown(what, f"{place.device}: that disk is not at hand")
        return None
    if _left_out(way):
        yield unknown(what, f"{place.device} may be a partition that overlaps another, and was not looked into")
        return None
    said = f"; \\{file.lstrip(chr(92))} lies on {', '.join(map(str, candidates))}" if candidates else ""
    yield stop(what, f"{place.device} is no partition of this disk{said}", endings.NO_DEVICE, lost)
    return None


def _left_out(way: Way) -> bool:
    """Whether partitions were left out that a BIOS starts from all the same: UEFI takes none that overlaps."""
    return way.disk.table.style == "MBR" and bool(way.disk.table.overlapping)


def _elsewhere(way: Way, target: object) -> bool:
    """Whether a device names a disk that is not at hand: a copy's new id, or a further disk of the machine."""
    ids = {disk.table.disk_id for disk in way.installation.disks}
    return isinstance(target, Partition) and target.disk not in ids


def _has_new_id(way: Way) -> bool:
    """Whether this disk has another id than the boot manager's own device names: a copy, or one that was initialized.

    Where the boot manager's device is here, a device on another disk is a further disk of the machine.
    """
    place = way.place(way.manager, DEVICE)
    return place.device is not None and place.volume is None and _elsewhere(way, place.device.target)


def _volume(what: str, volume: Volume) -> Iterator[Fact]:
    if volume.is_encrypted:
        yield unknown(what, f"{volume} is encrypted with {volume.file_system}")
    elif volume.is_like_chance:
        yield unknown(what, f"{volume} {LIKE_CHANCE}")
    elif volume.file_system is None or volume.file_system in OF_LINUX:
        held = volume.file_system or "no file system that is known"
        yield stop(what, f"{volume} holds {held}", endings.NO_FILE_SYSTEM)
    elif not volume.readable:
        yield unknown(what, f"{volume} holds {volume.file_system}, which is not read")
    else:
        _ = volume.files  # raises FormatError where the file system cannot be opened
        yield Fact(what, str(volume))


def _holding(way: Way, file: str) -> Iterator[Volume]:
    """The volumes on which a file lies."""
    for volume in way.installation.volumes:
        if volume.readable and volume not in way.installation.unreadable and volume.has_file(file):
            yield volume


def _loader_file(way: Way, entry: BcdObject, volume: Volume, path: str) -> Iterator[Fact]:
    what = f"loader {path or '(no path)'} on {volume}"
    if not path:
        yield stop(what, "the entry names no file", endings.NO_LOADER)
        return
    windows = entry.type.application in (Application.OS_LOADER, Application.RESUME)  # others are older than programs
    machine = way.machine if windows else None
    fault = fault_of_file(volume, path.strip("\\"), program=windows, machine=machine)
    if fault is None:
        yield Fact(what, "it is there")
    elif fault.kind is FaultKind.UNKNOWN:
        yield unknown(what, fault.said)
    else:
        ends = {FaultKind.MISSING: endings.NO_LOADER, FaultKind.MACHINE: endings.OTHER_MACHINE}
        ending = ends.get(fault.kind, endings.BAD_LOADER)
        yield stop(what, fault.said, ending, BadFile(volume, path.strip("\\"), fault))
    usual = _usual(way)
    if entry.type.application is Application.OS_LOADER and not path.lower().endswith(usual):
        yield odd("path", f"{path}: a machine of generation {way.generation} takes winload{usual}")


def _ramdisk(way: Way, entry: BcdObject, volume: Volume | None, path: str) -> Iterator[Fact]:
    if volume is None:
        return
    what = f"ramdisk of {entry.identifier}: {path} on {volume}"
    size, fault = volume.files.size_of(path), fault_of_wim(volume, path.strip("\\"))
    if size is None:
        yield stop(what, "the file is not there", endings.NO_LOADER)
    else:
        yield odd(
            what,
            f"the start leads into a disk in memory, of {counted(size, 'byte')}{f'; {fault.said}' if fault else ''}",
        )


def _options(way: Way, entry: BcdObject) -> Iterator[Fact]:
    """Settings with which Windows starts other than it usually does."""
    if (mode := way.number(entry, SAFE_BOOT)) is not None:
        yield odd("safeboot", f"Windows starts in safe mode ({SAFE_MODES.get(mode, mode)})", LeftOn(SAFE_BOOT))
    for element, name in LEFT_ON.items():
        if way.number(entry, element):
            yield odd(name, "it is on", LeftOn(element))


def _recovery(way: Way, entry: BcdObject) -> Iterator[Fact]:
    """Where a start leads after two that failed."""
    if way.number(entry, RECOVERY_ENABLED) == 0 or way.number(entry, STATUS_POLICY) == 1:
        yield Fact("recovery", "off: a start that fails is tried again")
        return
    for guid, found in way.objects(entry, RECOVERY):
        if found is None:
            yield odd(
                "recoverysequence", f"{objects.identifier_of(guid)} is not there", LostObject(RECOVERY, (guid,), ())
            )
            continue
        place = way.place(found, DEVICE)
        if place.device is not None and place.volume is None and not place.searched:
            yield odd(
                f"device of {found.identifier}",
                f"{place.device} is no partition of this disk: recovery would not start",
                LostDevice(found.guid, DEVICE, place.device, ()),
            )
        elif place.volume is not None and place.ramdisk is not None:
            yield _recovery_image(place.volume, place.ramdisk)


def _recovery_image(volume: Volume, path: str) -> Fact:
    what, said = "recovery", f"after two starts that fail: {path} on {volume}"
    if not volume.readable:
        return unknown(what, f"{said}, which cannot be read")
    size = volume.files.size_of(path)
    if size is None:
        return odd(what, f"{said}, which is not there")
    fault = fault_of_wim(volume, path.strip("\\"))
    return (
        odd(what, f"{said}, {counted(size, 'byte')}; {fault.said}")
        if fault
        else Fact(what, f"{said}, {counted(size, 'byte')}")
    )
