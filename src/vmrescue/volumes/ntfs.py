"""NTFS in the table of file systems."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmrescue.device import BlockDevice
    from vmrescue.image.signs import Range
    from vmrescue.ntfs import NtfsVolume
    from vmrescue.readers.ntfs.file_system import NtfsFileSystem
    from vmrescue.readers.ntfs.plain import PlainNtfs
    from vmrescue.volume.state import VolumeState

TITLE = "NTFS"
FIRST_RECORDS = 256 << 10  # bytes of $MFT


def read(device: BlockDevice, position: int) -> NtfsFileSystem:
    from vmrescue.readers.ntfs.file_system import NtfsFileSystem

    return NtfsFileSystem(device, position)


def look(device: BlockDevice, position: int) -> PlainNtfs:
    from vmrescue.readers.ntfs.plain import PlainNtfs

    return PlainNtfs(device, position)


def edit(device: BlockDevice) -> NtfsVolume:
    from vmrescue.ntfs import NtfsVolume

    return NtfsVolume(device)


def state(device: BlockDevice) -> VolumeState:
    from vmrescue.ntfs import volume_state

    return volume_state(device)


def geometry(device: BlockDevice) -> dict[str, int | None]:
    from vmrescue.ntfs.structures.boot_sector import read_boot_sector

    boot = read_boot_sector(device)
    return {
        "sector size": boot.sector_size,
        "cluster size": boot.cluster_size,
        "number of clusters": boot.cluster_count,
        "first cluster of $MFT": boot.mft_cluster,
        "first cluster of $MFTMirr": boot.mirror_cluster,
        "size of a file record": boot.record_size,
    }


def first_needed(device: BlockDevice) -> list[Range]:
    from vmrescue.ntfs.structures.boot_sector import read_boot_sector

    boot = read_boot_sector(device)
    return [(boot.mft_cluster * boot.cluster_size, FIRST_RECORDS), (boot.volume_size, boot.sector_size)]


def signs(device: BlockDevice, hives: Iterable[str], thorough: bool) -> Iterator[tuple[str, list[Range]]]:
    from vmrescue.ntfs.signs import signs

    return signs(device, hives, thorough)


def changed_clusters(before: BlockDevice, after: BlockDevice) -> Iterator[Range]:
    from vmrescue.ntfs.signs import changed_clusters

    return changed_clusters(before, after)
