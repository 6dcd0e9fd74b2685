"""Defragmenting a volume of an image: thousands of moves, each sound by itself.

    copy to free clusters ──sync──> dissect.ntfs sees the moves ──journal──> switched ──> compared ──> journal gone

A batch of moves is one small transaction. The content is written first, to clusters that no file has, without the
journal. (In a dynamic or differencing VHD it may need new blocks, so there it goes through the journal too.) The
metadata that switch to it go through the journal, as every edit does, and reach the image wholly or not at all. The
clusters that a batch has freed are written to only after its commit. So a crash, a kill or an interrupt at any moment
leaves each file whole, at its old place or its new one. Memory for content: `STEP` bytes, whatever a file's size.

No undo is kept: the copies of what was moved would be as large as the files. `EditSession.seal` says so to `undo`.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from vmrescue.dataclass import dataclass
from vmrescue.errors import AfterCommitError, RefusedError, RepairFailedError, UnsoundError, VmRescueError
from vmrescue.image import open_disk
from vmrescue.image.reference import Reference
from vmrescue.image.transports.remote import refusal
from vmrescue.interrupts import held
from vmrescue.notes import damage_in
from vmrescue.ntfs import NtfsVolume
from vmrescue.ntfs.defrag.consolidation import WON
from vmrescue.ntfs.defrag.defragmentation import Defragmenter
from vmrescue.ntfs.defrag.fragmentation import Fragmentation, Fragmented, described, measure, read_fragmentation
from vmrescue.ntfs.defrag.free_extents import FreeExtents
from vmrescue.ntfs.defrag.layout import TABLE, Key, read_layout
from vmrescue.ntfs.defrag.moving import Mover, part_of
from vmrescue.ntfs.defrag.placement import Placement
from vmrescue.ntfs.directory import find_file
from vmrescue.transaction.commit import EditedImage, commit, why_unsettled
from vmrescue.transaction.committed import must_be_confirmable
from vmrescue.transaction.moved import Moved, must_see_moves
from vmrescue.transaction.recorder import Copied
from vmrescue.units import by_number, counted, size_text
from vmrescue.volumes.disk import Disk
from vmrescue.windows.defragmentation import SNAPSHOT_NOTE, has_shadow_copies, ntfs_volume
from vmrescue.windows.signs import signs_of
from vmrescue.windows.why_not import Obstacles

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable

    from vmrescue.ntfs.bitmap import Flip, Piece
    from vmrescue.ntfs.defrag.placement import Moves
    from vmrescue.ntfs.store import FileStore
    from vmrescue.ntfs.structures.positions import Lcn, Nth
    from vmrescue.transaction.target import Made
    from vmrescue.windows import Volume

    Progress = Callable[[int, int], None]  # bytes moved, about how many there are to move

STEP = 32 << 20  # bytes of content in one transaction; the longest that is moved at once
MOST_MOVES = 256  # in one transaction
TAKEN_BACK = "every file is where it was before this step"
MOST_SHOWN = 20  # of the attributes in the most pieces


@dataclass(frozen=True)
class Defragmented:
    """What a defragmentation did, or (`committed` False) would do.

    Attributes:
        image, partition: what was defragmented.
        moves, bytes_moved, commits: how much of it.
        before, after: the volume's state.
        left: what still lies in several pieces, and why.
        notes: what the person at the terminal should know.
    """

    image: str
    partition: int
    committed: bool
    moves: int
    bytes_moved: int
    commits: int
    before: Fragmentation
    after: Fragmentation
    left: list[Fragmented] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": "vmrescue.defragmentation/1",
            **{name: getattr(self, name) for name in ("image", "partition", "committed", "moves", "bytes_moved")},
            "commits": self.commits,
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
            "left": [vars(each) for each in self.left],
            "notes": self.notes,
        }


class Defragmentation:
    """A volume of an image being defragmented. Use it as a context manager; opening it writes nothing.

    Args:
        image: what is defragmented: a file or a block device.
        number: the partition, or its letter; the OS volume, or the only one that can be read, unless given.
        made: what was made of the image, and is defragmented in its place.

    Raises:
        RefusedError: the volume's state forbids it, or it is damaged.
        NotFoundError: there is no such volume.
    """

    def __init__(
        self, image: str | os.PathLike[str], number: int | str | None = None, made: Made | None = None
    ) -> None:
        if made is None and not Reference.of(image).transport.is_near:
            raise refusal(Reference.of(image).text)
        self._image = EditedImage(made.new.unfinished, name=made.new.path) if made else EditedImage(image)
        self.session = self._image.session
        try:
            self.volume = ntfs_volume(Disk(self._image.recorder, self._image.name), number)
            _must_be_movable(self.volume)
            must_be_confirmable(self._image.place, self.session.disk)
            self.mover = Mover(self.volume.device, self._write)
            self.store = self.mover.store
            _must_be_sound(self.volume)
        except BaseException:
            self.session.close()
            raise
        self.moves = self.bytes_moved = self.commits = 0
        self._report: Callable[[], None] = lambda: None
        self._waiting: list[Moved] = []
        self._freed = FreeExtents()  # since the last commit: a crash would give them back to their files

    def __enter__(self) -> Defragmentation:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    def run(
        self, files: Iterable[str] = (), free_space: bool = False, progress: Progress = lambda done, total: None
    ) -> Defragmented:
        """Moves files (all unless given) to one piece each, and consolidates the free space if asked.

        Raises:
            NotFoundError: there is no such file; nothing was written.
            RepairFailedError: the first moves could not be made or confirmed: every file is where it was.
            AfterCommitError: later ones could not. Those before them were made, and the volume is sound; or will be
                once what was interrupted is rolled back, as the error then says.
            UnsoundError: all moves were made and confirmed, and the check of the whole volume finds damage.
        """
        keys = keys_of(self.store, files)
        before = read_fragmentation(self.store, MOST_SHOWN)
        notes = _shadow_notes(self.volume)  # now: the reader remembers where directories were
        planner = _planner(self.store, self)
        total = planner.estimate(keys, free_space) * self.store.boot.cluster_size
        self._report = lambda: progress(min(self.bytes_moved, total), total)
        self._report()
        try:
            planner.run(keys, free_space)
        except VmRescueError as error:
            if not self.commits:
                raise
            made = f"{counted(self.moves, 'move')} before that {by_number(self.moves, 'was', 'were')} made"
            made = made if self.moves else "no file was moved, though the volume's log was emptied"
            sound = "" if why_unsettled(self._image) else ", and the volume is sound"
            raise AfterCommitError(f"{error}; {made}{sound}") from error
        if problems := damage_in(NtfsVolume(self.volume.device).check()):
            raise UnsoundError(f"{self.volume} is not sound after the moves, which were made: {problems[0]}")
        return Defragmented(
            image=self._image.name,
            partition=self.volume.partition.number,
            committed=True,
            moves=self.moves,
            bytes_moved=self.bytes_moved,
            commits=self.commits,
            before=before,
            after=read_fragmentation(self.store, MOST_SHOWN),
            left=_left(self.store, planner, keys),
            notes=[*notes, *_limit_notes(self.store, planner, free_space)],
        )

    # -- what `Defragmenter` asks for

    @property
    def largest_step(self) -> int:
        return max(1, STEP // self.store.boot.cluster_size)

    @property
    def full(self) -> bool:
        size = sum(moved.count for moved in self._waiting)
        return size >= self.largest_step or len(self._waiting) >= MOST_MOVES

    def reserve(self, first: int, count: int) -> None:
        self.store.clusters.reserved = (first, count)

    def move(self, key: Key, start: Nth, count: int, target: Lcn) -> list[Flip]:
        if self._freed.has_any_of(target, count):
            raise RepairFailedError(f"clusters from {target} on were freed by a move that is not on the disk yet")
        if not (self.moves or self._waiting):
            self._begin()
        sources = self.mover.part(key, start, count)
        self.mover.copy(sources, target)
        self._record(key, sources, target)
        flips = self.mover.switch(key, start, count, target)
        for first, length, used in flips:
            if not used:
                self._freed.give(first, length)
        self._waiting.append(Moved(key, start, count, target))
        return flips

    def _record(self, key: Key, sources: list[Piece], target: Lcn) -> None:
        """Says what the commit has to compare. The switch itself may change records in $MFT, so it is not its source.

        What has come from other clusters still lies there too: those are written to only after the commit.
        """
        size, recorder = self.store.boot.cluster_size, self._image.recorder
        to = self.volume.position + target * size
        for first, count in sources:
            length = count * size
            if key == TABLE:
                recorder.written.append((to, length))
            else:
                recorder.note(Copied(self.volume.position + first * size, to, length))
            to += length

    def commit(self) -> None:
        """Makes the moves since the last commit last.

        Raises:
            RepairFailedError: they could not be written or confirmed; what they moved is where it was.
        """
        if not self._waiting:
            return
        self.session.flush()
        must_see_moves(self.volume, _latest(self._waiting))
        self._commit()
        self.moves += len(self._waiting)
        self.bytes_moved += sum(moved.count for moved in self._waiting) * self.store.boot.cluster_size
        self._waiting, self._freed = [], FreeExtents()
        self._report()

    def _begin(self) -> None:
        """Before the first move, and only then: where nothing is to be moved, an earlier repair can still be undone."""
        self.session.seal()
        self.mover.empty_log()
        self._commit()

    def _commit(self) -> None:
        with held():
            # Content was copied to free clusters before, which stays there: no file has it.
            for image, journal in commit({self._image: signs_of(self.volume.disk, None)}, taken_back=TAKEN_BACK):
                self.commits += 1
                image.session.discard(journal)
            self._image.recorder.forget()

    def _write(self, offset: int, data: bytes) -> None:
        self.session.write_unowned(self.volume.position + offset, data)


def keys_of(store: FileStore, files: Iterable[str]) -> set[Key] | None:
    """The attributes in clusters of the files at these paths; None where no path is given. Raises NotFoundError."""
    records = {find_file(store, path).number for path in files}
    if not records:
        return None
    return {placed.key for placed in read_layout(store) if placed.key.record in records}


def _latest(moves: list[Moved]) -> list[Moved]:
    """The moves without those whose clusters were moved on since."""
    return [
        moved
        for index, moved in enumerate(moves)
        if not any(
            later.key == moved.key
            and later.start < moved.start + moved.count
            and moved.start < later.start + later.count
            for later in moves[index + 1 :]
        )
    ]


class Rehearsal:
    """Moves that are only thought of."""

    full = False

    def __init__(self, largest_step: int) -> None:
        self.largest_step = largest_step
        self.moves = self.clusters = 0
        self.planner: Defragmenter

    def move(self, key: Key, start: Nth, count: int, target: Lcn) -> list[Flip]:
        self.moves += 1
        self.clusters += count
        old = part_of(self.planner.placement.places[key], start, count)
        return [(target, count, True), *((first, length, False) for first, length in old)]

    def commit(self) -> None:
        """Nothing to do: it is only thought of."""

    def reserve(self, first: int, count: int) -> None:
        """Nothing to do: no file's records need clusters here."""


