"""The second look: what the editors have written, read back by code that did not write it."""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING

from vmrescue.checks import examine
from vmrescue.checks.rules import RULES
from vmrescue.digests import sha256
from vmrescue.errors import RefusedError, RepairFailedError, VmRescueError
from vmrescue.plan import (
    Change,
    CreateKey,
    DeleteFile,
    DeleteKey,
    DeleteValue,
    FileRef,
    Plan,
    PutFile,
    ReplayLog,
    ReplayVolumeLog,
    SetValue,
    WriteBootCopy,
)
from vmrescue.readers.hive.key import HiveKey
from vmrescue.readers.hive.reader import HiveReader, why_incomplete
from vmrescue.readers.ntfs.file_system import NtfsFileSystem
from vmrescue.registry.mounts import mount_of
from vmrescue.registry.path import split
from vmrescue.transaction.expected import by_file, file_hash, find_volume
from vmrescue.transaction.resized import look_at_expansion
from vmrescue.transaction.resizing import Expansion

if TYPE_CHECKING:
    from vmrescue.checks import Diagnosis, Policy
    from vmrescue.windows import Disk

SECTOR = 512  # bytes of a boot sector that count, however long the disk's sectors are


def verify_plan(plan: Plan, disks: list[Disk], policy: Policy, before: Diagnosis | None) -> Diagnosis | None:
    """Looks up every change through the dissect readers, and diagnoses the disks again.

    Args:
        plan: what was applied.
        disks: the disks as they are now, opened anew.
        policy: what counts as right.
        before: the diagnosis that the plan came from, where one could be made.

    Returns the new diagnosis.

    Raises:
        RepairFailedError: a change is not there, or something is wrong now that was not before.
    """
    try:
        for change in plan.changes:
            if isinstance(change, Expansion):
                look_at_expansion(change, disks)
        others = [change for change in plan.changes if not isinstance(change, Expansion)]
        for file, changes in by_file(others).items():
            _look_up(file, changes, disks)
        after = examine(disks, policy) if before else None
    except RepairFailedError:
        raise
    except VmRescueError as error:
        raise RefusedError(
            f"nothing was written: with these changes the disk could not be read any more ({error})"
        ) from error
    if before and after and all(step.check in RULES for step in plan.steps):
        _nothing_new(before, after)
    return after


def _look_up(file: FileRef, changes: list[Change], disks: list[Disk]) -> None:
    volume = find_volume(disks, file)
    if isinstance(changes[0], DeleteFile):
        # another file may be left whose name differs only in case
        if volume.files.size_of(file.path) is not None and volume.files.spelled(file.path) == file.path:
            raise RepairFailedError(f"{file} is still there")
        return
    if isinstance(changes[0], ReplayVolumeLog):
        if why := NtfsFileSystem(volume.device, volume.position).why_log_pending():
            raise RepairFailedError(f"the readers see that the log of {volume} is still to be replayed: {why}")
        return
    if isinstance(change := changes[0], WriteBootCopy):
        if volume.device.read_at(change.position, SECTOR) != volume.device.read_at(0, SECTOR):
            raise RepairFailedError(f"behind {volume} is no copy of its boot sector")
        return
    if isinstance(changes[0], PutFile):
        if file_hash(volume, file.path) != sha256([changes[0].data]):
            raise RepairFailedError(f"the readers do not see in {file} what was written to it")
        return
    stream, name = volume.files.open(file.path), f"hive {file}"
    if why := why_incomplete(stream, name):
        raise RepairFailedError(f"the hive {file} is dirty after the edits: {why}")
    stream.seek(0)
    mount = mount_of(file.path, b"" if file.partition else stream.read(SECTOR))
    hive = HiveReader(stream, name, mount, HiveKey)
    for change in changes:
        if not is_there(change, hive):
            raise RepairFailedError(f"the readers do not see that vmrescue did: {change.title} in {file}")


@singledispatch
def is_there(change: Change, hive: HiveReader[HiveKey]) -> bool:
    """Whether the reader sees what the change was to do."""
    return False


@is_there.register
def _(change: SetValue, hive: HiveReader[HiveKey]) -> bool:
    return hive.value(split(change.key), change.name) == (change.after.type, change.after.raw)


@is_there.register
def _(change: DeleteValue, hive: HiveReader[HiveKey]) -> bool:
    return hive.value(split(change.key), change.name) is None


@is_there.register
def _(change: CreateKey, hive: HiveReader[HiveKey]) -> bool:
    return hive.key(split(change.key)) is not None


@is_there.register
def _(change: DeleteKey, hive: HiveReader[HiveKey]) -> bool:
    return hive.stored_key(split(change.key)) is None


@is_there.register
def _(change: ReplayLog, hive: HiveReader[HiveKey]) -> bool:
    return True  # that the hive was written completely was looked at before


def _nothing_new(before: Diagnosis, after: Diagnosis) -> None:
    """A repair may leave findings, but must not cause any. What a person asks for by hand may: it is in the receipt."""
    known = {finding.check for finding in before.findings}
    for finding in after.findings:
        if finding.check not in known:
            raise RepairFailedError(f"the edits would have caused a new finding, {finding.check}: {finding.summary}")
