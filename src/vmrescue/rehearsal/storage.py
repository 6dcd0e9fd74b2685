r"""Kernel to its disk: the drivers of this machine's bus, of disks and volumes, and the filters that stand between.

Where one of these does not start, the kernel stops with 0x7B. Which are needed depends on the machine: `platform`.
Source: Microsoft, "Stop error 7B or Inaccessible_Boot_Device".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.rehearsal import endings, own_services
from vmrescue.rehearsal.about import BadFile, BadService, LostFilter
from vmrescue.rehearsal.platform import AUTO, EVERYWHERE, PLATFORMS, platform_of
from vmrescue.rehearsal.services import BOOT, DISABLED
from vmrescue.rehearsal.stage import Fact, odd, stop, unknown
from vmrescue.upcase import upper
from vmrescue.volume.mbr import numbers_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.rehearsal.way import Way

# Classes of devices on the way to the disk. Those of controllers count where the machine has one of that kind.
IDE_CLASS = "{4d36e96a-e325-11ce-bfc1-08002be10318}"
CLASSES = {
    "{4d36e967-e325-11ce-bfc1-08002be10318}": "disks",
    "{71a27cdd-812a-11d0-bec7-08002be2092f}": "volumes",
    "{4d36e97b-e325-11ce-bfc1-08002be10318}": "SCSI controllers",
    IDE_CLASS: "IDE and AHCI controllers",
    "{4d36e97d-e325-11ce-bfc1-08002be10318}": "buses",
}
OF_DISKS = "{4d36e967-e325-11ce-bfc1-08002be10318}", "UpperFilters"
READ_ONLY = 1 << 60  # of a GPT entry of basic data; source: Microsoft, CREATE_PARTITION_PARAMETERS_GPT
HYPER_V = ("azure", "hyper-v")  # whose disk is always reached in the same way
FILTERS = ("UpperFilters", "LowerFilters")
BEHIND_IDE = {"atapi", "storahci"}  # the drivers of disks behind controllers of that class
CONTROLLERS = "SCSI MINIPORT"  # the group of their drivers, in ServiceGroupOrder
IDE_CONTROLLERS = ("ALIIDE", "AMDIDE", "CMDIDE", "VIAIDE")  # those of Windows 7 that are of another group, as pciide is
OLD_BUILDS = ("9200", "9600")  # Windows Server 2012, and its R2
ENDED_ON_HOSTS = endings.ARTICLES + "windows-server-2012r2-boot-failure-platform-update"
LATER_IS_ENOUGH = {"PARTMGR": 1}  # the latest start value that is known to be enough, where that is not 0
USUAL = ("volume", "volsnap", "mountmgr", "volmgrx", "storflt", "vdrvroot")  # on a healthy disk; not all always were


def storage(way: Way) -> Iterator[Fact]:
    """The stage's facts."""
    for name in EVERYWHERE:
        if (bad := _why_not(way, name)) is not None:
            yield stop(f"driver {name}", *bad)
    yield from _bus(way)
    for name in USUAL:
        service = way.services.find(name)
        if service is not None and (service.start == DISABLED):
            yield odd(
                f"driver {name}",
                f"it is off (Start {DISABLED})",
                BadService(way.services.control_set, service.name, DISABLED),
            )
    yield from _filters(way)
    yield from _newer_hosts(way)
    yield from _partition(way)


def _partition(way: Way) -> Iterator[Fact]:
    """What may keep Windows from the volume on which it lies, though the boot manager came to it."""
    volume = way.windows.volume
    partition, table = volume.partition, volume.disk.table
    what = f"{volume}, of Windows"
    if table.style != "none" and partition.role != "basic data" and not partition.part_of:
        yield odd(what, f"its type is {partition.type_name}: whether Windows takes it for a volume is not certain")
    if partition.attributes & READ_ONLY:
        yield odd(what, "the GPT has it as read-only (bit 60 of its attributes)")
    used = {each.number for each in table.partitions} | set(table.beyond) | table.overlapping
    blank = [number for number in range(1, partition.number) if number not in used]
    if table.style == "GPT" and blank:
        said = f"entries before it are blank ({numbers_text(blank)}), which Microsoft names among the causes of 0x7B"
        yield odd(what, said)


