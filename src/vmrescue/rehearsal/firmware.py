"""Firmware to boot manager: what a BIOS or UEFI looks for on the disk, and the boot manager's file.

BIOS: the boot record's signature and code, its one active entry, that partition's boot sector, ``bootmgr`` in its root.
UEFI: the EFI system partition, FAT, ``\\EFI\\Microsoft\\Boot\\bootmgfw.efi`` or, where the machine has no entry for it,
``\\EFI\\Boot\\bootx64.efi``, which is called otherwise for other machines. Sources: UEFI 2.10, 3.5.1.1 and 5.3;
Microsoft, "Damaged MBRs and Boot Sectors"; the firmware of Hyper-V and Azure, github.com/microsoft/mu_msvm
(DeviceBootManagerLib.c): it tries every FAT volume of any type.

Where another boot manager comes first, the active flag means nothing to it, and its own menu says what is started: GRUB
in the boot record, whose program holds the words in `GRUB` (its boot.S), or VeraCrypt, which decrypts the disk; or a
program in the first sector of an active partition of Linux, or of an extended one, without a boot sector of Windows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import FormatError, UnsupportedError, UsageError
from vmrescue.ntfs.structures.boot_sector import END, END_AT, NOT_BOOTABLE, PROGRAM
from vmrescue.rehearsal import endings
from vmrescue.rehearsal.about import ActiveFlag, BadFile, HiddenSectors, LostType, PackedFile
from vmrescue.rehearsal.files import Fault, FaultKind, fault_of_file, machine_of
from vmrescue.rehearsal.stage import Fact, odd, stop, unknown
from vmrescue.volume.disk_encryption import encryption_of_record
from vmrescue.volume.file_system import FATS
from vmrescue.volume.hidden_sectors import hidden_sectors
from vmrescue.volume.mbr import ACTIVE, ENTRIES_AT, ENTRY, active_slots, read_boot_record
from vmrescue.volume.partition_table import BAD_PROTECTIVE_MBR, NO_PROTECTIVE_MBR

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from vmrescue.rehearsal.way import Way
    from vmrescue.volumes.disk import Volume

SECTOR = 512
ENTRY_SIZE = int(ENTRY.sizeof())
CODE = 440  # bytes of a master boot record's program
OF_LINUX = ("ext2/3/4", "XFS", "Btrfs", "LUKS", "LVM", "swap")  # Windows does not start from these
LIKE_CHANCE = "begins like chance: the volume is encrypted, or was overwritten"
# Of the program in the boot record since Vista: "cmp byte [bp], 0; jl": it takes the first entry with the flag 80, and
# looks at none behind it. That of XP refuses a second. Source: thestarman.pcministry.com/asm/mbr/W7MBR.htm.
TAKES_THE_FIRST = bytes.fromhex("80 7e 00 00 7c")
GRUB = b"GRUB \0Geom\0Hard Disk\0Read\0"
BIOS_MANAGER, OLDER_MANAGER = "bootmgr", "ntldr"
BOOT_PROGRAM = 16 * SECTOR  # bytes; of NTFS, whose $Boot has so many
UEFI_MANAGER = r"EFI\Microsoft\Boot\bootmgfw.efi"
UEFI_DEFAULTS = {"x64": r"EFI\Boot\bootx64.efi", "ARM64": r"EFI\Boot\bootaa64.efi", "x86": r"EFI\Boot\bootia32.efi"}


def firmware(way: Way) -> Iterator[Fact]:
    """The stage's facts."""
    if esp := esp_of_mbr(way):
        yield unknown(
            "partition table", "an MBR with an EFI system partition: whether the firmware starts it is not known"
        )
        yield from _programs(way, esp)
        return
    yield from _uefi(way) if way.generation == 2 else _bios(way)


