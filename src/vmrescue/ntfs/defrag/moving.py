"""Moves clusters of a file: copies the content to free clusters, then switches the run list and frees the old ones.

The volume stays sound if a move is interrupted anywhere, because of this order, which the caller has to keep:

1. `copy` writes content to clusters that no file has. Nothing refers to them until the run list is switched.
2. `switch` edits the metadata: target clusters in use, run list changed, old clusters free. This edit must reach the
   disk after the copy, and wholly or not at all.
3. The old clusters may be written to only when that edit is on stable storage: after a crash before that, the file
   still has them.

Clusters are copied as they are, so plain, compressed and encrypted content and directories' indexes can all be moved.
A file's times and sizes do not change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import RefusedError, in_volume
from vmrescue.ntfs.defrag.layout import TABLE, Key, joined
from vmrescue.ntfs.edit.growth import check_growable as check_movable
from vmrescue.ntfs.edit.placement import set_runs, settle
from vmrescue.ntfs.log.state import empty_log
from vmrescue.ntfs.store import FileStore
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.ntfs.structures.positions import Lcn, Nth, Vcn
from vmrescue.ntfs.structures.run_list import HOLE, Run, RunList
from vmrescue.ntfs.structures.system_files import LOG_FILE
from vmrescue.units import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmrescue.device import BlockDevice
    from vmrescue.ntfs.bitmap import Flip, Piece
    from vmrescue.ntfs.store import File
    from vmrescue.ntfs.structures.attribute import Attribute

    Write = Callable[[int, bytes], None]  # (position in bytes from the volume's start, data)

CHUNK = 1 << 20  # bytes copied at a time


class Mover:
    """Moves on the volume of a device.

    Args:
        device: the volume; metadata is written to it.
        write: writes content, to clusters that no file has; by default `device.write_at`.

    Raises:
        RefusedError: the volume's state forbids edits of its metadata.
        UnsupportedError: the volume has a version of NTFS that we only read.
    """

    def __init__(self, device: BlockDevice, write: Write | None = None) -> None:
        check_movable(device)
        self.store = FileStore(device)
        self._write = write or device.write_at

    def empty_log(self) -> None:
        """Empties $LogFile, before the first move: NTFS must not redo old records over edited metadata."""
        with self.store.edit():
            empty_log(self.store.file(LOG_FILE).stream(Kind.DATA))

    def pieces(self, key: Key) -> tuple[Piece, ...]:
        """The pieces of an attribute."""
        file = self.store.file(key.record)
        return joined(file.runs(_extents(file, key)))

    def copy(self, sources: list[Piece], target: Lcn) -> None:
        """Copies clusters to those from `target` on, which no file has."""
        size = self.store.boot.cluster_size
        to = target * size
        for first, length in sources:
            for start in range(first * size, (first + length) * size, CHUNK):
                data = self.store.pending.read_at(start, min(CHUNK, (first + length) * size - start))
                self._write(to, data)
                to += len(data)

    def part(self, key: Key, start: Nth, count: int) -> list[Piece]:
        """The pieces of `count` stored clusters of an attribute, from the `start`th on."""
        return part_of(self.pieces(key), start, count)

    def switch(self, key: Key, start: Nth, count: int, target: Lcn) -> list[Flip]:
        """Replaces `count` stored clusters of an attribute, from the `start`th on, by those at `target`.

        Returns every change of $Bitmap, also those that the file's own records needed.

        Raises:
            RefusedError: the new run list does not fit into the file's records; nothing was changed.
            FormatError: the target is not free.
        """
        clusters = self.store.clusters
        flips: list[Flip] = []
        clusters.changes = flips
        try:
            with self.store.edit():
                file = self.store.file(key.record)
                extents = _extents(file, key)
                runs, old = placed_elsewhere(file.runs(extents), start, count, target)
                clusters.take([(target, count)])
                clusters.free(old)
                set_runs(file, extents, runs, 0)
                if key == TABLE:
                    now = file.extents(Kind.DATA)
                    # Other changes of $MFT in this edit must be written to its new clusters.
                    self.store.mft.refresh(file.runs(now), now[0].data_size)
                settle(file)
            if key == TABLE:
                self.store.mft.load()
        finally:
            clusters.changes = None
        return flips


def _extents(file: File, key: Key) -> list[Attribute]:
    """The extents of an attribute in clusters, also of the attribute list, which lists do not name."""
    extents = file.lists if key.kind == Kind.ATTRIBUTE_LIST else file.extents(key.kind, key.name)
    if not extents or not extents[0].non_resident:
        expected = f"an attribute of type {key.kind:#x} named {key.name!r} in clusters"
        raise in_volume(file.base.title, file.base.position, expected, "none")
    return extents


def part_of(pieces: tuple[Piece, ...], start: Nth, count: int) -> list[Piece]:
    """The pieces of `count` of the clusters in `pieces`, from the `start`th on."""
    found = []
    for first, length in pieces:
        skipped = min(start, length)
        taken = min(length - skipped, count)
        if taken:
            found.append((first + skipped, taken))
        start, count = Nth(start - skipped), count - taken
    if count:
        raise RefusedError(f"of {counted(count, 'cluster')} to be moved not all are there any more")
    return found


def placed_elsewhere(runs: RunList, start: Nth, count: int, target: Lcn) -> tuple[RunList, list[Run]]:
    """Returns the run list with `count` stored clusters, from the `start`th on, at `target`, and the runs replaced.

    Holes stay where they are in the file.
    """
    moved, old = RunList(), []
    seen = 0
    for run in runs:
        if run.lcn == HOLE:
            moved.append(HOLE, run.length)
            continue
        low = min(max(start - seen, 0), run.length)
        high = min(max(start + count - seen, 0), run.length)
        parts = ((run.lcn, low), (target + seen + low - start, high - low), (run.lcn + high, run.length - high))
        for lcn, length in parts:
            if length:
                moved.append(Lcn(lcn), length)
        if low < high:
            old.append(Run(Vcn(run.vcn + low), Lcn(run.lcn + low), high - low))
        seen += run.length
    if sum(run.length for run in old) != count:
        raise RefusedError(f"the attribute has other clusters now than the {count} to be moved")
    return moved, old