def _why_not(way: Way, name: str) -> tuple[str, endings.Ending, BadService] | None:
    """Why a driver does not run when the kernel needs it; None where it does, as far as the disk tells."""
    service = way.services.find(name)
    control_set = way.services.control_set
    if service is None:
        return f"{control_set}\\Services has no such key", endings.NO_STORAGE, BadService(control_set, name, None)
    if service.start is None or service.start > LATER_IS_ENOUGH.get(name.upper(), BOOT):
        start = "it has no Start that is a number" if service.start is None else f"Start is {service.start}"
        said = f"it does not start with the loader ({start})"
        return said, endings.NO_STORAGE, BadService(control_set, service.name, service.start)
    fault = way.fault_of(service)
    if fault is not None and fault.kind != "unknown":
        bad = BadFile(way.windows.volume, way.path_of(service) or service.path, fault)
        about = BadService(control_set, service.name, service.start, file=bad)
        return f"{service.path}: {fault.said}", endings.NO_STORAGE, about
    return None


def _machine(way: Way) -> str | None:
    """The machine whose disk is reached in a way that is known: the one that was said, or Hyper-V by its traces."""
    name = way.platform if way.platform != AUTO else platform_of(way.traces)
    return name if way.platform != AUTO or name in HYPER_V else None  # others have disks of several kinds


def _bus(way: Way) -> Iterator[Fact]:
    name = _machine(way)
    if name is None:
        yield from _any_machine(way)
        return
    platform = PLATFORMS[name]
    stacks = {stack: _broken(way, stack) for stack in platform.ways[way.generation]}
    sound = [stack for stack, broken in stacks.items() if not broken]
    if sound:
        if name == "nvme":
            sound.sort(key=lambda stack: bool(_late(way, stack)))
        yield Fact(f"disks of {platform.title}", f"reached by {', '.join(sound[0])}")
        for driver, (said, _, about) in {each[0]: each[1] for broken in stacks.values() for each in broken}.items():
            if (driver in ("vmbus", "storvsc")) and way.services.find(driver):
                yield odd(f"driver {driver}", said, about)
        if platform.usual and not any(driver in stack for stack in sound for driver in platform.usual):
            said = f"none of {', '.join(platform.usual)} is whole and starts with the loader"
            yield odd("disks", f"{said}: behind their controllers, 0x7B; {', '.join(sound[0])} reach it behind another")
        yield from _overrides(way, sound[0], strict=name == "nvme")
        for stack in sound[1:] if name == "nvme" else ():  # of several vendors: which the machine has, it decides
            yield from _overrides(way, tuple(each for each in stack if each not in sound[0]), strict=False)
        return
    nearest = min(
        stacks.values(), key=lambda broken: (len(broken), sum(not way.services.find(each[0]) for each in broken))
    )
    for driver, (said, ending, about) in nearest:
        yield stop(f"driver {driver}", f"{said}; without it {platform.title} gives Windows no disk", ending, about)


def _newer_hosts(way: Way) -> Iterator[Fact]:
    """Windows Server 2012 and its R2 know Hyper-V's bus by the name that Azure's newer hosts do not give it any more.

    Source: Microsoft, "Windows Server 2012 R2 startup failure after Azure platform update".
    """
    build = (way.windows.product.build or "").partition(".")[0]
    if _machine(way) != "azure" or build not in OLD_BUILDS:
        return
    bus, new = (f"{way.control_set}\\Enum\\ACPI\\{name}" for name in ("VMBus", "MSFT1000"))
    if way.windows.system.key(bus) is not None and way.windows.system.key(new) is None:
        said = f"{bus} is there, {new} is not: on Azure's newer hosts the start ends with 0x7B"
        yield odd("Hyper-V's bus", f"{said}; its keys are copied with `vmrescue reg`: {ENDED_ON_HOSTS}")


def _any_machine(way: Way) -> Iterator[Fact]:
    """Where the disk does not tell which machine it is in: it stops where no machine's way is sound."""
    sound = {
        name: stack
        for name, platform in PLATFORMS.items()
        for stack in platform.ways[way.generation]
        if not _broken(way, stack)
    }
    titles = ", ".join(PLATFORMS[name].title for name in sound)
    if not sound and (others := _other_controllers(way)):
        said = "the drivers of no machine that is known are whole; whether the disk is reached by"
        yield unknown("disks", f"{said} {', '.join(others)}, depends on the machine")
        return
    if not sound:
        yield stop("disks", "the drivers of no machine that is known are whole", endings.NO_STORAGE)
        return
    yield Fact("disks", f"reached on {titles}")
    if "azure" not in sound:
        for driver, (said, _, about) in _broken(way, PLATFORMS["azure"].ways[way.generation][0]):
            yield odd(f"driver {driver}", f"{said}; on Azure and Hyper-V the start would end with 0x7B", about)


