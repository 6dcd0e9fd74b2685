"""The file system or encryption of a volume, according to its boot sector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from vmrescue.signatures import LUKS, NTFS
from vmrescue.volume.bitlocker import form_of
from vmrescue.volume.fat_parameters import COMMON, FEWEST_OF_FAT16_FOR_WINDOWS

if TYPE_CHECKING:
    from vmrescue.device import BlockDevice

FileSystem = Literal[
    "NTFS", "FAT12", "FAT16", "FAT32", "exFAT", "ReFS", "BitLocker", "ext2/3/4", "XFS", "Btrfs", "LUKS", "LVM", "swap",
    "VeraCrypt", "TrueCrypt",
]  # fmt: skip
FATS: tuple[FileSystem, ...] = ("FAT12", "FAT16", "FAT32")

# Byte 3 of the boot sector. Sources: Microsoft's exFAT specification; libfsrefs' format documentation.
OEM_NAMES: dict[bytes, FileSystem] = {
    NTFS: "NTFS",
    b"EXFAT   ": "exFAT",
    b"ReFS\0\0\0\0": "ReFS",
}
# File systems and encryptions of Linux, which Windows does not see: (byte position, signature, name).
# Sources: the kernel's documentation of ext4, XFS and Btrfs; cryptsetup's of LUKS; libblkid.
OTHERS: tuple[tuple[int, bytes, FileSystem], ...] = (
    (1080, b"\x53\xef", "ext2/3/4"),
    (0, b"XFSB", "XFS"),
    (0, LUKS, "LUKS"),
    (512, b"LABELONE", "LVM"),
    (4086, b"SWAPSPACE2", "swap"),
    (65600, b"_BHRfS_M", "Btrfs"),
)


def identify(device: BlockDevice) -> FileSystem | None:
    """The file system according to the boot sector at byte 0; None if it is none that Windows uses."""
    if device.size < 512:
        return None
    sector = device.read_at(0, 512)
    if form_of(sector):  # first, because BitLocker To Go looks like FAT32
        return "BitLocker"
    return OEM_NAMES.get(sector[3:11]) or _fat_kind(sector)


def other_content(device: BlockDevice) -> FileSystem | None:
    """The Linux file system or encryption of a volume in which Windows sees nothing; None if it is none of them."""
    for position, magic, name in OTHERS:
        if device.size >= position + len(magic) and device.read_at(position, len(magic)) == magic:
            return name
    return None


def lost_boot_sector(device: BlockDevice) -> tuple[FileSystem, int] | None:
    """An intact copy of the boot sector, for a volume whose first sector is lost: (file system, byte position) or None.

    NTFS has one in the partition's last sector (Microsoft, "How NTFS Works"), FAT32 in the sector that the first one
    names, which is the sixth in every volume that Windows makes.
    """
    for position, known in ((device.size - 512, "NTFS"), (6 * 512, "FAT32")):
        sector = device.read_at(position, 512) if 512 <= position <= device.size - 512 else b""
        found = sector and sector[510:] == b"\x55\xaa" and (OEM_NAMES.get(sector[3:11]) or _fat_kind(sector))
        if found and found == known:
            return found, position
    return None


def _fat_kind(sector: bytes) -> FileSystem | None:
    """FAT12, FAT16 or FAT32; None if the fields cannot be a FAT volume's."""
    if sector[0] not in (0xEB, 0xE9) or sector[510:] != b"\x55\xaa":
        return None
    found = COMMON.parse(sector)
    sector_size, per_cluster, media = found.sector_size, found.sectors_per_cluster, found.media
    reserved, tables, table16 = found.reserved_sectors, found.table_count, found.table_sectors_16
    if sector_size not in (512, 1024, 2048, 4096) or per_cluster not in (1, 2, 4, 8, 16, 32, 64, 128):
        return None
    if not reserved or not tables or (media < 0xF8 and media != 0xF0):
        return None
    if not table16:  # as Windows' own driver decides; the number of clusters tells FAT12 from FAT16
        return "FAT32"
    root_sectors = -(-found.root_entries * 32 // sector_size)
    data = (found.sectors_16 or found.sectors_32) - reserved - tables * table16 - root_sectors
    if data <= 0:
        return None
    clusters = data // per_cluster
    return "FAT12" if clusters < FEWEST_OF_FAT16_FOR_WINDOWS else "FAT16"
