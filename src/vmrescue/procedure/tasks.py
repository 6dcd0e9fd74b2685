"""Single tasks on an image, one call each, as the commands of the same names do them.

Each is a plan like any other: tried in memory, confirmed by other readers, backed up, journalled, and undone by
`vmrescue.undo`. A defragmentation is the exception: it cannot be undone.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from vmrescue.arguments import typed
from vmrescue.errors import UnsupportedError
from vmrescue.image import accepting, parents_in
from vmrescue.plan import DeleteFile, FileRef, Plan, Step
from vmrescue.progress import work
from vmrescue.transaction import Editing, back_up, configuration_files, edit
from vmrescue.transaction.backup import MANIFEST
from vmrescue.transaction.target import Elsewhere, made_of
from vmrescue.units import counted, size_text
from vmrescue.windows.cleanup import CATEGORIES, chosen, removable_files
from vmrescue.windows.expansion import expansion
from vmrescue.windows.places import find_windows

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Iterable

    from vmrescue.transaction import Receipt, Transaction
    from vmrescue.transaction.defragmenting import Defragmented

    Location = str | os.PathLike[str]


@typed
def expand(
    image: Location,
    size: int,
    *,
    partition: int | str | None = None,
    move_recovery: bool = False,
    **how: Unpack[Editing],
) -> Receipt:
    """Makes the disk `size` bytes long, with its partition table, a partition and its NTFS volume.

    Args:
        image: a virtual disk's file, or a block device.
        size: bytes, in whole MiB; at least what the disk has.
        partition: the number (or letter) of the partition that gets the room; that of Windows unless given.
        move_recovery: whether a recovery partition that is in the way may be moved to the disk's end.
        how: as for `vmrescue.repair`.

    Raises as `vmrescue.repair`.
    """
    return edit(image, expansion_plan(size, partition, move_recovery), **how)


def expansion_plan(
    size: int, partition: int | str | None = None, move_recovery: bool = False
) -> Callable[[Transaction], Plan]:
    """What `expand` does to an opened disk."""

    def plan(transaction: Transaction) -> Plan:
        [disk] = transaction.disks()
        changes = expansion(disk, size, partition, move_recovery)
        steps = [Step("expand", f"a disk of {size_text(size)} was asked for", change) for change in changes]
        return Plan(transaction.identity, tuple(steps))

    return plan


@typed
def cleanup(
    image: Location, categories: Collection[str] = (), *, volume: str | None = None, **how: Unpack[Editing]
) -> Receipt:
    """Deletes what Disk Cleanup would.

    Args:
        image: a virtual disk's file, a block device, or the URL of an Azure page blob.
        categories: the names of what is deleted, as ``vmrescue cleanup --list`` has them; all that are not on request
            unless given.
        volume: the volume whose Windows is cleaned, by its partition's number or its letter; the one that boots unless
            given.
        how: as for `vmrescue.repair`.

    Raises as `vmrescue.repair`; UsageError for a name that is no category's.
    """
    return edit(image, cleanup_plan(categories, volume), **how)


def cleanup_plan(categories: Collection[str] = (), volume: str | None = None) -> Callable[[Transaction], Plan]:
    """What `cleanup` does to an opened disk."""

    def plan(transaction: Transaction) -> Plan:
        with work("looking for files to delete"):
            found = list(removable_files(find_windows(transaction.disks()[0], volume), chosen(tuple(categories))))
        reasons = {category.name: category.reason for category in CATEGORIES}
        steps = [
            Step("cleanup", f"{file.category}: {reasons[file.category]}", DeleteFile(file.file, file.size))
            for file in found
        ]
        return Plan(transaction.identity, tuple(steps))

    return plan


@typed
def defrag(
    image: Location,
    *,
    partition: int | str | None = None,
    files: Iterable[str] = (),
    free_space: bool = False,
    dry_run: bool = False,
    copy_to: Location | None = None,
    into: Location | None = None,
    to_format: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    accept: Collection[str] = (),
    parent_dir: Location | None = None,
) -> Defragmented:
    """Moves each file of an NTFS volume to one piece. Nothing takes that back: see `copy_to` and `into`.

    Args:
        image: a virtual disk's file, or a block device.
        partition: the volume, by its partition's number or its letter; that of Windows unless given.
        files: the paths of those that are moved; all unless given.
        free_space: whether the free space is brought together, too.
        dry_run: find out what would be moved, and move nothing.
        copy_to, into, to_format: as for `vmrescue.repair`.
        progress: called with the bytes moved, and about how many there are to move. What it raises ends the work there:
            the volume is sound, every file whole.
        accept, parent_dir: as for `vmrescue.repair`.

    Raises:
        RefusedError: it would not be safe; the image is untouched.
        RepairFailedError: it failed at the first step; the image is as before.
        AfterCommitError, UnsoundError: a later step or the last check failed; the message says what stays.
        VmRescueError: the image cannot be read.
    """
    from vmrescue.transaction.defragmenting import Defragmentation, rehearse

    with accepting(accept), parents_in(parent_dir):
        if dry_run:
            return rehearse(image, partition, files, free_space)
        with (
            made_of(image, Elsewhere.of(copy_to, into, to_format), None) as made,
            Defragmentation(image, partition, made) as defragmentation,
            work("moving files") as now,
        ):

            def moved(done: int, total: int) -> None:
                now.reach(done, total)
                progress(done, total)

            return defragmentation.run(files, free_space, moved)


@typed
def backup(
    image: Location, folder: Location, *, volume: str | None = None, parent_dir: Location | None = None
) -> list[dict[str, Any]]:
    r"""Copies ``\Windows\System32\config`` and the boot store to a folder, with a manifest.

    Args:
        volume: the volume whose files are copied, by its partition's number or its letter; those of the Windows that
            boots, and the boot store, unless given.

    Returns:
        a row for each file: ``disk``, ``partition``, ``path``, ``copy`` (below the folder), ``bytes``, ``sha256``.

    Raises:
        WriteError: the folder cannot take them.
        UnsupportedError: some files cannot be read; all others are copied, and the manifest says which are missing.
        VmRescueError: the image cannot be read.
    """
    from vmrescue.diagnosis import open_disks

    with parents_in(parent_dir), open_disks([image]) as disks:
        unread: dict[FileRef, str] = {}
        rows = back_up(configuration_files(disks, volume), disks, Path(folder), unread=unread)
    if unread:
        others = f"the other {counted(len(rows), 'file')}, and what is missing, are named in {Path(folder) / MANIFEST}"
        raise UnsupportedError(f"not backed up: {'; '.join(unread.values())}; {others}")
    return rows
