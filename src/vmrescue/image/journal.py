"""The undo journal: it makes a commit to an image atomic, and undoes it later.

Invariants of the code below ("synced" means: on stable storage):

 1. A repair writes to the image only while a journal in the state `hot` exists. The journal's content is synced, and
    so is its name: its folder was synced after the file got that name.
 2. A hot journal has every byte that may be overwritten, as it was before the first write, and the image's old size;
    also the bytes that are other only during the commit (`commit_step`).
 3. A journal ceases to be hot only after the image is synced. It becomes `done` when the image has all new bytes and
    the caller has confirmed them, `undone` when the image has all old bytes again. Signals that end the program wait
    for that.
 4. Restoring a hot journal gives the old image, whichever part of the new bytes was written. That stays true if the
    restoring is repeated or interrupted by a crash.
 5. At most one journal of an image is hot. Only the holder of the image's lock changes a journal's state.
 6. A journal is applied only to the image for which it was written: the sizes, and a hash of bytes that a commit does
    not change (`witness`), must agree. `done` becomes `hot` only if every byte that was written is still there.
 7. A journal in the state `tmp` may be deleted: the image was not written to yet.
 8. Bytes that nothing on the disk refers to may be written at any time, without a journal. Before the first such write
    an empty journal in the state `final` is made (`seal`). `undo` never goes back beyond it, because clusters that an
    older repair freed may be overwritten. A later commit's journal is deleted once the commit is confirmed (`discard`).
 9. A journal is applied only if nothing shows that somebody else wrote to the image since it became hot or `done`: no
    sign (`signs`) has changed, nor, for a remote image, its version (`last_write`). The user may accept this risk by
    name; invariant 6 holds even then.
10. The parts of one step (`commit_step`; most commits and their undo have one) are written in any order, to a page
    blob side by side, because of invariant 4. What must come before or after them is not among them: the journal's
    states, the image's size, its sync.

The state is the suffix of the journal's name in the folder `IMAGE.vmrescue/`. It changes by one atomic rename:

                 commit                   commit                       commit
    (nothing) ------------> 0001.tmp ------------------> 0001.hot -----------------> 0001.done
                            | a crash:    journal synced    |  ^    image synced        |
                            | dropped by                    |  |                        |
                            v the next writer               |  +------------------------+
                        (nothing)                           |        undo: hot again
                                                            v
                                          rollback:     0001.undone
                                          image synced

Opening an image that has a hot journal (in `recovery`): for writing, it is rolled back first; for reading, it is shown
rolled back, through an overlay, and nothing is written. Both are refused if invariant 9 forbids it. A page blob can be
reached from machines without its journals; `page_blob` says what happens there.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from vmrescue.arguments import typed
from vmrescue.device import unmark
from vmrescue.errors import NotFoundError, RefusedError, RepairFailedError, VmRescueError, WriteError
from vmrescue.image.commit_step import ONE_STEP, ranges_of, touched
from vmrescue.image.journal_file import Journal, cut_ranges, read_journal, write_journal, write_parts
from vmrescue.image.journal_place import (
    DONE,
    FINAL,
    HOT,
    TORN,
    UNDONE,
    in_state,
    journal_files,
    make_folder,
    naming,
)
from vmrescue.image.last_write import LastWrite, note_last_write, read_last_write
from vmrescue.image.overlay import Overlay
from vmrescue.image.reference import Reference
from vmrescue.image.signs import Comparison
from vmrescue.image.transports.file import sync_folder
from vmrescue.image.way_back import steps_back
from vmrescue.interrupts import checkpoint, held
from vmrescue.log import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from vmrescue.device import Range
    from vmrescue.image.commit_step import Step
    from vmrescue.image.reference import Location
    from vmrescue.image.signs import Sign
    from vmrescue.image.transports.file import HeldStore

LOG = logger("image")
VERSION = "the image's version (ETag)"  # its label among the signs


@typed
def journal_folder(image: Location) -> Path:
    """The folder of an image's undo journals: beside a file; for devices and URLs in the user's state folder."""
    return Reference.of(image).journal_folder


@typed
def journals(image: Location) -> list[Journal]:
    """All journals of an image, oldest first. Raises RefusedError if one is damaged."""
    return [read_journal(path) for path in _names(image) if path.suffix != f".{TORN}"]


@typed
def pending(image: Location) -> Journal | None:
    """The hot journal of an image; None if none is hot. With one, the image may be partly written.

    Raises RefusedError, ReadError.
    """
    hot = _in_state(image, HOT)
    if len(hot) > 1:
        raise RefusedError(f"{Reference.of(image)} has more than one hot undo journal: {', '.join(map(str, hot))}")
    return read_journal(hot[0]) if hot else None


def is_hot(image: Location) -> bool:
    """Whether the image has a hot journal: a repair is writing to it, or was interrupted."""
    return bool(_in_state(image, HOT))


def commit(
    image: HeldStore,
    overlay: Overlay,
    unique_id: bytes | None = None,
    signs: Sequence[Sign] = (),
    confirm: Callable[[], None] = lambda: None,
    steps: Sequence[Step] = (),
) -> Journal | None:
    """Writes the overlay's changes to the image: all of them, or none.

    Args:
        image: open for writing and locked; the base of the overlay.
        overlay: the image with its changes.
        unique_id: the container's id, stored in the journal.
        signs: bytes of the image that show an undo whether somebody else has written to it.
        confirm: called when everything is written and the journal is still hot; if it raises, the image is rolled back.
        steps: the order in which it is written, with a sync after each (`commit_step`); by default all in one step.

    Returns:
        The journal in the state `done`; None if nothing differs.

    Raises:
        RefusedError: somebody else has changed the image meanwhile; nothing was written.
        RepairFailedError: writing failed. The image is as before, or will be when it is next opened for writing.
    """
    image.must_be_unchanged()
    ranges = cut_ranges(image, overlay, touched(steps))
    if not ranges and overlay.size == image.size:
        return None
    for offset, length in touched(steps):  # the overlay keeps these, because the image has others for a while
        overlay.write_at(offset, overlay.read_at(offset, length))
    with held():
        journal = _begin(image, overlay, ranges, unique_id or bytes(16), signs)
        LOG.info("%s: writing %d ranges, what they were is kept in %s", image.path, len(journal.regions), journal.path)
        try:
            _note_version(image, journal.number)
            image.resize(overlay.size)
            _write(image, overlay, journal, steps or ONE_STEP)
            image.settle()
            confirm()
            checkpoint()
            image.flush()
            unmark(image)
            _note_own_write(image)
            LOG.info("%s: written and confirmed, repair %d", image.path, journal.number)
            return _rename(journal, DONE)
        except BaseException as error:
            _take_back(image, journal, error)
            if isinstance(error, VmRescueError):
                raise RepairFailedError(f"{error}; the image was rolled back to what it was before") from error
            raise


def _write(image: HeldStore, overlay: Overlay, journal: Journal, steps: Sequence[Step]) -> None:
    """Writes the bytes of a commit, step by step. The last step is synced by the caller, once it is confirmed."""
    written = [(region.offset, region.length_after) for region in journal.regions if region.length_after]
    for number, (step, ranges) in enumerate(zip(steps, ranges_of(steps, written), strict=True)):
        if number:
            image.flush()
        write_parts(image, step.passing.items())
        write_parts(image, _new_parts(overlay, ranges))


def rollback(image: HeldStore, journal: Journal) -> Journal:
    """Restores the image to its state before the journal's commit.

    Args:
        image: open for writing and locked.
        journal: in the state `hot`, or `done` and checked.

    Raises:
        RefusedError: the journal belongs to another image.
        WriteError: writing failed. The journal keeps its state, or is hot, and nothing is lost.
    """
    with held():
        LOG.info("%s: rolling back repair %d from %s", image.path, journal.number, journal.path)
        image.drop_cache()
        journal.check_identity(image)
        journal = _rename(journal, HOT)
        journal.restore(image, steps_back(image, journal))
        image.flush()
        unmark(image)
        _note_own_write(image)
        return _rename(journal, UNDONE)


def finish(image: HeldStore, hot: Journal, although_changed: bool = False) -> Journal:
    """Rolls back an interrupted commit, unless somebody else (such as a started VM) wrote to the image since.

    Returns the journal, now `undone`, with the signs that were compared.

    Raises:
        RefusedError: somebody else wrote to the image, or the journal belongs to another image. Nothing was written.
        WriteError: as `rollback`.
    """
    hot.check_identity(image)
    found = hot.compare(image)
    must_be_alone(image.path, hot, found, although_changed)
    return replace(rollback(image, hot), found=found)


def must_be_alone(path: str, journal: Journal, found: Comparison, although_changed: bool) -> None:
    """Raises RefusedError if signs differ, unless `although_changed`."""
    if not found.different or although_changed:
        return
    when = "after it" if journal.state == DONE else "after it was interrupted"
    raise RefusedError(
        f"somebody else has written to {path} since repair {journal.number}: not as they were {when} are"
        f" {', '.join(found.different)}. Old bytes would come to lie among new ones, which can destroy files: nothing"
        " was written. `vmrescue undo --although-changed` does it all the same"
        + ("" if journal.state == DONE else f"; if the image is right as it is, move {journal.path} elsewhere")
    )


def undo(image: HeldStore, although_changed: bool = False) -> Journal:
    """Undoes the image's last commit: restores the bytes that it wrote, and the image's size.

    Args:
        although_changed: undo even if signs show that somebody else has written to the image since.

    Returns:
        The journal, now `undone`, with the signs that were compared.

    Raises:
        NotFoundError: there is no commit to undo.
        RefusedError: bytes that the commit wrote have changed since, or signs show that somebody else wrote elsewhere,
            or the image was defragmented since (`seal`).
        RepairFailedError: writing failed. The image is still repaired, or the undo is finished when it is next opened
            for writing.
    """
    journals = list(_names(image.path))
    past = [path for path in journals if path.suffix in (f".{DONE}", f".{FINAL}")]
    if not past:
        why = "what was done was taken back" if journals else f"no journal in {journal_folder(image.path)}"
        raise NotFoundError(f"{image.path} has no repair to undo: {why}")
    if past[-1].suffix == f".{FINAL}":
        raise RefusedError(
            f"{image.path} was rearranged for good (by `vmrescue defrag`): that cannot be undone, nor can what was done"
            " before it"
        )
    journal = read_journal(past[-1])
    journal.check_untouched(image)
    found = _compare_version(image, journal) or journal.compare(image)
    must_be_alone(image.path, journal, found, although_changed)
    if found.different:
        _break_with_the_past(image, journal.number)
    try:
        return replace(rollback(image, journal), found=found)
    except WriteError as error:
        raise RepairFailedError(
            f"{error}; if the undo was begun, it is finished when vmrescue next opens the image to write"
        ) from error


def seal(image: HeldStore) -> None:
    """Makes all earlier commits final (invariant 8): they cannot be undone. Raises RepairFailedError, WriteError."""
    unchanged = Overlay(image)
    try:
        _rename(_begin(image, unchanged, [], bytes(16)), FINAL)
    finally:
        unchanged.close()


def discard(journal: Journal) -> None:
    """Deletes the journal of a commit that will not be undone. Raises WriteError."""
    with naming(journal.path):
        journal.path.unlink()
        sync_folder(journal.path.parent)


def drop_torn(image: Location) -> None:
    """Deletes journals that a crash left half-written; the image was not written to yet."""
    for path in _in_state(image, TORN):
        with naming(path):
            path.unlink()


def _compare_version(image: HeldStore, journal: Journal) -> Comparison | None:
    """Compares only the version of a remote image; None if no version is known."""
    last = read_last_write(journal_folder(image.path)) if image.version else None
    if last is None:
        return None
    same = last.version == image.version and last.since <= journal.number
    return Comparison(same=(VERSION,)) if same else Comparison(different=(VERSION,))


def _note_version(image: HeldStore, number: int) -> None:
    """Stores, before the first write of repair `number`, the version that it found, and whether it was our last."""
    if image.version:
        folder = journal_folder(image.path)
        last = read_last_write(folder)
        since = last.since if last and last.version == image.version else number
        note_last_write(folder, LastWrite(image.version, since))


def _note_own_write(image: HeldStore) -> None:
    """Stores the present version as the one that our write made."""
    if image.version:
        folder = journal_folder(image.path)
        if last := read_last_write(folder):
            note_last_write(folder, LastWrite(image.version, last.since))


def _break_with_the_past(image: HeldStore, number: int) -> None:
    """Stores that somebody else wrote after repair `number`, so older repairs are not known to be undisturbed."""
    if image.version:
        note_last_write(journal_folder(image.path), LastWrite(image.version, number))


def _begin(
    image: HeldStore,
    overlay: Overlay,
    ranges: list[tuple[int, int]],
    unique_id: bytes,
    signs: Sequence[Sign] = (),
) -> Journal:
    """Writes the journal and makes it hot. Raises RepairFailedError and leaves no journal if that fails."""
    folder = journal_folder(image.path)
    written: list[Path] = []
    try:
        make_folder(folder)
        drop_torn(image.path)
        number = max((int(path.stem) for path in _names(image.path)), default=0) + 1
        written = [folder / f"{number:04}.{state}" for state in (TORN, HOT)]
        write_journal(written[0], image, overlay, ranges, unique_id, int(time.time()), signs)
        return _rename(read_journal(written[0]), HOT)
    except BaseException as error:
        for path in written:
            with suppress(OSError):
                path.unlink()
        if isinstance(error, VmRescueError):
            raise RepairFailedError(f"no undo journal: {error}; nothing was written to the image") from error
        raise


def _new_parts(overlay: Overlay, ranges: Sequence[Range]) -> Iterator[tuple[int, bytes]]:
    """What a commit writes; signals are let through between its parts."""
    for offset, length in ranges:
        checkpoint()
        yield offset, overlay.read_at(offset, length)


def _take_back(image: HeldStore, journal: Journal, error: BaseException) -> None:
    """Rolls back a failed commit, whether or not its journal was renamed already."""
    try:
        states = [journal.path.with_suffix(f".{state}") for state in (HOT, DONE)]
        rollback(image, replace(journal, path=next((path for path in states if path.exists()), journal.path)))
    except VmRescueError as second:
        raise RepairFailedError(
            f"{error}; rolling back failed too: {second}; the image is wholly as it was, or wholly repaired,"
            f" once vmrescue opens it to write with the journals in {journal.path.parent}"
        ) from error


def _rename(journal: Journal, state: str) -> Journal:
    """Changes the state of a journal, and syncs its folder."""
    path = journal.path.with_suffix(f".{state}")
    with naming(path):
        if path != journal.path:
            journal.path.rename(path)
        sync_folder(path.parent)
    return replace(journal, path=path)


def _in_state(image: Location, state: str) -> list[Path]:
    return in_state(_names(image), state)


def _names(image: Location) -> list[Path]:
    """The files of an image's journals, oldest first. Raises RefusedError, ReadError."""
    place = Reference.of(image)
    return journal_files(place.journal_folder, lambda: place.owner, place)
