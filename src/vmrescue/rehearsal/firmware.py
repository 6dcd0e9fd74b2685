"""Firmware to boot manager: what a BIOS or UEFI looks for on the disk, and the boot manager's file.

BIOS: the boot record's signature and code, its one active entry, that partition's boot sector, ``bootmgr`` in its root.
UEFI: the EFI system partition, FAT, ``\\EFI\\Microsoft\\Boot\\bootmgfw.efi`` or, where the machine has no entry for it,
``\\EFI\\Boot\\bootx64.efi``. Sources: UEFI 2.10, 3.5 and 5.3; Microsoft, "Damaged MBRs and Boot Sectors"; the firmware
of Hyper-V and Azure, github.com/microsoft/mu_msvm (DeviceBootManagerLib.c): it tries every FAT volume of any type.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from vmrescue.errors import FormatError, UnsupportedError, UsageError
from vmrescue.ntfs.structures.boot_sector import END, END_AT, HIDDEN_AT, NOT_BOOTABLE, PROGRAM
from vmrescue.rehearsal import endings
from vmrescue.rehearsal.about import ActiveFlag, BadFile, HiddenSectors, LostType
from vmrescue.rehearsal.files import Fault, FaultKind, fault_of_file
from vmrescue.rehearsal.stage import Fact, odd, stop, unknown
from vmrescue.volume.partition_table import NO_PROTECTIVE_MBR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.rehearsal.way import Way
    from vmrescue.volumes.disk import Volume

SECTOR = 512
CODE = 440  # bytes of a master boot record's program
FATS = ("FAT12", "FAT16", "FAT32")
BIOS_MANAGER = "bootmgr"
UEFI_MANAGER = r"EFI\Microsoft\Boot\bootmgfw.efi"
UEFI_DEFAULTS = (r"EFI\Boot\bootx64.efi", r"EFI\Boot\bootaa64.efi")


def firmware(way: Way) -> Iterator[Fact]:
    """The stage's facts."""
    yield from _uefi(way) if way.generation == 2 else _bios(way)


def _bios(way: Way) -> Iterator[Fact]:
    record = way.disk.device.read_at(0, SECTOR)
    if not any(record[:CODE]):
        yield stop("master boot record", "it has no program: its first 440 bytes are zeros", endings.NO_ACTIVE)
    else:
        yield Fact("master boot record", "signature and program are there")
    primary = [volume for volume in way.disk.volumes if volume.partition.number <= 4]
    active = [volume for volume in primary if volume.partition.active]
    candidates = tuple(each.partition.number for each in primary if _has_manager(each))
    about = ActiveFlag(tuple(volume.partition.number for volume in active), candidates)
    if not active and any(volume.partition.role == "EFI system" for volume in way.disk.volumes):
        yield unknown(
            "active partition", "none, but there is an EFI system partition: whether a UEFI starts it is not known"
        )
        return
    if len(active) != 1:
        said = "no partition is active" if not active else f"{len(active)} partitions are active"
        yield stop("active partition", said, endings.TWO_ACTIVE if active else endings.NO_ACTIVE, about)
        return
    [volume] = active
    yield Fact("active partition", str(volume))
    yield from _boot_sector(volume)
    yield from _manager_of_bios(volume, about)


def _has_manager(volume: Volume) -> bool:
    try:
        return volume.readable and volume.files.size_of(BIOS_MANAGER) is not None
    except (FormatError, UnsupportedError, UsageError):
        return False


def _boot_sector(volume: Volume) -> Iterator[Fact]:
    sector = volume.device.read_at(0, SECTOR)
    what = f"boot sector of {volume}"
    if sector[END_AT:] != END:
        yield stop(what, f"it ends with {sector[END_AT:].hex(' ')}, not with 55 aa", endings.BAD_BOOT_SECTOR)
        return
    if NOT_BOOTABLE in sector:
        yield stop(what, "its program only says that the disk is not bootable", endings.FOREIGN_CODE)
    elif volume.file_system == "NTFS" and not any(sector[PROGRAM]):
        yield stop(what, "it has no program: the bytes behind its description are zeros", endings.UNREADABLE)
    else:
        yield Fact(what, "signature and program are there")
    (hidden,) = struct.unpack_from("<I", sector, HIDDEN_AT)
    wanted = volume.partition.start // volume.disk.table.sector_size
    if volume.file_system in ("NTFS", *FATS) and hidden != wanted:
        said = f"the boot sector says that the volume begins at sector {hidden}, not {wanted}"
        yield odd("hidden sectors", said, HiddenSectors(volume, hidden, wanted))