def rehearse(
    image: str | os.PathLike[str], number: int | str | None = None, files: Iterable[str] = (), free_space: bool = False
) -> Defragmented:
    """What a defragmentation would do; nothing is written. Raises as `Defragmentation`."""
    disk = open_disk(image)
    try:
        volume = ntfs_volume(Disk(disk, str(image)), number)
        _must_be_movable(volume)
        store = Mover(volume.device).store
        _must_be_sound(volume)
        keys = keys_of(store, files)
        before = read_fragmentation(store, MOST_SHOWN)
        moves = Rehearsal(max(1, STEP // store.boot.cluster_size))
        planner = moves.planner = _planner(store, moves)
        planner.run(keys, free_space)
        return Defragmented(
            image=str(image),
            partition=volume.partition.number,
            committed=False,
            moves=moves.moves,
            bytes_moved=moves.clusters * store.boot.cluster_size,
            commits=0,
            before=before,
            after=measure(store, planner.placement.layout(), planner.placement.free_pieces(), MOST_SHOWN),
            left=_left(store, planner, keys),
            notes=[*_shadow_notes(volume), *_limit_notes(store, planner, free_space)],
        )
    finally:
        disk.close()


def _must_be_movable(volume: Volume) -> None:
    if why := Obstacles([volume.disk]).why_not_on(volume):
        raise RefusedError(f"no file is moved: {why}")


def _must_be_sound(volume: Volume) -> None:
    """A cluster that a file has and $Bitmap calls free would be written over."""
    if problems := damage_in(NtfsVolume(volume.device).check()):
        raise RefusedError(f"{volume} is damaged ({problems[0]}): nothing on it is moved before chkdsk has mended it")


def _planner(store: FileStore, moves: Moves) -> Defragmenter:
    clusters = store.clusters
    zone = (store.mft.runs.next_lcn or 0, clusters.zone_size)
    return Defragmenter(Placement(moves, read_layout(store), clusters.free_pieces(), store.boot.cluster_count, zone))


def _left(store: FileStore, planner: Defragmenter, keys: set[Key] | None) -> list[Fragmented]:
    return [described(store, placed) for placed in planner.left() if keys is None or placed.key in keys]


def _shadow_notes(volume: Volume) -> list[str]:
    return [SNAPSHOT_NOTE] if has_shadow_copies(volume) else []


def _limit_notes(store: FileStore, planner: Defragmenter, free_space: bool) -> list[str]:
    """Why free space could not become one extent, where what may not move parts the volume."""
    if (
        not free_space
        or planner.placement.free.largest[1] * 100 >= planner.placement.all_free * WON
        or planner.placement.longest_area >= planner.placement.all_free
    ):
        return []
    longest = size_text(planner.placement.longest_area * store.boot.cluster_size)
    return [f"what may not be moved (such as $MFTMirr, $LogFile) lets no free extent be longer than {longest}"]