def _other_controllers(way: Way) -> list[str]:
    """The drivers of other disk controllers that start with the loader: msahci of Windows 7, Xen's, those of RAID."""
    if _why_not(way, "pci") is not None:  # they are found on that bus
        return []
    controllers = (
        each
        for each in way.services.boot_drivers
        if (upper(each.group) == CONTROLLERS or upper(each.name) in IDE_CONTROLLERS)
        and not own_services.is_own(each.name)
        and not any(way.services.overrides(each).values())
    )
    return [each.name for each in controllers if _why_not(way, each.name) is None]


def _broken(way: Way, stack: tuple[str, ...]) -> list[tuple[str, tuple[str, endings.Ending, BadService]]]:
    return [(name, why) for name in stack if (why := _why_not(way, name)) is not None]


def _late(way: Way, stack: tuple[str, ...]) -> dict[str, dict[str, int]]:
    """The values of StartOverride that are for a later start, by driver."""
    services = [service for name in stack if (service := way.services.find(name))]
    values = {
        each.name: {id_: value for id_, value in way.services.overrides(each).items() if value} for each in services
    }
    return {name: late for name, late in values.items() if late}


def _overrides(way: Way, stack: tuple[str, ...], strict: bool) -> Iterator[Fact]:
    """A later start for certain hardware: whether it counts on this machine, the disk does not tell."""
    for name, late in _late(way, stack).items():
        service = way.services.find(name)
        said = f"StartOverride has {', '.join(f'{id_}={value}' for id_, value in late.items())}"
        about = BadService(way.services.control_set, name, service.start if service else None, tuple(late))
        if strict and upper(name) == "STORNVME":
            yield stop(f"driver {name}", said, endings.NO_NVME, about)
        else:
            yield odd(f"driver {name}", f"{said}; on that hardware it does not start with the loader", about)


def _filters(way: Way) -> Iterator[Fact]:
    system, control_set = way.windows.system, way.control_set
    for guid, title in CLASSES.items():
        path = f"{control_set}\\Control\\Class\\{guid}"
        if system.key(path) is None:
            yield unknown(f"filters of {title}", f"{path} is not there")
            continue
        for value in FILTERS:
            names = way.multi(f"Control\\Class\\{guid}", value)
            if (guid, value) == OF_DISKS and "PARTMGR" not in map(upper, names):
                what = f"filters of {title} ({value})"
                yield odd(what, "partmgr is not among them, which finds the partitions of a disk")
            for name in names:
                if (said := _lost(way, name)) is not None:
                    about = LostFilter(control_set, guid, value, name, tuple(names))
                    what = f"filter {name} of {title} ({value})"
                    if guid == IDE_CLASS and not _behind_ide(way):
                        yield odd(what, f"{said}: a disk behind such a controller would not be reached", about)
                        continue
                    yield stop(what, said, endings.NO_FILTER, about)
                    yield from _own_filter(way, name)


def _behind_ide(way: Way) -> bool:
    """Whether the disk can only lie behind an IDE or AHCI controller, as far as the machine is known."""
    name = _machine(way)
    ways = PLATFORMS[name].ways[way.generation] if name else ()
    sound = [stack for stack in ways if not _broken(way, stack)]
    return bool(sound) and all(BEHIND_IDE & set(stack) for stack in sound)


def _own_filter(way: Way, name: str) -> Iterator[Fact]:
    """A filter of Windows' own that only is off: its name stays in the list, and its Start is what is wrong."""
    service = way.services.find(name)
    own = upper(name) in own_services.FILTERS and upper(name) not in map(upper, EVERYWHERE)
    if service is not None and own and service.start == DISABLED and way.fault_of(service) is None:
        about = BadService(way.services.control_set, service.name, DISABLED)
        yield stop(f"driver {service.name}", f"it is off (Start {DISABLED}), and a filter", endings.NO_FILTER, about)


def _lost(way: Way, name: str) -> str | None:
    """Why a filter cannot be loaded; None where it can, as far as the disk tells."""
    service = way.services.find(name)
    if service is None:
        return "there is no such service"
    if service.start == DISABLED:
        return f"it is off (Start {DISABLED})"
    fault = way.fault_of(service)
    return f"{service.path}: {fault.said}" if fault is not None and fault.kind != "unknown" else None