def esp_of_mbr(way: Way) -> list[Volume]:
    """The EFI system partitions with a boot manager of an MBR from which no BIOS starts: none is active (UEFI, 5.2)."""
    if way.generation != 1 or way.disk.active_volumes:
        return []
    return [each for each in way.disk.volumes if each.partition.role == "EFI system" and _has_efi_program(each)]


def _bios(way: Way) -> Iterator[Fact]:
    record = way.disk.device.read_at(0, SECTOR)
    if not any(record[:CODE]):
        yield stop("master boot record", "it has no program: its first 440 bytes are zeros", endings.NO_ACTIVE)
    elif not _other_record(record):
        yield Fact("master boot record", "signature and program are there")
    active, slots = way.disk.active_volumes, active_slots(way.disk.device)
    primary = [volume for volume in way.disk.volumes if volume.partition.number <= 4]
    candidates = tuple(each.partition.number for each in primary if _has(each, BIOS_MANAGER))
    about = ActiveFlag(tuple(slots), candidates)
    if (first := other_manager(way)) is not None:
        by = way.disk.encryption
        said = f"its program is {by}'s, which decrypts the disk" if by else "its program is another boot manager"
        yield unknown(first, f"{said}: what that starts, its own menu says")
        yield from _behind_another(way, about)
        return
    if (bad := _bad_flag(record)) is not None:
        yield stop("partition table", f"entry {bad} has a flag that is none of an active partition", endings.TWO_ACTIVE)
    if len(slots) > 1 and TAKES_THE_FIRST in record:
        said = f"{len(slots)} partitions are active: the boot record's program takes the first, partition {slots[0]}"
        yield odd("active partition", said, about)
        active = [volume for volume in active if volume.partition.number == slots[0]]
    elif len(slots) != 1:
        said = "no partition is active" if not slots else f"{len(slots)} partitions are active"
        yield stop("active partition", said, endings.TWO_ACTIVE if slots else endings.NO_ACTIVE, about)
        return
    if slots[0] in way.disk.table.overlapping:
        yield unknown("active partition", f"partition {slots[0]} overlaps another, and was not looked into")
        return
    if not active:
        said = f"partition {slots[0]} holds no volume, and its first sector no program"
        ends_well = _first_sector(way, slots[0])[END_AT:] == END  # as that of an extended partition does: it is run
        yield stop("active partition", said, endings.NO_PROGRAM if ends_well else endings.BAD_BOOT_SECTOR, about)
        return
    [volume] = active
    yield Fact("active partition", str(volume))
    yield from _boot_sector(volume)
    if not _starts_ntldr(volume):
        yield from _manager_of_bios(volume, about)
    elif not volume.has_file(OLDER_MANAGER):
        yield stop(f"\\{OLDER_MANAGER} on {volume}", "the boot sector starts it, and it is not there", endings.NO_NTLDR)
    else:
        yield unknown(f"\\{OLDER_MANAGER} on {volume}", "the boot sector starts it, as of a Windows before Vista")


def _bad_flag(record: bytes) -> int | None:
    """The entry before the active one whose first byte is a flag from 01 to 7f: Windows' programs end there."""
    flags = [record[at] for at in range(ENTRIES_AT, END_AT, ENTRY_SIZE)]
    found = next((number for number, flag in enumerate(flags, 1) if flag), None)
    return found if found and flags[found - 1] < ACTIVE else None


def _starts_ntldr(volume: Volume) -> bool:
    """Whether a boot sector's program starts the boot manager of Windows before Vista; later ones name bootmgr too."""
    if not volume.readable:
        return False
    program = volume.device.read_at(0, min(BOOT_PROGRAM, volume.device.size)).upper()
    older, newer = (
        any(name.upper().encode(code) in program for code in ("ascii", "utf-16-le"))
        for name in (OLDER_MANAGER, BIOS_MANAGER)
    )
    return older and not newer