def _manager_of_bios(volume: Volume, about: ActiveFlag) -> Iterator[Fact]:
    what = f"\\{BIOS_MANAGER} on {volume}"
    if not volume.readable:
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
        yield stop(what, "NTFS has compressed it", endings.PACKED_BOOTMGR)
    elif fault := fault_of_file(volume, BIOS_MANAGER, program=False):
        if fault.kind is FaultKind.UNKNOWN:
            yield unknown(what, fault.said)
        else:
            yield stop(what, fault.said, endings.NO_BOOTMGR, BadFile(volume, BIOS_MANAGER, fault))
    else:
        yield Fact(what, "it is there")


def _uefi(way: Way) -> Iterator[Fact]:
    for warning in way.disk.table.warnings:
        if warning == NO_PROTECTIVE_MBR:
            yield stop("partition table", warning, endings.NO_EFI_PROGRAM)
        else:
            yield odd("partition table", warning)
    typed = [volume for volume in way.disk.volumes if volume.partition.role == "EFI system"]
    if not typed:
        yield from _untyped(places_without_type(way))
        return
    readable = [volume for volume in typed if volume.readable and volume.file_system != "NTFS"]
    if not readable:
        held = ", ".join(f"{volume} holds {volume.file_system or 'no known file system'}" for volume in typed)
        yield stop("EFI system partition", f"{held}, which the firmware does not read", endings.NO_EFI_PROGRAM)
        return
    for volume in readable:
        yield Fact("EFI system partition", f"{volume}, {volume.file_system}")
    yield from _programs(readable)


def places_without_type(way: Way) -> list[Volume]:
    """The FAT volumes with a boot manager of UEFI, where no partition has the type of an EFI system partition."""
    volumes = [] if way.generation == 1 else way.disk.volumes
    if any(volume.partition.role == "EFI system" for volume in volumes):
        return []
    return [volume for volume in volumes if _has_efi_program(volume)]


def _untyped(found: list[Volume]) -> Iterator[Fact]:
    """No partition has the type. Some firmware goes by it; that of Hyper-V and Azure tries every FAT volume."""
    what, said = "EFI system partition", "no partition has its type"
    if not found:
        yield stop(what, said, endings.NO_EFI_PROGRAM)
        return
    yield odd(what, f"{said}: a firmware that goes by the type starts nothing", LostType(tuple(found)))
    yield from _programs(found)


def _has_efi_program(volume: Volume) -> bool:
    """Whether a FAT volume has a boot manager that is whole."""
    if volume.file_system not in FATS:
        return False
    try:
        return any(fault_of_file(volume, path) is None for path in (UEFI_MANAGER, *UEFI_DEFAULTS))
    except (FormatError, UnsupportedError, UsageError):
        return False


def _programs(volumes: list[Volume]) -> Iterator[Fact]:
    """One of the two is enough: which, the machine's own memory says, and that is not at hand."""
    missing, bad, facts, sound = [], [], [], False
    for volume in volumes:
        for path in (UEFI_MANAGER, *UEFI_DEFAULTS):
            fault = fault_of_file(volume, path)
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
        yield stop(what, f"{fault.said}, and neither is \\{UEFI_DEFAULTS[0]}", endings.NO_EFI_PROGRAM, about)
        missing = missing[1:]
    if len(volumes) == 1:
        yield from _alone(missing)


def _alone(missing: list[tuple[str, Fault, BadFile]]) -> Iterator[Fact]:
    """A machine that has an entry starts the first, a new one the second."""
    paths = {about.path: about for _, _, about in missing}
    if UEFI_MANAGER in paths:
        yield odd(
            f"\\{UEFI_MANAGER}",
            "it is not there: a machine that has an entry for it starts nothing",
            paths[UEFI_MANAGER],
        )
    if all(path in paths for path in UEFI_DEFAULTS):
        yield odd(
            f"\\{UEFI_DEFAULTS[0]}",
            "it is not there: a machine that is newly made of the disk starts nothing",
            paths[UEFI_DEFAULTS[0]],
        )
