"""Where a volume's free space lies: how much of each of many equal parts is in use, from NTFS's cluster bitmap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.errors import VmRescueError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import BinaryIO

    from vmrescue.windows import Disk, Volume

PARTS = 2400  # squares in a map: 80 by 30
CHUNK = 1 << 20  # bytes of bitmap read at once


@dataclass(frozen=True)
class FreeMap:
    """A volume in equal parts.

    Args:
        partition: its number.
        letter: the guest's drive letter, where there is one.
        unit: bytes of the volume in a part; the last may be shorter.
        used: the share of each part that is in use, from 0 to 1.
    """

    partition: int
    letter: str | None
    unit: int
    used: list[float]


def free_maps(disk: Disk) -> list[FreeMap]:
    """The maps of a disk's NTFS volumes; one that cannot be read has none."""
    maps = []
    for volume in disk.volumes:
        if volume.file_system != "NTFS":
            continue
        try:
            maps.append(free_map(volume))
        except VmRescueError:
            continue  # the diagnosis, not its picture, says what is wrong with the volume
    return maps


def free_map(volume: Volume, parts: int = PARTS) -> FreeMap:
    """The map of an NTFS volume, in `parts` parts at most. Raises VmRescueError where it cannot be read."""
    cluster_size = volume.files.cluster_size
    clusters = volume.device.size // cluster_size
    bytes_in_part = max(1, -(-clusters // (8 * parts)))
    shares = used_shares(volume.files.open("$Bitmap"), clusters, bytes_in_part)
    return FreeMap(volume.partition.number, volume.letter, bytes_in_part * 8 * cluster_size, list(shares))


def used_shares(bitmap: BinaryIO, clusters: int, bytes_in_part: int) -> Iterable[float]:
    """The share of set bits in each run of `bytes_in_part` bytes of a bitmap of `clusters` bits."""
    at_once = max(1, CHUNK // bytes_in_part) * bytes_in_part
    left = clusters
    while left > 0:
        data = bitmap.read(min(at_once, -(-left // 8)))
        if not data:
            return
        for start in range(0, len(data), bytes_in_part):
            part = data[start : start + bytes_in_part]
            count = min(left, len(part) * 8)
            bits = int.from_bytes(part, "little") & ((1 << count) - 1)
            yield bits.bit_count() / count
            left -= count
