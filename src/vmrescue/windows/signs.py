"""Signs that a Windows has run, or that somebody else has written to a disk's volumes, since a repair.

A repair's journal has hashes of these bytes (`image.signs`). An undo that finds other hashes is refused, because it
would mix old bytes with new ones.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from vmrescue.errors import VmRescueError
from vmrescue.image.signs import Sign, joined, sampled
from vmrescue.registry.base_block import LOG_SUFFIXES
from vmrescue.units import size_text
from vmrescue.windows.bare_hive import BareHive
from vmrescue.windows.boot_store import BIOS_STORE, UEFI_STORE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmrescue.image.signs import Range
    from vmrescue.volumes.disk import Disk, Volume

WHOLE_TABLE = 1 << 30  # tables of at most so many bytes ($MFT of a million files) are hashed whole
TABLE_PIECES = 4096
WHOLE_CONTENT = 64 << 20  # content of at most so many bytes is hashed whole
CONTENT_PIECES = 256
PIECE = 64 << 10


def signs_of(after: Disk, before: Disk | None) -> Iterator[Sign]:
    """The signs that an undo of an edit must compare, as ranges of the disk.

    Args:
        after: the disk after the edit.
        before: the disk before the edit; None if reading is slow, so that only a few pages are compared.
    """
    if isinstance(after, BareHive):
        yield Sign("the hive's file", ((0, after.device.size),))
        return
    for volume in after.volumes:
        yield from _volume_signs(volume, before is not None)
        if before is not None:
            yield from _changed_content(volume, before)
    if before is not None:
        yield from _old_places(after, before)


def _volume_signs(volume: Volume, thorough: bool) -> Iterator[Sign]:
    """The signs of a volume. If it cannot be read completely and reading is fast, pieces of the whole volume too."""
    try:
        for name, ranges in volume.kind.signs(volume.device, _hives(volume), thorough):
            yield from _parts(name, volume, ranges, sampled(ranges, WHOLE_TABLE, TABLE_PIECES, PIECE))
    except VmRescueError as error:
        name, place = f"its bytes, whatever they mean ({error})", [(0, volume.partition.size)]
        yield from _sampled(name, volume, place) if thorough else [_sign(name, volume, [])]


def _hives(volume: Volume) -> Iterator[str]:
    """The paths of hives and their logs that may be on a volume, whatever its Windows folder is called."""
    yield from (store + suffix for store in (BIOS_STORE, UEFI_STORE) for suffix in ("", *LOG_SUFFIXES))
    if volume.file_system == "NTFS":
        from vmrescue.ntfs import NtfsVolume  # here, because a hive's file has no such volume
        from vmrescue.windows.installation import MOST_FOLDERS
        from vmrescue.windows.operating_system import CONFIG, HIVES

        files = NtfsVolume(volume.device)
        for root in islice(files.folders(), MOST_FOLDERS):
            if files.exists(f"{root}\\{CONFIG}\\SYSTEM"):
                yield from (f"{root}\\{CONFIG}\\{hive}{suffix}" for hive in HIVES for suffix in ("", *LOG_SUFFIXES))


def _changed_content(volume: Volume, before: Disk) -> Iterator[Sign]:
    """The content of clusters that the edit frees or takes; an undo restores the freed ones with their content."""
    old = next((each for each in before.volumes if each.partition.number == volume.partition.number), None)
    if old is None:
        return
    try:
        if not volume.readable or old.file_system != volume.file_system:
            return
        changed = joined(volume.kind.changed_clusters(old.device, volume.device))
    except VmRescueError as error:
        yield _sign(f"the content of what was freed ({error})", volume, [])
        return
    if changed:
        yield from _sampled("the content of the clusters that were freed or taken", volume, changed)


def _old_places(after: Disk, before: Disk) -> Iterator[Sign]:
    """The old place of a partition that was moved."""
    now = {volume.position for volume in after.volumes}
    for volume in before.volumes:
        if volume.position not in now:
            place = [(0, volume.partition.size)]
            yield from _sampled(f"the place that it had, at byte {volume.position}", volume, place)


def _sampled(name: str, volume: Volume, ranges: Iterable[Range]) -> Iterator[Sign]:
    ranges = joined(ranges)
    return _parts(name, volume, ranges, sampled(ranges, WHOLE_CONTENT, CONTENT_PIECES, PIECE))


def _parts(name: str, volume: Volume, ranges: Iterable[Range], chosen: Iterable[Range]) -> Iterator[Sign]:
    """A sign of `chosen`, the parts of `ranges` that are hashed, and one that says what was left out."""
    total, taken = (sum(length for _, length in some) for some in (ranges, chosen))
    if taken < total:
        name = f"{name} ({size_text(taken)} in pieces spread over its {size_text(total)})"
        yield _sign(f"the rest of {name}", volume, [])
    yield _sign(name, volume, chosen)


def _sign(name: str, volume: Volume, ranges: Iterable[Range]) -> Sign:
    where = f"partition {volume.partition.number}"
    return Sign(f"{name}, on {where}", joined((volume.position + offset, length) for offset, length in ranges))
