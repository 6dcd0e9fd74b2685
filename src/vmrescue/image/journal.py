"""The undo journal: how an image becomes wholly new or stays wholly old, and how it gets back.

The invariants, by which the code below can be checked ("synced" = on stable storage):

 1. A repair writes to the image only while a journal in the state `hot` exists whose content is synced, and whose name
    is: the folder that holds it was synced after it got that name.
 2. A hot journal holds every byte that may be written to, as it was before the first write, and the image's old size.
 3. A journal ceases to be hot only after the image is synced: `done` when all new bytes are in it and whoever commits
    has confirmed them, `undone` when all old bytes are in it again. A signal that ends the program waits until then.
 4. Restoring what a hot journal holds gives the old image whatever part of the new bytes had been written; doing it
    twice, or crashing in the midst of it, changes nothing about that.
 5. At most one journal of an image is hot, and only the holder of the image's lock changes the state of any.
 6. A journal is applied only to the image for which it was written: sizes, and a hash of bytes that a commit leaves
    alone (`witness`), must agree. `done` becomes `hot` only if every byte that was written is still there.
 7. A journal in the state `tmp` is of no consequence: the image wasn't written to yet.
 8. Bytes that nothing on the disk refers to may be written at any time: no invariant holds for them. Before the first
    such write an empty journal in the state `final` is made (`seal`), behind which `undo` never goes: what an older
    repair set free may be overwritten. A later commit's journal is deleted once its outcome is confirmed (`discard`).
 9. A journal is applied only where nothing shows that somebody else wrote to the image since it became hot, or `done`:
    no sign (`signs`) has changed, and of a remote image not the version (`last_write`). Who names the risk has it
    applied all the same; what invariant 6 demands must agree even then.

A state is the ending of the journal's name in the folder `IMAGE.vmrescue/`, and changes by one atomic rename:

                 commit                   commit                       commit
    (nothing) ------------> 0001.tmp ------------------> 0001.hot -----------------> 0001.done
                            | a crash:    journal synced    |  ^    image synced        |
                            | dropped by                    |  |                        |
                            v the next writer               |  +------------------------+
                        (nothing)                           |        undo: hot again
                                                            v
                                          rollback:     0001.undone
                                          image synced

Opening an image with a hot journal: who means to write rolls it back first; who only reads sees the image rolled back
through an overlay, and writes nothing; both are refused where invariant 9 forbids it. (Both in `recovery`.) A page blob
can be reached by machines that don't have its journals: what they are told is in `page_blob`.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from vmrescue.errors import NotFoundError, RefusedError, RepairFailedError, VmRescueError, WriteError
from vmrescue.image.journal_file import Journal, cut_ranges, read_journal, write_journal
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
from vmrescue.interrupts import checkpoint, held

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from vmrescue.image.reference import Location
    from vmrescue.image.signs import Sign
    from vmrescue.image.transports.file import HeldStore

VERSION = "the image's version (ETag)"  # what it is called among the signs


def journal_folder(image: Location) -> Path:
    """Where the undo journals of an image are: beside the file itself; those of a block device and of a remote image
    among the user's state files.
    """
    return Reference.of(image).journal_folder


def journals(image: Location) -> list[Journal]:
    """All journals of an image, the oldest first. Raises RefusedError where one is damaged."""
    return [read_journal(path) for path in _names(image) if path.suffix != f".{TORN}"]


def pending(image: Location) -> Journal | None:
    """The hot journal of an image, if it has one: the image may be partly written. Raises RefusedError, ReadError."""
    hot = _in_state(image, HOT)
    if len(hot) > 1:
        raise RefusedError(f"{Reference.of(image)} has more than one hot undo journal: {', '.join(map(str, hot))}")
    return read_journal(hot[0]) if hot else None


def is_hot(image: Location) -> bool:
    """Whether bytes of the image are being changed under a journal, or were when a repair was interrupted."""
    return bool(_in_state(image, HOT))


def commit(
    image: HeldStore,
    overlay: Overlay,
    unique_id: bytes | None = None,
    signs: Sequence[Sign] = (),
    confirm: Callable[[], None] = lambda: None,
) -> Journal | None:
    """Makes the image what the overlay shows, or leaves it as it is.

    Args:
        image: open for writing and locked; it is what the overlay lies on.
        overlay: what the image is to become.
        unique_id: the container's, for the record.
        signs: bytes of the image by which an undo sees whether somebody else has written to it.
        confirm: asked when all is written and the journal is still hot; where it raises, the image is rolled back.

    Returns:
        The journal in the state `done`; None if nothing differs.

    Raises:
        RefusedError: somebody else has changed the image meanwhile; nothing was written.
        RepairFailedError: it could not be written; the image is as before, or will be when it is next opened to write.
    """
    image.must_be_unchanged()
    ranges = cut_ranges(image, overlay)
    if not ranges and overlay.size == image.size:
        return None
    with held():
        journal = _begin(image, overlay, ranges, unique_id or bytes(16), signs)
        try:
            _note_version(image, journal.number)
            image.resize(overlay.size)
            for region in journal.regions:
                checkpoint()
                if region.length_after:
                    image.write_at(region.offset, overlay.read_at(region.offset, region.length_after))
            confirm()
            checkpoint()
            image.flush()
            _note_own_write(image)
            return _rename(journal, DONE)
        except BaseException as error:
            _take_back(image, journal, error)
            if isinstance(error, VmRescueError):
                raise RepairFailedError(f"{error}; the image was rolled back to what it was before") from error
            raise


def rollback(image: HeldStore, journal: Journal) -> Journal:
    """Gives the image back what it was before the journal's commit.

    Args:
        image: open for writing and locked.
        journal: in the state `hot`, or `done` and checked.

    Raises:
        RefusedError: the journal isn't this image's.
        WriteError: the disk would not take it; the journal is still what it was, or hot, and nothing is lost.
    """
    with held():
        image.drop_cache()
        journal.check_identity(image)
        journal = _rename(journal, HOT)
        journal.restore(image)
        image.flush()
        _note_own_write(image)
        return _rename(journal, UNDONE)


def finish(image: HeldStore, hot: Journal, although_changed: bool = False) -> Journal:
    """Rolls back a commit that was interrupted, unless somebody else wrote to the image since, such as a VM that was
    started. Returns the journal, now `undone`, with what was looked at.

    Raises:
        RefusedError: it shows that; or the journal isn't this image's. Nothing was written.
        WriteError: as `rollback`.
    """
    hot.check_identity(image)
    found = hot.compare(image)
    must_be_alone(image.path, hot, found, although_changed)
    return replace(rollback(image, hot), found=found)


def must_be_alone(path: str, journal: Journal, found: Comparison, although_changed: bool) -> None:
    """Raises RefusedError where signs differ, unless that is to be passed over."""
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
    """Takes the image's last commit back: the bytes that it wrote, and the image's size, become what they were.

    Args:
        although_changed: do it even where signs show that somebody else has written to the image since.

    Returns:
        The journal, now `undone`, with what was looked at.

    Raises:
        NotFoundError: there is none to take back.
        RefusedError: what the commit wrote has been changed since, or there are signs that somebody else wrote
            elsewhere, or the image was rearranged for good (`seal`).
        RepairFailedError: the image could not be written, so that it is still repaired, or the undo is yet to finish.
    """
    past = [path for path in _names(image.path) if path.suffix in (f".{DONE}", f".{FINAL}")]
    if not past:
        raise NotFoundError(f"{image.path} has no repair to undo: no journal in {journal_folder(image.path)}")
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
    """Makes all that was done to the image so far final: see invariant 8. Raises RepairFailedError, WriteError."""
    unchanged = Overlay(image)
    try:
        _rename(_begin(image, unchanged, [], bytes(16)), FINAL)
    finally:
        unchanged.close()


def discard(journal: Journal) -> None:
    """Deletes the journal of a commit that is not to be undone any more. Raises WriteError."""
    with naming(journal.path):
        journal.path.unlink()
        sync_folder(journal.path.parent)


def drop_torn(image: Location) -> None:
    """Deletes journals that a crash left half-written; the image wasn't written to yet."""
    for path in _in_state(image, TORN):
        with naming(path):
            path.unlink()


