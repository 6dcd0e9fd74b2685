"""The deeds: each change of a plan carried out with the editors, on whatever device the disks lie on (an overlay).

Before the first edit, what the plan says was found is compared with what is there (`transaction.expected`); a
difference refuses the plan. All changes to one hive are made in one go, after its transaction logs have been replayed.
"""

from __future__ import annotations

from collections import Counter
from functools import singledispatch
from typing import TYPE_CHECKING

from vmrescue.errors import NotFoundError, RefusedError, RepairFailedError
from vmrescue.ntfs import volume_state
from vmrescue.ntfs.edit.boot_copy import read_boot_copy, write_boot_copy
from vmrescue.ntfs.log.replay import replay
from vmrescue.plan import (
    Change,
    CreateKey,
    DeleteFile,
    DeleteKey,
    DeleteValue,
    PutFile,
    RegistryData,
    ReplayLog,
    ReplayVolumeLog,
    SetValue,
    WriteBootCopy,
)
from vmrescue.registry import Hive, KeyNotFound, ValueNotFound, names
from vmrescue.registry.base_block import LOG_SUFFIXES
from vmrescue.registry.check import NAME, Weight
from vmrescue.registry.mounts import mount_of
from vmrescue.registry.path import split
from vmrescue.transaction.expected import by_file, compare, find_volume, must_be_as_planned
from vmrescue.transaction.resizing import Expansion, make_room
from vmrescue.transaction.stale import stale
from vmrescue.windows.why_not import Obstacles

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmrescue.plan import FileRef, Plan
    from vmrescue.registry.check import Problem
    from vmrescue.volumes.file_systems import VolumeEditor
    from vmrescue.windows import Disk, Volume


OF_THE_VOLUME = (Expansion, ReplayVolumeLog, WriteBootCopy)  # changes that look for themselves at what they find
WHOLE_FILE = (DeleteFile, PutFile, WriteBootCopy)  # changes after which nothing else may be done to the file


def apply_plan(plan: Plan, disks: list[Disk]) -> set[Volume]:
    """Makes every change of the plan on the disks; returns the volumes whose own structures were changed.

    First what changes what the readers see of a volume as a whole, then a look at all that the plan expects, then the
    edits of files: by editors alone, because a reader would remember what was there before them.

    Raises:
        RefusedError: something is no longer as the plan found it, or editing it would not be safe.
    """
    refuse_obstacles(plan.changes, disks)
    rest, disks, restructured = make_room(plan.changes, disks)
    rest, replayed = _replay_volume_logs(rest, disks)
    steps = [step for step in plan.steps if not isinstance(step.change, OF_THE_VOLUME)]
    must_be_as_planned(steps, [disk.anew() for disk in disks])

    editors: dict[Volume, VolumeEditor] = {}
    for file, changes in by_file(rest).items():
        volume = find_volume(disks, file)
        if len(changes) > 1 and any(isinstance(change, WHOLE_FILE) for change in changes):
            raise RefusedError(f"the plan changes {file} as a whole and does something else to it too")
        volume.must_be_whole()
        if isinstance(changes[0], WriteBootCopy):
            _write_boot_copy(changes[0], volume)
            continue
        if volume not in editors:
            editors[volume] = volume.editor()
        if _change_file(editors[volume], file, changes):
            restructured.add(volume)
    return restructured | replayed


def refuse_obstacles(changes: list[Change], disks: list[Disk]) -> None:
    """Raises RefusedError where one of the changes cannot be made, before any is."""
    obstacles = Obstacles(disks, replayed=changes)
    for change in changes:
        if why := obstacles.why_not(change):
            raise RefusedError(f"cannot {change.title}: {why}")


def _replay_volume_logs(changes: list[Change], disks: list[Disk]) -> tuple[list[Change], set[Volume]]:
    """Before anybody looks into the volumes: readers and editors would remember what a replay changes.

    Returns the other changes, and the volumes whose logs were replayed.
    """
    replays = [change for change in changes if isinstance(change, ReplayVolumeLog)]
    volumes = set()
    for change in replays:
        volume = find_volume(disks, change.file)
        volume.must_be_whole()
        if replay(volume.device) is None:
            raise stale(f"cannot {change.title}: the log of {volume} has nothing to replay any more")
        volumes.add(volume)
    return [change for change in changes if not isinstance(change, ReplayVolumeLog)], volumes