def older_manager(way: Way) -> bool:
    """Whether a BIOS starts ntldr, which reads boot.ini, not a boot store."""
    active = way.disk.active_volumes
    return (
        way.disk.table.style == "MBR"
        and len(active) == 1
        and _starts_ntldr(active[0])
        and _has(active[0], OLDER_MANAGER)
    )


def flag_for(way: Way, volume: Volume) -> ActiveFlag | None:
    """The active flag, where it could be set for a volume from which a BIOS then starts; None where it could not.

    Nor where the disk does not tell which of several boot stores is meant: one of their partitions would be a guess.
    """
    meant = sum(store.may_boot for store in way.installation.stores) == 1
    sound = _has(volume, BIOS_MANAGER) and all(fact.ending is None for fact in _boot_sector(volume))
    if way.generation != 1 or volume.partition.number > 4 or not (meant and sound):
        return None
    return ActiveFlag(tuple(active_slots(way.disk.device)), (volume.partition.number,))


def _behind_another(way: Way, about: ActiveFlag) -> Iterator[Fact]:
    """What such a boot manager finds of Windows: the one partition that has its boot manager, or had it."""
    if about.candidates:
        volumes = [each for each in way.disk.volumes if each.partition.number in about.candidates]
        yield from _boot_sector(volumes[0]) if len(volumes) == 1 else ()
    else:
        volumes = [store.volume for store in way.installation.stores if store.generation == 1]
    if len(volumes) == 1 and not way.installation.unreadable:
        yield from _manager_of_bios(volumes[0], about)


def other_manager(way: Way) -> str | None:
    """Where a boot manager lies that a BIOS starts before Windows' own, as that of Linux; None where it starts none."""
    if way.generation == 2:
        return None
    device = way.disk.device
    record, slots = device.read_at(0, SECTOR), active_slots(device)
    if _other_record(record):
        return "master boot record"
    if len(slots) != 1 or not any(record[:CODE]):
        return None
    volume = next((each for each in way.disk.volumes if each.partition.number == slots[0]), None)
    if slots[0] in way.disk.table.overlapping:
        return None
    if volume is None:  # an extended partition
        return f"first sector of partition {slots[0]}" if any(_first_sector(way, slots[0])[:CODE]) else None
    sector = volume.device.read_at(0, SECTOR)
    has_program = sector[END_AT:] == END and volume.file_system in OF_LINUX and any(sector[PROGRAM])
    return f"boot sector of {volume}" if GRUB in sector or has_program else None


def _other_record(record: bytes) -> bool:
    """Whether the program in a boot record is known not to go by the active flag alone."""
    return GRUB in record or encryption_of_record(record) is not None


def _first_sector(way: Way, slot: int) -> bytes:
    """Of an entry of the boot record; empty where the disk ends before it."""
    device = way.disk.device
    entry = next(each for each in read_boot_record(device, 0).entries if each.slot == slot)
    at = entry.start * way.disk.table.sector_size
    return device.read_at(at, SECTOR) if at + SECTOR <= device.size else b""


def _has(volume: Volume, manager: str) -> bool:
    try:
        return volume.readable and volume.has_file(manager)
    except (FormatError, UnsupportedError, UsageError):
        return False


def _boot_sector(volume: Volume) -> Iterator[Fact]:
    sector = volume.device.read_at(0, SECTOR)
    what = f"boot sector of {volume}"
    if volume.is_like_chance:
        yield unknown(what, f"it {LIKE_CHANCE}")
        return
    if sector[END_AT:] != END:
        yield stop(what, f"it ends with {sector[END_AT:].hex(' ')}, not with 55 aa", endings.BAD_BOOT_SECTOR)
        return
    if NOT_BOOTABLE in sector:
        yield stop(what, "its program only says that the disk is not bootable", endings.FOREIGN_CODE)
    elif volume.file_system == "NTFS" and not any(sector[PROGRAM]):
        yield stop(what, "it has no program: the bytes behind its description are zeros", endings.UNREADABLE)
    else:
        yield Fact(what, "signature and program are there")
    hidden = hidden_sectors(volume.device)
    wanted = volume.partition.start // volume.disk.table.sector_size
    if volume.file_system in ("NTFS", *FATS) and hidden != wanted:
        said = f"the boot sector says that the volume begins at sector {hidden}, not {wanted}"
        yield odd("hidden sectors", said, HiddenSectors(volume, hidden, wanted))


