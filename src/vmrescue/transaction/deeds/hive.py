"""What is in a hive, edited: all changes of one hive in one go, after its transaction logs have been replayed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from vmrescue.errors import NotFoundError, RefusedError, RepairFailedError
from vmrescue.plan import Change, CreateKey, DeleteKey, DeleteValue, RegistryData, ReplayLog, SetValue
from vmrescue.readers.hive.key import HiveKey
from vmrescue.readers.hive.reader import SECTOR, HiveReader, why_incomplete
from vmrescue.registry import Hive, KeyNotFound, ValueNotFound, names
from vmrescue.registry.base_block import LOG_SUFFIXES
from vmrescue.registry.check import NAME, Weight
from vmrescue.registry.mounts import mount_of
from vmrescue.registry.operations import make
from vmrescue.registry.path import split
from vmrescue.transaction.deeds.deed import find_volume
from vmrescue.transaction.stale import compare, gone, stale

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vmrescue.plan import FileRef, HiveChange
    from vmrescue.registry.check import Problem
    from vmrescue.transaction.deeds.deed import Bench
    from vmrescue.windows import Disk


class _Hive:
    whole = False
    together = 1

    def apply(self, changes: Sequence[HiveChange], bench: Bench) -> None:
        file = changes[0].file
        editor = bench.editor(file)
        try:
            logs = [
                editor.read_file(file.path + suffix) for suffix in LOG_SUFFIXES if editor.exists(file.path + suffix)
            ]
            before = editor.open_file(file.path)
        except NotFoundError as error:
            raise gone(file, error) from error
        name = f"the hive {file}"
        hive = Hive(before, logs=logs, name=name, mount=_mount(file, before.read_at(0, min(SECTOR, before.size))))
        if hive.unreplayed:
            raise RefusedError(hive.unreplayed.refusal)
        for change in changes:
            edit(change, hive)
        _must_be_sound(hive.reread(), file, changes, lambda: Hive(before, logs=logs, name=name).check())
        if hive.size == before.size:
            editor.write_parts(file.path, list(hive.changed_parts()))
        else:
            editor.write_file(file.path, hive.to_bytes())
            bench.restructured(file)

    def confirm(self, changes: Sequence[HiveChange], disks: list[Disk]) -> None:
        file = changes[0].file
        stream, name = find_volume(disks, file).files.open(file.path), f"hive {file}"
        if why := why_incomplete(stream, name):
            raise RepairFailedError(f"the hive {file} is dirty after the edits: {why}")
        stream.seek(0)
        hive = HiveReader(stream, name, _mount(file, stream.read(SECTOR)), HiveKey)
        for change in changes:
            if not is_there(change, hive):
                raise RepairFailedError(f"the readers do not see that vmrescue did: {change.title} in {file}")

    def backs_up(self, changes: Sequence[HiveChange]) -> bool:
        return True


DEED = _Hive()


def _mount(file: FileRef, base_block: bytes) -> tuple[tuple[str, ...], ...]:
    """Where Windows mounts the hive; of a file of its own, which may be called anything, its base block is asked."""
    return mount_of(file.path, b"" if file.partition else base_block)


def _must_be_sound(
    hive: Hive, file: FileRef, changes: Sequence[Change], problems_before: Callable[[], list[Problem]]
) -> None:
    """Looks at every cell of an edited hive; asks what was wrong before only where something is wrong now.

    What Windows does not mind, or mends when it loads the hive, may be there after an edit as it was before; and a key
    may have the name that was asked for.
    """
    after = hive.check()
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


def edit(change: HiveChange, hive: Hive) -> None:
    """Makes one change in a hive. Raises RefusedError where the hive is not as the change found it."""
    _must_be_as_found(change, hive)
    make(hive, [change.operation] if change.operation else [])


def _must_be_as_found(change: HiveChange, hive: Hive) -> None:
    match change:
        case SetValue() | DeleteValue():
            compare(change, change.before, _value(hive, change.key, change.name))
        case DeleteKey():
            try:
                key = hive.key(change.key)
            except KeyNotFound as error:
                raise stale(f"cannot {change.title}: {error}") from error
            found = {value.name: RegistryData(int(value.type), value.raw) for value in key.values()}
            compare(change, change.before, found)
        case ReplayLog():
            if hive.recovered is None:
                raise stale(f"cannot {change.title}: the hive {change.file} is no longer dirty")


def _value(hive: Hive, key: str, name: str) -> RegistryData | None:
    try:
        value = hive.value(key, name)
    except (KeyNotFound, ValueNotFound):
        return None
    return RegistryData(int(value.type), value.raw)


def is_there(change: HiveChange, hive: HiveReader[HiveKey]) -> bool:
    """Whether the reader sees what the change was to do."""
    match change:
        case SetValue():
            return hive.value(split(change.key), change.name) == (change.after.type, change.after.raw)
        case DeleteValue():
            return hive.value(split(change.key), change.name) is None
        case CreateKey():
            return hive.key(split(change.key)) is not None
        case DeleteKey():
            return hive.stored_key(split(change.key)) is None
    return isinstance(change, ReplayLog)  # that the hive was written completely was looked at before