def _compare_version(image: HeldStore, journal: Journal) -> Comparison | None:
    """What the version of a remote image tells, without reading more of it; None where it is not known."""
    last = read_last_write(journal_folder(image.path)) if image.version else None
    if last is None:
        return None
    same = last.version == image.version and last.since <= journal.number
    return Comparison(same=(VERSION,)) if same else Comparison(different=(VERSION,))


def _note_version(image: HeldStore, number: int) -> None:
    """Before the first write of repair `number`: the version that it found, and whether that is the one we left."""
    if image.version:
        folder = journal_folder(image.path)
        last = read_last_write(folder)
        since = last.since if last and last.version == image.version else number
        note_last_write(folder, LastWrite(image.version, since))


def _note_own_write(image: HeldStore) -> None:
    """The version now is the one that we made."""
    if image.version:
        folder = journal_folder(image.path)
        if last := read_last_write(folder):
            note_last_write(folder, LastWrite(image.version, last.since))


def _break_with_the_past(image: HeldStore, number: int) -> None:
    """Somebody else wrote after repair `number`: those before it are no longer known to be undisturbed."""
    if image.version:
        note_last_write(journal_folder(image.path), LastWrite(image.version, number))


def _begin(
    image: HeldStore,
    overlay: Overlay,
    ranges: list[tuple[int, int]],
    unique_id: bytes,
    signs: Sequence[Sign] = (),
) -> Journal:
    """Writes the journal and makes it hot. Raises RepairFailedError, with no journal left behind."""
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


def _take_back(image: HeldStore, journal: Journal, error: BaseException) -> None:
    """Rolls back a commit that failed, whether or not its journal was renamed already."""
    try:
        states = [journal.path.with_suffix(f".{state}") for state in (HOT, DONE)]
        rollback(image, replace(journal, path=next((path for path in states if path.exists()), journal.path)))
    except VmRescueError as second:
        raise RepairFailedError(
            f"{error}; rolling back failed too: {second}; the image is wholly as it was, or wholly repaired,"
            f" once vmrescue opens it to write with the journals in {journal.path.parent}"
        ) from error


def _rename(journal: Journal, state: str) -> Journal:
    """Changes the state of a journal, for good: its folder is synced."""
    path = journal.path.with_suffix(f".{state}")
    with naming(path):
        if path != journal.path:
            journal.path.rename(path)
        sync_folder(path.parent)
    return replace(journal, path=path)


def _in_state(image: Location, state: str) -> list[Path]:
    return in_state(_names(image), state)


def _names(image: Location) -> list[Path]:
    """The files of an image's journals, the oldest first. Raises RefusedError, ReadError."""
    place = Reference.of(image)
    return journal_files(place.journal_folder, lambda: place.owner, place)