def _manager_of_bios(volume: Volume, about: ActiveFlag) -> Iterator[Fact]:
    what = f"\\{BIOS_MANAGER} on {volume}"
    if volume.is_encrypted or volume.is_like_chance:
        yield unknown(what, "what is encrypted is not read")
    elif not volume.readable:
        yield stop(
            what,
            f"the active partition holds {volume.file_system or 'no known file system'}",
            endings.NO_BOOTMGR,
            about,
        )
        return
    nature = volume.files.nature(BIOS_MANAGER)
    if nature is None and not about.candidates:
        gone = BadFile(volume, BIOS_MANAGER, Fault(FaultKind.MISSING, "it is not there"))
        yield stop(what, "it is not there, and on no other partition", endings.NO_BOOTMGR, gone)
    elif nature is None or nature.directory:
        yield stop(what, "it is not there", endings.NO_BOOTMGR, about)
    elif "compressed" in " ".join(nature.packed):
        packed = PackedFile(volume, BIOS_MANAGER)
        yield stop(what, "NTFS has compressed it", endings.PACKED_BOOTMGR, packed)
    elif fault := fault_of_file(volume, BIOS_MANAGER, program=False):
        if fault.kind is FaultKind.UNKNOWN:
            yield unknown(what, fault.said)
        else:
            yield stop(what, fault.said, endings.NO_BOOTMGR, BadFile(volume, BIOS_MANAGER, fault))
    else:
        yield Fact(what, "it is there")


def _uefi(way: Way) -> Iterator[Fact]:
    for warning in way.disk.table.warnings:
        if warning in (NO_PROTECTIVE_MBR, BAD_PROTECTIVE_MBR):
            yield stop("partition table", warning, endings.NO_EFI_PROGRAM)
        else:
            yield odd("partition table", warning)
    typed = [volume for volume in way.disk.volumes if volume.partition.role == "EFI system"]
    if not typed:
        yield from _untyped(way, places_without_type(way))
        return
    typed = yield from _seen(way, typed)
    if not typed:
        return
    readable = [volume for volume in typed if volume.readable and volume.file_system != "NTFS"]
    if not readable:
        if volume := damaged_at_its_head(way):
            yield unknown("EFI system partition", f"the first sector of {volume} is damaged; some firmware reads it")
            return
        held = ", ".join(f"{volume} holds {volume.file_system or 'no known file system'}" for volume in typed)
        yield stop("EFI system partition", f"{held}, which the firmware does not read", endings.NO_EFI_PROGRAM)
        return
    for volume in readable:
        yield Fact("EFI system partition", f"{volume}, {volume.file_system}")
    yield from _programs(way, readable)


def damaged_at_its_head(way: Way) -> Volume | None:
    """An EFI system partition that is not read here, though its first sector, which is damaged, still describes it."""
    from vmrescue.volumes.boot_sector import spare_boot_sector

    for volume in way.disk.volumes:
        if volume.partition.role == "EFI system" and volume.file_system is None:
            spare = spare_boot_sector(volume)
            if spare and spare.is_described:
                return volume
    return None


