"""An opened disk and its volumes: its container, its partition table, and file systems, which are read when needed.

`Disk` and `Volume` refer to each other, so both are in this module.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from vmrescue.errors import FormatError, NotFoundError, RefusedError, UnsupportedError, UsageError
from vmrescue.log import logger
from vmrescue.plan import ImageIdentity
from vmrescue.volume import PartitionTable, identify, other_content, read_partition_table
from vmrescue.volume.bitlocker import read_bitlocker
from vmrescue.volume.disk_encryption import SECTOR, UEFI_PROGRAM, encryption_of_record, may_be_encrypted
from vmrescue.volume.state import StateName, VolumeState
from vmrescue.volumes.encryption import in_the_clear
from vmrescue.volumes.file_systems import FILE_SYSTEMS, file_system_of, open_file_system

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from vmrescue.device import BlockDevice
    from vmrescue.image import VirtualDisk
    from vmrescue.readers.file_system import FileSystem
    from vmrescue.volume import Partition
    from vmrescue.volume.disk_encryption import DiskEncryption
    from vmrescue.volumes.file_systems import FileSystemKind, VolumeEditor

LOG = logger("volumes")
ENCRYPTED = ("BitLocker", "VeraCrypt", "TrueCrypt")


class Disk:
    """An opened disk, in one state of it: what its volumes' readers have read is not read again, so that after an edit
    another object is needed (`anew`).

    Args:
        device: the virtual disk; its owner closes it.
        path: the image's path, for reports.
        index: 0 for the image that is diagnosed; 1, 2, … for the data disks given with it.
        table: its partition table, if it is known already; else it is read.

    Attributes:
        confirms: whether its files are read to confirm an edit, by readers that are not ours.
    """

    confirms = False

    def __init__(self, device: VirtualDisk, path: str, index: int = 0, table: PartitionTable | None = None) -> None:
        self.device = device
        self.path = path
        self.index = index
        self.table = table or read_partition_table(device)
        self.volumes = [Volume(self, partition) for partition in self.table.partitions if partition.role != "extended"]
        LOG.debug("%s: partition table %s, %d volumes", path, self.table.style, len(self.volumes))

    def anew(self) -> Self:
        """A new object for the same disk, without anything cached: its table and volumes are read again."""
        return type(self)(self.device, self.path, self.index)

    def to_confirm(self) -> Self:
        """The same as `anew`, with its files read by readers that are not ours alone."""
        disk = self.anew()
        disk.confirms = True
        return disk

    @cached_property
    def found(self) -> dict[Any, Any]:
        """What was found on it, kept by those who found it, for whoever asks next (`windows.Installation.of`)."""
        return {}

    @property
    def id(self) -> str:
        """The MBR signature (eight hexadecimal digits) or the GPT disk GUID as text; empty for a bare volume."""
        disk_id = self.table.disk_id
        if disk_id is None:
            return ""
        return f"{disk_id:08x}" if isinstance(disk_id, int) else str(disk_id)

    @property
    def identity(self) -> ImageIdentity:
        """The identity that a plan for this disk contains."""
        return ImageIdentity(self.device.size, self.id)

    @property
    def warnings(self) -> list[str]:
        """Warnings about the container and the partition table, which could be read nevertheless."""
        parts = (volume.refusal for volume in self.volumes)
        return [*self.device.warnings, *self.table.warnings, *filter(None, parts)]

    @property
    def refusal(self) -> str | None:
        """Why the image is only read, and how to convert it; None if it can be written."""
        return self.device.refusal

    @cached_property
    def cut_short(self) -> str | None:
        """Which partition or volume reaches beyond the disk's end, as a sentence; None if none does.

        The image is then cut short, or its table is that of a larger disk: no part of it is edited. Where only the end
        of a partition is missing that its volume does not use, nothing is.
        """
        lacking = (
            why
            for number, why in self.table.beyond.items()
            if not ((volume := self.volume(number)) and volume.is_inside)
        )
        return next(lacking, None) or next(filter(None, (volume.cut_short for volume in self.volumes)), None)

    @cached_property
    def encryption(self) -> DiskEncryption | None:
        """The product, not Microsoft's, whose program starts the disk and decrypts volumes; None where none does."""
        if self.table.style == "MBR":
            return encryption_of_record(self.device.read_at(0, SECTOR))
        systems = [each for each in self.volumes if each.partition.role == "EFI system" and each.readable]
        with suppress(FormatError, UnsupportedError, UsageError):
            return "VeraCrypt" if any(each.has_file(UEFI_PROGRAM) for each in systems) else None
        return None

    @property
    def active_volumes(self) -> list[Volume]:
        """The volumes of an MBR's primary partitions with the active flag, from which a BIOS starts."""
        return [each for each in self.volumes if each.partition.active and each.partition.number <= 4]

    def volume(self, number: int) -> Volume | None:
        """The volume on partition `number`; None if there is none."""
        return self._by_number.get(number)

    @cached_property
    def _by_number(self) -> dict[int, Volume]:
        return {volume.partition.number: volume for volume in reversed(self.volumes)}


