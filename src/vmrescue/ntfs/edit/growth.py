"""Makes a volume as long as its partition.

What a longer volume needs: a bit in $Bitmap for each new cluster, a hole over them in $BadClus:$Bad, the new number of
sectors in the boot sector, and the boot sector's copy after the new last sector. The zone that Windows keeps free for
$MFT is not stored: Windows computes it at each mount.
Source: linux-ntfs documentation, "$Bitmap", "$BadClus", "$Boot".
"""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING

from vmrescue.errors import RefusedError, UnsupportedError, in_volume
from vmrescue.ntfs.cluster_stream import ClusterStream
from vmrescue.ntfs.edit.placement import set_runs, set_sizes
from vmrescue.ntfs.log.state import empty_log
from vmrescue.ntfs.state import NTFS_3, read_state, volume_flags
from vmrescue.ntfs.store import FileStore
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.ntfs.structures.boot_sector import MOST_CLUSTERS, SECTORS_AT
from vmrescue.ntfs.structures.fields import align8
from vmrescue.ntfs.structures.positions import Lcn
from vmrescue.ntfs.structures.run_list import HOLE
from vmrescue.ntfs.structures.system_files import BAD_CLUSTERS, BITMAP, LOG_FILE
from vmrescue.volume.hidden_sectors import hidden_sectors, kept, write_hidden_sectors

if TYPE_CHECKING:
    from vmrescue.device import BlockDevice
    from vmrescue.ntfs.structures.boot_sector import BootSector

BAD = "$Bad"  # a stream of $BadClus as long as the volume: bad clusters are stored, all others are a hole
SECTORS = struct.Struct("<Q")


def check_growable(device: BlockDevice) -> None:
    """Raises RefusedError or UnsupportedError if the volume's state or NTFS version does not allow that it grows."""
    store = FileStore(device)
    read_state(store).check_metadata()
    major, minor, _ = volume_flags(store)
    if major != NTFS_3:
        raise UnsupportedError(f"the volume is of NTFS {major}.{minor}: it is only read")


def grow(device: BlockDevice) -> None:
    """Makes the volume on `device`, which has become longer, as long as possible.

    Everything is worked out first; if that fails, nothing is written.

    Raises:
        RefusedError: the volume's state does not allow it; it would have more clusters than NTFS can count; or it is
            as long as its partition already.
        FormatError: its system files are not sound.
    """
    check_growable(device)
    store = FileStore(device)
    old = store.boot
    new = _longer(old, device.size)
    with store.edit():
        store.boot = new
        _grow_bitmap(store, old.cluster_count)
        _grow_bad_clusters(store)
        empty_log(store.file(LOG_FILE).stream(Kind.DATA))
        _write_boot_sectors(store)


def _longer(boot: BootSector, size: int) -> BootSector:
    """The volume's geometry in a partition of `size` bytes, whose last sector is for the boot sector's copy."""
    sectors = size // boot.sector_size - 1
    count = sectors * boot.sector_size // boot.cluster_size
    if count <= boot.cluster_count:
        raise RefusedError(f"the volume has {boot.cluster_count} clusters already, all that its partition has room for")
    if count > MOST_CLUSTERS:
        raise RefusedError(
            f"the volume would have {count} clusters of {boot.cluster_size} bytes; Windows counts to {MOST_CLUSTERS}"
        )
    return replace(boot, volume_size=sectors * boot.sector_size, cluster_count=count)


def _grow_bitmap(store: FileStore, old_count: int) -> None:
    """Adds the bits of the new clusters to $Bitmap. The clusters that $Bitmap itself needs are the first of these."""
    boot, file = store.boot, store.file(BITMAP)
    first = file.get(Kind.DATA)
    extents = file.extents(Kind.DATA)
    runs = file.runs(extents)
    old_clusters = runs.clusters
    if first.initialized_size * 8 < old_count:
        at = first.position + 0x38
        raise in_volume("$Bitmap", at, f"{old_count} bits", f"{first.initialized_size} bytes")
    size = align8(-(-boot.cluster_count // 8))
    taken = max(0, boot.clusters_for(size) - old_clusters)
    if taken:
        runs.append(Lcn(old_count), taken)
    set_sizes(file, first, runs, size)
    if taken:
        set_runs(file, extents, runs, old_clusters)
    stream = ClusterStream(store.pending, runs, boot.cluster_size)
    start = old_count // 8
    bits = bytearray(size - start)
    bits[0] = stream.read_at(start, 1)[0]
    _set(bits, old_count % 8, 8, False)  # bits after the last cluster's are set, so the first new bits must be cleared
    _set(bits, old_count - start * 8, old_count + taken - start * 8, True)
    _set(bits, boot.cluster_count - start * 8, len(bits) * 8, True)
    stream.write_content(start, memoryview(bits))


def _set(bits: bytearray, first: int, end: int, value: bool) -> None:
    """Sets or clears the bits from `first` up to `end`."""
    low, high = first // 8, -(-end // 8)
    mask = (1 << end - first) - 1 << first - low * 8
    number = int.from_bytes(bits[low:high], "little")
    bits[low:high] = (number | mask if value else number & ~mask).to_bytes(high - low, "little")


def _grow_bad_clusters(store: FileStore) -> None:
    boot, file = store.boot, store.file(BAD_CLUSTERS)
    first = file.get(Kind.DATA, BAD)
    extents = file.extents(Kind.DATA, BAD)
    runs = file.runs(extents)
    old_clusters = runs.clusters
    if old_clusters >= boot.cluster_count:
        at = first.position + 0x18
        raise in_volume("$BadClus", at, f"fewer than {boot.cluster_count} clusters", old_clusters)
    initialized = first.initialized_size == first.data_size  # so in Windows; mkntfs writes an initialized size of 0
    runs.append(HOLE, boot.cluster_count - old_clusters)
    first.allocated_size = first.data_size = boot.cluster_count * boot.cluster_size
    if initialized:
        first.initialized_size = first.data_size
    set_runs(file, extents, runs, old_clusters)


def _write_boot_sectors(store: FileStore) -> None:
    boot = store.boot
    sector = bytearray(store.pending.read_at(0, boot.sector_size))
    SECTORS.pack_into(sector, SECTORS_AT, boot.volume_size // boot.sector_size)
    for position in (0, boot.volume_size):
        store.pending.write_at(position, sector)


def follow_move(device: BlockDevice, old_start: int, new_start: int) -> None:
    """Updates the volume's start on the disk (bytes) in the boot sector and its copy, if the old value was right."""
    boot = FileStore(device).boot
    for position in (0, boot.volume_size):
        if position + boot.sector_size > device.size:
            continue
        if hidden_sectors(device, position) == kept(old_start // boot.sector_size):
            write_hidden_sectors(device, new_start // boot.sector_size, position)
