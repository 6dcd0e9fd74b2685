"""The boot sector of a FAT volume: where its tables, its root directory and its clusters are.

Source: Microsoft, "Microsoft Extensible Firmware Initiative FAT32 File System Specification" (fatgen103), 1.03.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from construct import Int8ul, Int16ul, Int32ul, Padding, Struct

from vmrescue.dataclass import dataclass
from vmrescue.errors import UnsupportedError, in_volume
from vmrescue.volume.bitlocker import form_of
from vmrescue.volume.fat_parameters import COMMON, FEWEST_OF_FAT16, FEWEST_OF_FAT16_FOR_WINDOWS

if TYPE_CHECKING:
    from construct import Container

    from vmrescue.device import BlockDevice

FatKind = Literal["FAT12", "FAT16", "FAT32"]

TAIL_16 = Struct("drive" / Int8ul, "state" / Int8ul)
TAIL_32 = Struct(
    "table_sectors_32" / Int32ul,
    "table_flags" / Int16ul,  # bit 7: only the table numbered by bits 0-3 is in use
    "version" / Int16ul,
    "root_cluster" / Int32ul,
    "info_sector" / Int16ul,
    "backup_sector" / Int16ul,
    Padding(12),
    "drive" / Int8ul,
    "state" / Int8ul,
)
STRUCTURE = "FAT boot sector"


@dataclass(frozen=True)
class BootSector:
    """The volume's geometry; all offsets and sizes are bytes from the volume's start.

    Args:
        bits: bits of a table entry: 12, 16 or 32.
        table_offset: of the first copy of the table; the others follow it.
        active_table: the number of the only copy in use (FAT32 without mirroring); None if all copies are kept alike.
        root_cluster: of a FAT32 root directory; 0 on the others, whose root lies at `root_offset`.
        cluster_count: clusters are numbered from 2.
        info_offset, backup_offset: of FAT32's FSInfo sector and backup boot sector, where there are any.
        state: the byte whose bits 0 and 1 Windows sets while the volume is mounted, or when it has seen errors.
    """

    bits: int
    sector_size: int
    cluster_size: int
    table_offset: int
    table_size: int
    table_count: int
    active_table: int | None
    root_offset: int
    root_entries: int
    root_cluster: int
    data_offset: int
    cluster_count: int
    size: int
    media: int
    info_offset: int | None
    backup_offset: int | None
    state: int

    @property
    def kind(self) -> FatKind:
        return "FAT12" if self.bits == 12 else "FAT16" if self.bits == 16 else "FAT32"

    @property
    def table_offsets(self) -> list[int]:
        """The copies of the table in use; the first is the one to read."""
        copies = range(self.table_count) if self.active_table is None else [self.active_table]
        return [self.table_offset + copy * self.table_size for copy in copies]

    def is_cluster(self, cluster: int) -> bool:
        return 2 <= cluster < self.cluster_count + 2

    def cluster_offset(self, cluster: int) -> int:
        return self.data_offset + (cluster - 2) * self.cluster_size


def read_boot_sector(device: BlockDevice) -> BootSector:
    """The boot sector at byte 0.

    Raises:
        UnsupportedError: it only looks like FAT, because BitLocker To Go encrypts the volume; or some systems take the
            volume for FAT12 and others for FAT16.
        FormatError: the fields cannot be those of a FAT volume, or the device is too short.
    """
    return parse_boot_sector(device.read_at(0, 512), device.size)


def parse_boot_sector(data: bytes, size: int) -> BootSector:
    """The fields of a boot sector, or a copy of one, of a volume in `size` bytes. Raises as `read_boot_sector`."""
    if form := form_of(data):
        raise UnsupportedError(f"the volume is encrypted by {form}: unlock or decrypt it first")
    fields = COMMON.parse(data)
    _check_fields(data, fields)
    is_32 = fields.table_sectors_16 == 0  # as Windows' own driver decides; the cluster count tells FAT12 from FAT16
    tail = (TAIL_32 if is_32 else TAIL_16).parse(data[COMMON.sizeof() :])
    if is_32 and tail.version:  # Microsoft, FAT specification 1.03: such a volume is not to be mounted
        raise in_volume(STRUCTURE, 42, "version 0.0 of FAT32", f"0x{tail.version:04x}")
    sector = fields.sector_size
    table_sectors = tail.table_sectors_32 if is_32 else fields.table_sectors_16
    root = fields.reserved_sectors + fields.table_count * table_sectors
    data_start = root + -(-fields.root_entries * 32 // sector)
    sectors = fields.sectors_16 or fields.sectors_32
    clusters = (sectors - data_start) // fields.sectors_per_cluster
    if clusters < 1:
        raise in_volume(STRUCTURE, 32, f"more sectors than the {data_start} before the first cluster", sectors)
    if sectors * sector > size:
        expected = f"a volume inside its partition's {size} bytes"
        raise in_volume(STRUCTURE, 32, expected, sectors * sector, beyond=True)
    if not is_32 and FEWEST_OF_FAT16 <= clusters < FEWEST_OF_FAT16_FOR_WINDOWS:
        raise UnsupportedError(
            f"a FAT volume of {clusters} clusters is FAT12 to Windows and FAT16 to others: it is not "
            "read, so as not to guess"
        )
    boot = BootSector(
        bits=32 if is_32 else 12 if clusters < FEWEST_OF_FAT16 else 16,
        sector_size=sector,
        cluster_size=sector * fields.sectors_per_cluster,
        table_offset=fields.reserved_sectors * sector,
        table_size=table_sectors * sector,
        table_count=fields.table_count,
        active_table=tail.table_flags & 0x0F if is_32 and tail.table_flags & 0x80 else None,
        root_offset=root * sector,
        root_entries=fields.root_entries,
        root_cluster=tail.root_cluster if is_32 else 0,
        data_offset=data_start * sector,
        cluster_count=clusters,
        size=sectors * sector,
        media=fields.media,
        info_offset=_reserved_offset(fields, tail.info_sector) if is_32 else None,
        backup_offset=_reserved_offset(fields, tail.backup_sector) if is_32 else None,
        state=tail.state,
    )
    _check_geometry(boot)
    return boot


def same_copy(device: BlockDevice) -> int | None:
    """The position of FAT32's backup, where it is equal to the boot sector. Raises as `read_boot_sector`."""
    boot = read_boot_sector(device)
    if boot.backup_offset is None:
        return None
    first, copy = (device.read_at(place, boot.sector_size) for place in (0, boot.backup_offset))
    return boot.backup_offset if copy == first else None