class DiskWithoutTable(Disk):
    """A blank disk, or one whose partition table cannot be read. It has no volumes; its warnings say why."""

    def __init__(self, device: VirtualDisk, path: str, index: int = 0) -> None:
        super().__init__(device, path, index, PartitionTable("none", device.sector_size, None, [], [_why(device)]))


def _why(device: VirtualDisk) -> str:
    try:
        read_partition_table(device)
    except FormatError as error:
        return str(error)
    return "its partition table was not read"


class Volume:
    """A partition of `disk` as a volume.

    Attributes:
        letter: its drive letter in the guest's Windows (``"C:"``), if it has one; set by `Installation`.
    """

    def __init__(self, disk: Disk, partition: Partition) -> None:
        self.disk = disk
        self.partition = partition
        self.letter: str | None = None

    @property
    def disk_index(self) -> int:
        return self.disk.index

    @property
    def position(self) -> int:
        """Where the volume begins, in bytes from the disk's start."""
        return self.partition.start

    @cached_property
    def found(self) -> dict[Any, Any]:
        """As of a disk: its opened hives (`windows.RegistryFile.of`)."""
        return {}

    @cached_property
    def device(self) -> BlockDevice:
        """The volume's bytes, decrypted if need be."""
        return in_the_clear(self.partition.open(self.disk.device))

    @cached_property
    def file_system(self) -> str | None:
        """``NTFS``, ``FAT32``, ``BitLocker``, …; None if it is none that is known."""
        return identify(self.device) or other_content(self.device) or self._hidden_by

    @property
    def _hidden_by(self) -> DiskEncryption | None:
        """What may have encrypted a volume in which no file system is seen."""
        return self.disk.encryption if self.partition.role == "basic data" else None

    @property
    def is_encrypted(self) -> bool:
        """Whether BitLocker encrypts it, or a product that starts before Windows and leaves no signature."""
        return self.file_system in ENCRYPTED

    @cached_property
    def is_like_chance(self) -> bool:
        """Whether no file system is seen in it, and its first sector looks like chance: it may be encrypted."""
        return self.file_system is None and may_be_encrypted(self.device)

    @cached_property
    def files(self) -> FileSystem:
        """The reader of its file system. Raises UnsupportedError if vmrescue cannot read it."""
        _ = self.kind  # whose error names the partition
        return open_file_system(self.device, self.file_system, self.position, self.disk.confirms)

    @cached_property
    def _confirming(self) -> FileSystem:
        return open_file_system(self.device, self.file_system, self.position, confirms=True)

    @property
    def kind(self) -> FileSystemKind:
        """Its file system's row in the table. Raises UnsupportedError if it has none."""
        return file_system_of(self.file_system, str(self))

    @property
    def readable(self) -> bool:
        return self.file_system in FILE_SYSTEMS

    def has_file(self, path: str) -> bool:
        """Whether there is a file at this path; a folder is none."""
        return self.files.size_of(path) is not None

    def why_not_read(self, path: str) -> str | None:
        """Why a file that is there is not read from the disk alone (encrypted, compressed by WOF, elsewhere), though a
        start may read it; None where it is read, is not there, or is damaged.
        """
        return _why_not(self.files.open, path)

    def why_not_replaced(self, path: str) -> str | None:
        """As `why_not_read`, but where WOF has compressed it: by its stored form it is known again."""
        return _why_not(self.files.stored, path)

    def has_folder(self, path: str) -> bool:
        """Whether there is a folder at this path; the empty path is the root."""
        nature = self.files.nature(path) if path else None
        return not path or (nature is not None and nature.directory)

    @property
    def unused(self) -> int:
        """Bytes at the end of its partition that an NTFS volume does not use, because it was copied to a larger one."""
        if self.file_system != "NTFS" or self.disk.table.style == "none":
            return 0
        try:
            return max(self.partition.size - self.files.total_bytes, 0)
        except (FormatError, UnsupportedError):
            return 0

    def editor(self) -> VolumeEditor:
        """A new editor for the volume.

        Raises:
            UnsupportedError: its file system has none.
            FormatError: the reader, which has to confirm the edits, sees another geometry than the editor.
        """
        _ = self._confirming  # opening the reader compares the geometries
        return self.kind.edit(self.device)

    @cached_property
    def state(self) -> VolumeState:
        """The state in which Windows left it; `clean` if its file system is not known."""
        try:
            if self.file_system == "BitLocker" and (bitlocker := read_bitlocker(self.device)):
                return VolumeState(StateName.ENCRYPTED, bitlocker.reasons)
            if self.is_encrypted:
                return VolumeState(
                    StateName.ENCRYPTED, [f"no file system is seen, and {self.file_system} starts the disk"]
                )
            return self.kind.state(self.device) if self.readable else VolumeState(StateName.CLEAN, [])
        except (FormatError, UnsupportedError) as error:
            return VolumeState(StateName.DAMAGED, [str(error)])

    @property
    def is_inside(self) -> bool:
        """Whether its boot sector says that the volume ends inside its partition, as far as the disk has that."""
        try:
            self.kind.geometry(self.device)
        except (FormatError, UnsupportedError):
            return False
        return True

    @property
    def cut_short(self) -> str | None:
        """That the volume reaches beyond the disk's end according to its boot sector; None if that is not known."""
        try:
            self.kind.geometry(self.device)
        except FormatError as error:
            found, size = error.found, self.disk.device.size
            if error.beyond and isinstance(found, int) and self.position + found > size:
                said = f"the {self.file_system} volume of {self} reaches to byte {self.position + found}"
                return f"{said}, and the disk ends at byte {size}"
        except UnsupportedError:  # nothing is known of its length
            pass
        return None

    @property
    def refusal(self) -> str | None:
        """Why nothing on this volume may be changed, apart from its state; None if it may."""
        part_of, type_name = self.partition.part_of, self.partition.type_name
        if part_of is None:
            return None
        return (
            f"{self} ({type_name}) is a part of {part_of}: what lies in it may be a piece of a spanned, striped or "
            "mirrored volume, so that it is read at most, and nothing in it is changed"
        )

    def must_be_whole(self) -> None:
        """Raises RefusedError, with `refusal`, if nothing on the volume may be changed."""
        if self.refusal:
            raise RefusedError(self.refusal)

    def __str__(self) -> str:
        disk = f" of data disk {self.disk.index}" if self.disk.index else ""
        letter = f" ({self.letter})" if self.letter else ""
        return f"partition {self.partition.number}{disk}{letter}"


def _why_not(opening: Callable[[str], BinaryIO], path: str) -> str | None:
    try:
        opening(path)
    except UnsupportedError as error:
        return str(error)
    except (FormatError, NotFoundError, UsageError):
        pass
    return None