def _write_boot_copy(change: WriteBootCopy, volume: Volume) -> None:
    volume_state(volume.device).check_content()
    if read_boot_copy(volume.device).position != change.position:
        raise stale(f"cannot {change.title}: {volume} has another size now")
    write_boot_copy(volume.device)


def _change_file(editor: VolumeEditor, file: FileRef, changes: list[Change]) -> bool:
    """Makes all changes of one file; returns whether more than clusters that it already had was changed."""
    first = changes[0]
    if isinstance(first, PutFile) and first.before is None:
        editor.create_file(file.path, first.data)
        return True
    try:
        if isinstance(first, DeleteFile):
            editor.delete(file.path)
            return True
        if isinstance(first, PutFile):
            editor.write_file(file.path, first.data)
            return True
        return _edit_hive(editor, file, changes)
    except NotFoundError as error:  # it was there before the plan's first edit: the plan itself has deleted it
        raise stale(f"the plan edits {file}, and {error}") from error


def _edit_hive(editor: VolumeEditor, file: FileRef, changes: list[Change]) -> bool:
    """Returns whether the hive's file has another length than before."""
    logs = [editor.read_file(file.path + suffix) for suffix in LOG_SUFFIXES if editor.exists(file.path + suffix)]
    before = editor.read_file(file.path)
    name = f"the hive {file}"
    hive = Hive(before, logs=logs, name=name, mount=mount_of(file.path, b"" if file.partition else before))
    if hive.unreplayed:
        raise RefusedError(hive.unreplayed.refusal)
    for change in changes:
        edit(change, hive)
    after = hive.to_bytes()
    _must_be_sound(after, file, changes, lambda: Hive(before, logs=logs, name=name).check())
    editor.write_file(file.path, after)
    return len(after) != len(before)


def _must_be_sound(
    data: bytes, file: FileRef, changes: list[Change], problems_before: Callable[[], list[Problem]]
) -> None:
    """Looks at every cell of an edited hive; asks what was wrong before only where something is wrong now.

    What Windows does not mind, or mends when it loads the hive, may be there after an edit as it was before; and a key
    may have the name that was asked for.
    """
    after = Hive(data).check()
    if not after:
        return
    before = problems_before()
    if damage := next((problem for problem in before if problem.weight is Weight.DAMAGE), None):
        raise RefusedError(f"{file} was damaged before any edit: {damage}; restore it from a backup")
    more = Counter(map(_kind, after)) - Counter(map(_kind, before))
    made = (change.key for change in changes if isinstance(change, SetValue | CreateKey))
    if any(names.is_no_keys(name) for key in made for name in split(key)):
        more.pop((Weight.FLAW, NAME), None)
    worse = [problem for problem in after if _kind(problem) in more]
    if worse:
        known = set(before)
        new = next((problem for problem in worse if problem not in known), worse[0])
        raise RepairFailedError(f"{file} would not be sound after the edits: {new}")


def _kind(problem: Problem) -> tuple[Weight, str]:
    """What an edit may make no more of, though it may move them, and change their numbers."""
    return problem.weight, problem.structure


@singledispatch
def edit(change: Change, hive: Hive) -> None:
    """Makes one change in a hive. Raises RefusedError where the hive is not as the change found it."""
    raise RefusedError(f"{change.title} is no edit of a hive")


@edit.register
def _(change: SetValue, hive: Hive) -> None:
    compare(change, change.before, _value(hive, change.key, change.name))
    hive.create_key(change.key)
    hive.set_value(change.key, change.name, change.after.type, change.after.raw)


@edit.register
def _(change: DeleteValue, hive: Hive) -> None:
    compare(change, change.before, _value(hive, change.key, change.name))
    hive.delete_value(change.key, change.name)


@edit.register
def _(change: CreateKey, hive: Hive) -> None:
    hive.create_key(change.key)


@edit.register
def _(change: DeleteKey, hive: Hive) -> None:
    try:
        key = hive.key(change.key)
    except KeyNotFound as error:
        raise stale(f"cannot {change.title}: {error}") from error
    found = {value.name: RegistryData(int(value.type), value.raw) for value in key.values()}
    compare(change, change.before, found)
    hive.delete_key(change.key, recursive=True)


@edit.register
def _(change: ReplayLog, hive: Hive) -> None:
    if hive.recovered is None:
        raise stale(f"cannot {change.title}: the hive {change.file} is no longer dirty")


def _value(hive: Hive, key: str, name: str) -> RegistryData | None:
    try:
        value = hive.value(key, name)
    except (KeyNotFound, ValueNotFound):
        return None
    return RegistryData(int(value.type), value.raw)
