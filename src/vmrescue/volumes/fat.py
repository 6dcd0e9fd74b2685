"""FAT12, FAT16 and FAT32 in the table of file systems."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmrescue.device import BlockDevice
    from vmrescue.fat import FatVolume
    from vmrescue.image.signs import Range
    from vmrescue.readers.fat.file_system import FatFileSystem
    from vmrescue.readers.fat.plain import PlainFat
    from vmrescue.volume.state import VolumeState

TITLE = "FAT"
PIECE = 64 << 10  # bytes of a table that are read at once, and of the first folders


def read(device: BlockDevice, position: int) -> FatFileSystem:
    from vmrescue.readers.fat.file_system import FatFileSystem

    return FatFileSystem(device, position)


def look(device: BlockDevice, position: int) -> PlainFat:
    from vmrescue.readers.fat.plain import PlainFat

    return PlainFat(device, position)


def edit(device: BlockDevice) -> FatVolume:
    from vmrescue.fat import FatVolume

    return FatVolume(device)


def state(device: BlockDevice) -> VolumeState:
    from vmrescue.fat.state import volume_state

    return volume_state(device)


def geometry(device: BlockDevice) -> dict[str, int | None]:
    """The volume's geometry according to the editor; positions and sizes in bytes."""
    from vmrescue.fat.boot_sector import read_boot_sector

    boot = read_boot_sector(device)
    return {
        "bits of a table's entry": boot.bits,
        "sector size": boot.sector_size,
        "cluster size": boot.cluster_size,
        "number of clusters": boot.cluster_count,
        "place of the table": boot.table_offsets[0],
        "size of the table": boot.table_size,
        "place of the first cluster": boot.data_offset,
        "entries of the root directory": boot.root_entries,
        "first cluster of the root directory": boot.root_cluster or None,
    }


def first_needed(device: BlockDevice) -> list[Range]:
    from vmrescue.fat.boot_sector import read_boot_sector

    boot = read_boot_sector(device)
    tables = [(at, min(boot.table_size, PIECE)) for at in boot.table_offsets[:1]]
    return [*tables, (boot.data_offset - boot.root_entries * 32, 2 * PIECE)]


def signs(device: BlockDevice, hives: Iterable[str], thorough: bool) -> Iterator[tuple[str, list[Range]]]:
    from vmrescue.fat.signs import signs

    return signs(device, hives, thorough)


def changed_clusters(before: BlockDevice, after: BlockDevice) -> Iterator[Range]:
    from vmrescue.fat.signs import changed_clusters

    return changed_clusters(before, after)
