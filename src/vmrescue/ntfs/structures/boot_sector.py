"""The boot sector: sizes of the volume, its clusters and records, and where the file table begins.

Source: the boot sector's description in Microsoft's "NTFS Technical Reference" (How NTFS Works), and the linux-ntfs
documentation, "$Boot".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from construct import Const, Int8sl, Int8ul, Int16ul, Int32ul, Int64ul, Padding, Struct

from vmrescue.dataclass import dataclass
from vmrescue.errors import UnsupportedError, bytes_text, in_volume
from vmrescue.signatures import NTFS
from vmrescue.volume.bitlocker import is_bitlocker

if TYPE_CHECKING:
    from vmrescue.device import BlockDevice
    from vmrescue.ntfs.structures.positions import Lcn

BOOT_SECTOR_SIZE = 512  # bytes, also on volumes with larger sectors
SECTOR_SIZES = (512, 1024, 2048, 4096)
MAX_CLUSTER = 2 << 20  # bytes; the largest that Windows formats
RECORD_SIZE_AT = 0x40  # bytes into the sector
MAX_RECORD = 65536  # bytes; Windows uses 1024 and 4096
MOST_CLUSTERS = (1 << 32) - 1  # the limit in Windows; it bounds the size of the bitmap that an image can ask for

BOOT_SECTOR = Struct(
    "jump" / Padding(3),
    "oem" / Const(NTFS),
    "sector_size" / Int16ul,  # bytes
    "cluster_sectors" / Int8ul,  # above 0x80: two's complement, the negative power of two
    Padding(14),
    "hidden_sectors" / Int32ul,  # sectors of the disk before the volume; the boot code of a BIOS needs them
    Padding(8),
    "sectors" / Int64ul,  # of the volume, without the partition's last sector, the boot sector's copy
    "mft" / Int64ul,  # cluster
    "mft_mirror" / Int64ul,  # cluster
    "record_size" / Int8sl,  # clusters, or negative: the power of two in bytes
    Padding(3),
    "index_block_size" / Int8sl,  # as above
    Padding(3),
    "serial" / Int64ul,
    Padding(BOOT_SECTOR_SIZE - 0x50),
)
SECTORS_AT = 0x28  # offset of the number of sectors
DESCRIPTION, PROGRAM, END_AT = slice(3, 0x54), slice(0x54, 510), 510
END = b"\x55\xaa"  # the signature that a BIOS requires
NOT_BOOTABLE = b"This is not a bootable disk"  # in the boot program that Linux's mkfs tools write


@dataclass(frozen=True)
class BootSector:
    """The volume's geometry; sizes are in bytes."""

    sector_size: int
    cluster_size: int
    cluster_count: int
    volume_size: int
    mft_cluster: Lcn
    mirror_cluster: Lcn
    record_size: int
    index_block_size: int
    serial: int

    def clusters_for(self, size: int) -> int:
        """How many clusters hold `size` bytes."""
        return -(-size // self.cluster_size)


def read_boot_sector(device: BlockDevice) -> BootSector:
    """The geometry of the NTFS volume on `device`.

    Raises:
        UnsupportedError: the volume is encrypted by BitLocker.
        FormatError: there is no sound NTFS boot sector at byte 0, or the volume is longer than the device.
    """
    if device.size < BOOT_SECTOR_SIZE:
        raise in_volume("NTFS boot sector", None, f"a volume of {BOOT_SECTOR_SIZE} bytes or more", device.size)
    if is_bitlocker(device):
        raise UnsupportedError("the volume is encrypted by BitLocker: unlock or decrypt it first")
    return parse_boot_sector(device.read_at(0, BOOT_SECTOR_SIZE), device.size)


def parse_boot_sector(raw: bytes, device_size: int) -> BootSector:
    """The geometry in the bytes of a boot sector or of its copy. Raises FormatError as `read_boot_sector`."""
    if raw[3:11] != NTFS:
        raise in_volume("NTFS boot sector", 3, f"the name {bytes_text(NTFS)}", raw[3:11])
    boot = _geometry(BOOT_SECTOR.parse(raw))
    _check_geometry(boot, device_size)
    return boot


def _geometry(fields: Any) -> BootSector:
    sector_size = fields.sector_size
    if sector_size not in SECTOR_SIZES:
        raise in_volume("NTFS boot sector", 0x0B, "a sector size of 512 to 4096 bytes", sector_size)
    cluster_size = sector_size * _cluster_sectors(fields.cluster_sectors)
    volume_size = fields.sectors * sector_size
    return BootSector(
        sector_size=sector_size,
        cluster_size=cluster_size,
        cluster_count=volume_size // cluster_size,
        volume_size=volume_size,
        mft_cluster=fields.mft,
        mirror_cluster=fields.mft_mirror,
        record_size=_unit_size(fields.record_size, cluster_size, RECORD_SIZE_AT),
        index_block_size=_unit_size(fields.index_block_size, cluster_size, 0x44),
        serial=fields.serial,
    )


def _cluster_sectors(value: int) -> int:
    count = value if value <= 0x80 else 1 << min(256 - value, 32)
    if count == 0 or count & (count - 1):
        raise in_volume("NTFS boot sector", 0x0D, "a number of sectors in a cluster that is a power of two", value)
    return count


def _unit_size(value: int, cluster_size: int, position: int) -> int:
    """The size of a file record or an index block, in bytes."""
    size = value * cluster_size if value > 0 else 1 << min(-value, 32)
    if size & (size - 1) or not BOOT_SECTOR_SIZE <= size <= MAX_RECORD:
        what = "file records" if position == RECORD_SIZE_AT else "index blocks"
        expected = f"{what} of a power of two of bytes, from 512 to {MAX_RECORD}"
        raise in_volume("NTFS boot sector", position, expected, size)
    return size


def _check_geometry(boot: BootSector, device_size: int) -> None:
    if boot.cluster_size > MAX_CLUSTER:
        raise in_volume("NTFS boot sector", 0x0D, f"clusters of at most {MAX_CLUSTER} bytes", boot.cluster_size)
    if not boot.cluster_count or boot.volume_size > device_size:
        longer = boot.volume_size > device_size
        raise in_volume(
            "NTFS boot sector", 0x28, f"a volume within {device_size} bytes", boot.volume_size, beyond=longer
        )
    if boot.cluster_count > MOST_CLUSTERS:
        raise in_volume("NTFS boot sector", 0x28, f"at most {MOST_CLUSTERS} clusters", boot.cluster_count)
    for position, cluster in ((0x30, boot.mft_cluster), (0x38, boot.mirror_cluster)):
        if cluster >= boot.cluster_count:
            raise in_volume("NTFS boot sector", position, f"a cluster below {boot.cluster_count}", cluster)