def _seen(way: Way, typed: list[Volume]) -> Generator[Fact, None, list[Volume]]:
    """The EFI system partitions of which the firmware makes a device; what is said of the others, and of Windows'."""
    unseen = way.disk.table.unseen
    seen = [volume for volume in typed if volume.partition.number not in unseen]
    for volume in typed:
        if why := unseen.get(volume.partition.number):
            said = f"{volume} {why}: the firmware does not look into it"
            what = "EFI system partition"
            yield odd(what, said) if seen else stop(what, said, endings.NO_EFI_PROGRAM)
    windows = way.installation.os
    if windows is not None and windows.volume not in typed and windows.volume.disk is way.disk:
        why = unseen.get(windows.volume.partition.number)
        if why:
            yield odd("partition of Windows", f"{windows.volume} {why}: the boot manager may not find it")
    return seen


def places_without_type(way: Way) -> list[Volume]:
    """The FAT volumes with a boot manager of UEFI, where no partition has the type of an EFI system partition."""
    volumes = [] if way.generation == 1 else way.disk.volumes
    if any(volume.partition.role == "EFI system" for volume in volumes):
        return []
    return [volume for volume in volumes if _has_efi_program(volume)]


def _untyped(way: Way, found: list[Volume]) -> Iterator[Fact]:
    """No partition has the type. Some firmware goes by it; that of Hyper-V and Azure tries every FAT volume."""
    what, said = "EFI system partition", "no partition has its type"
    if not found:
        yield stop(what, said, endings.NO_EFI_PROGRAM)
        return
    yield odd(what, f"{said}: a firmware that goes by the type starts nothing", LostType(tuple(found)))
    yield from _programs(way, found)


def _has_efi_program(volume: Volume) -> bool:
    """Whether a FAT volume has a boot manager that is whole."""
    if volume.file_system not in FATS:
        return False
    try:
        return any(fault_of_file(volume, path) is None for path in (UEFI_MANAGER, *UEFI_DEFAULTS.values()))
    except (FormatError, UnsupportedError, UsageError):
        return False


def _machine(way: Way, volumes: list[Volume]) -> str | None:
    """For which machine Windows is; where that is not known, what its boot manager says."""
    return way.machine or next((found for volume in volumes if (found := machine_of(volume, UEFI_MANAGER))), None)


def _programs(way: Way, volumes: list[Volume]) -> Iterator[Fact]:
    """One of the two is enough: which, the machine's own memory says, and that is not at hand."""
    missing, bad, facts, sound = [], [], [], False
    machine = _machine(way, volumes)
    default = UEFI_DEFAULTS.get(machine or "x64")
    for volume in volumes:
        for path in (UEFI_MANAGER, *([default] if default else [])):
            fault = fault_of_file(volume, path, machine=machine)
            what = f"\\{path} on {volume}"
            if fault is None:
                sound = True
                facts.append(Fact(what, "it is there"))
            elif fault.kind is FaultKind.MISSING:
                missing.append((what, fault, BadFile(volume, path, fault)))
            else:
                bad.append((what, fault, BadFile(volume, path, fault)))
    yield from facts
    for what, fault, about in bad:
        if fault.kind is FaultKind.UNKNOWN:
            yield unknown(what, fault.said)
        elif sound:
            yield odd(what, fault.said, about)
        else:
            yield stop(what, fault.said, endings.NO_EFI_PROGRAM, about)
    if not sound and not bad:
        what, fault, about = missing[0]
        others = f", and neither is \\{default}" if default else ""
        yield stop(what, f"{fault.said}{others}", endings.NO_EFI_PROGRAM, about)
        missing = missing[1:]
    if len(volumes) == 1:
        yield from _alone(missing, default)


def _alone(missing: list[tuple[str, Fault, BadFile]], default: str | None) -> Iterator[Fact]:
    """A machine that has an entry starts the first, a new one the second."""
    paths = {about.path: about for _, _, about in missing}
    if UEFI_MANAGER in paths:
        yield odd(
            f"\\{UEFI_MANAGER}",
            "it is not there: a machine that has an entry for it starts nothing",
            paths[UEFI_MANAGER],
        )
    if default in paths:
        yield odd(
            f"\\{default}",
            "it is not there: a machine that is newly made of the disk starts nothing",
            paths[default],
        )