def _reserved_offset(fields: Container, sector: int) -> int | None:
    """The byte position of a sector that must lie before the tables; 0 and 0xFFFF mean that there is none."""
    return sector * fields.sector_size if 0 < sector < fields.reserved_sectors else None


def _check_fields(data: bytes, fields: Container) -> None:
    if data[0] not in (0xEB, 0xE9):
        raise in_volume(STRUCTURE, 0, "a jump instruction, EB or E9", f"{data[0]:02X}")
    if data[510:512] != b"\x55\xaa":
        raise in_volume(STRUCTURE, 510, "the signature 55 AA", data[510:512].hex(" "))
    if fields.sector_size not in (512, 1024, 2048, 4096):
        raise in_volume(STRUCTURE, 11, "sectors of 512, 1024, 2048 or 4096 bytes", fields.sector_size)
    if fields.sectors_per_cluster not in (1, 2, 4, 8, 16, 32, 64, 128):
        raise in_volume(STRUCTURE, 13, "1 to 128 sectors per cluster, a power of two", fields.sectors_per_cluster)
    if not fields.reserved_sectors:
        raise in_volume(STRUCTURE, 14, "at least one reserved sector", 0)
    if not fields.table_count:
        raise in_volume(STRUCTURE, 16, "at least one allocation table", 0)
    if not fields.table_sectors_16 and fields.root_entries:
        raise in_volume(STRUCTURE, 17, "no fixed root directory on FAT32", fields.root_entries)
    if fields.media < 0xF8 and fields.media != 0xF0:
        raise in_volume(STRUCTURE, 21, "a media byte F0 or F8 to FF", f"{fields.media:02X}")


def _check_geometry(boot: BootSector) -> None:
    entries = boot.table_size * 8 // boot.bits
    if entries < boot.cluster_count + 2:
        expected = f"tables that hold all {boot.cluster_count} clusters"
        raise in_volume(STRUCTURE, 22 if boot.bits < 32 else 36, expected, f"{entries} entries")
    if boot.cluster_count > {12: 4084, 16: 65524, 32: 0x0FFFFFF5}[boot.bits]:
        raise in_volume(STRUCTURE, 32, f"a number of clusters that {boot.kind} can count", boot.cluster_count)
    if boot.bits == 32 and not boot.is_cluster(boot.root_cluster):
        raise in_volume(STRUCTURE, 44, "the root directory's first cluster", boot.root_cluster)
    if boot.active_table is not None and boot.active_table >= boot.table_count:
        raise in_volume(STRUCTURE, 40, f"one of {boot.table_count} tables in use", boot.active_table)
