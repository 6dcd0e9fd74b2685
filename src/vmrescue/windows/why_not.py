"""Why a change cannot be made on the disks at hand: asked by a diagnosis, a plan, a dry run and whoever applies one.

What is promised and what is done so follow one rule. The editors refuse by themselves, too. The gravest comes first:

1. An image that is only read, or that has a risk which nobody has accepted: nothing on any of the disks is changed,
   since they are one machine's.
2. A Windows that sleeps (hibernation, fast startup) keeps in its memory what it knows of every volume that it had
   mounted, the EFI system partition included: nothing is changed, wherever its memory image lies. Where it would lie on
   a volume that cannot be read, the boot manager's order to wake it tells.
3. A volume that is a part of a whole, encrypted or damaged; one whose log is to be replayed, but for content in place
   and the replay.
4. A dirty hive whose logs cannot be replayed, and one with damage in any of its cells.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from vmrescue.errors import ReadError, VmRescueError
from vmrescue.image.risks import refusal_for
from vmrescue.plan import HiveChange, Needs, PutFile, ReplayVolumeLog
from vmrescue.registry import Hive
from vmrescue.registry.check import Weight
from vmrescue.registry.operations import make
from vmrescue.registry.state import Unreplayed
from vmrescue.volume.state import Allows, StateName
from vmrescue.windows.boot_store import find_boot_stores
from vmrescue.windows.faults import fault_of
from vmrescue.windows.registry_file import RegistryFile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmrescue.plan import Change, FileRef
    from vmrescue.volumes.disk import Disk, Volume

WAKE_UP = "start the VM and shut it down fully (shutdown /s /f /t 0) first"


class Obstacles:
    """What stands in the way of changes on these disks, as they are now: it is made anew after an edit.

    Args:
        disks: the image first, then the data disks given with it.
        hives: those that are open already, so that none is read twice.
        replayed: the changes of the same plan; a volume whose log one of them replays is no longer in the way.
        promise: whether every cell of a hive is looked at before a change of it is said to be possible. Whoever edits
            a hive does so afterwards; beforehand it costs the reading of the hive, and a second for 12 MB.
        in_place: whether the image itself would be changed; else a copy of it, which has a container of its own.
    """

    def __init__(
        self,
        disks: list[Disk],
        hives: Iterable[RegistryFile] = (),
        replayed: Iterable[Change] = (),
        promise: bool = False,
        in_place: bool = True,
    ) -> None:
        self._disks = disks
        self._in_place = in_place
        self.promise = promise
        self._damage: dict[FileRef, str | None] = {}
        self._edited: dict[FileRef, bytes] = {}  # hives, as the changes asked about so far would leave them
        self._hives: dict[FileRef, RegistryFile | None] = {hive.ref: hive for hive in hives}
        self._replayed = {
            (each.file.disk, each.file.partition) for each in replayed if isinstance(each, ReplayVolumeLog)
        }

    @cached_property
    def everywhere(self) -> str | None:
        """Why nothing at all may be changed on these disks; None where something may."""
        for disk in self._disks:
            if disk.refusal:
                return disk.refusal
            if (self._in_place or disk.index) and (why := disk.device.facts.why_not_confirmed):
                return f"{disk.path}: {why}"
            if why := refusal_for(disk.device.risks):
                return f"{disk.path}: {why}"
        asleep = (why for disk in self._disks for volume in disk.volumes if (why := _asleep(volume)))
        return next(asleep, None) or next((why for disk in self._disks if (why := _to_be_woken(disk))), None)

    def why_not(self, change: Change) -> str | None:
        """Why a change cannot be made, as a sentence; None where nothing is known against it."""
        if self.everywhere:
            return self.everywhere
        volume = self._volume(change)
        if volume is None or change.needs is Needs.CONTAINER:
            return None
        if change.needs is Needs.NOTHING:
            return volume.refusal
        in_place = change.needs is Needs.CONTENT or _same_size(change, volume)
        if why := self.why_not_on(volume, in_place) or _why_not_rewritten(change, volume):
            return why
        return self._hive(change.file, volume) if isinstance(change, HiveChange) else None

    def why_not_on(self, volume: Volume, in_place: bool = False) -> str | None:
        """Why files on a volume cannot be created, deleted, resized or moved, or (`in_place`) not even rewritten."""
        if self.everywhere:
            return self.everywhere
        if volume.refusal:
            return volume.refusal
        state = volume.state
        said = "; ".join(state.reasons)
        if state.name is StateName.ENCRYPTED:
            return f"{volume} is encrypted ({said}): nothing on it may be changed before it is unlocked"
        if state.allows is Allows.NOTHING:
            return f"{volume} is {state.name} ({said}): nothing on it is changed before chkdsk has mended it"
        pending = state.allows is Allows.CONTENT and (volume.disk_index, volume.partition.number) not in self._replayed
        if pending and not in_place:
            return f"NTFS's log has work to redo on {volume} ({said}): only content of the same size may be written"
        return None

    def why_too_long(self, changes: Iterable[Change], alone: bool) -> str | None:
        """Why a hive would have to get longer, on a volume whose log allows only content of the same size.

        Changes that can be made count for those that are asked about next, except in a plan of their own (`alone`).
        """
        edits: dict[FileRef, list[Change]] = {}
        for change in changes:
            if isinstance(change, HiveChange) and change.operation:
                edits.setdefault(change.file, []).append(change)
        for file, some in edits.items():
            volume = self._volume(some[0])
            if volume is None or not self.why_not_on(volume) or self.why_not_on(volume, in_place=True):
                continue
            with suppress(VmRescueError):  # one that cannot be edited is left to whoever edits it
                hive = self._in_memory(file, volume)
                make(hive, [change.operation for change in some if isinstance(change, HiveChange) and change.operation])
                after = hive.to_bytes()
                if len(after) != volume.files.size_of(file.path):
                    return f"{file} would get longer: {self.why_not_on(volume)}"
                if not alone:
                    self._edited[file] = after
        return None

    def _in_memory(self, file: FileRef, volume: Volume) -> Hive:
        if file in self._edited:
            return Hive(self._edited[file])
        hive = RegistryFile(volume, file.path)
        return Hive(hive.content(), logs=hive.logs() if hive.state.dirty else [], name=hive.name, mount=hive.mount)

    def _volume(self, change: Change) -> Volume | None:
        file = change.file
        return self._disks[file.disk].volume(file.partition) if 0 <= file.disk < len(self._disks) else None

    def _hive(self, file: FileRef, volume: Volume) -> str | None:
        """Why a dirty hive cannot be edited; one that cannot be read is left to whoever opens it."""
        if file not in self._hives:
            try:
                self._hives[file] = RegistryFile(volume, file.path)
            except VmRescueError:
                self._hives[file] = None
        hive = self._hives[file]
        if hive is None:
            return None
        if hive.state.dirty and (why := hive.why_not_replayable()):
            return Unreplayed(hive.name, hive.state, why).refusal
        if self.promise and file not in self._damage:
            self._damage[file] = _damage(hive)
        return self._damage.get(file)


def _damage(hive: RegistryFile) -> str | None:
    """Why no change of a hive would be kept: something in it is damaged, which a reader need not meet."""
    try:
        logs = hive.logs() if hive.state.dirty else []
        problems = Hive(hive.read(), logs=logs, name=hive.name, mount=hive.mount).check()
    except ReadError:
        raise
    except VmRescueError as error:
        return f"{hive.name} cannot be edited: {error}"
    damage = next((problem for problem in problems if problem.weight is Weight.DAMAGE), None)
    return f"{hive.name} is damaged: {damage}; it is not edited: restore it from a backup" if damage else None


def why_not(change: Change, disks: list[Disk]) -> str | None:
    """Why one change cannot be made on these disks; None where nothing is known against it."""
    return Obstacles(disks).why_not(change)


def _asleep(volume: Volume) -> str | None:
    if volume.state.name is not StateName.HIBERNATED:
        return None
    said = "; ".join(volume.state.reasons)
    return f"the Windows on {volume} is hibernated ({said}): nothing on its disks may be changed; {WAKE_UP}"


def _to_be_woken(disk: Disk) -> str | None:
    """Where a volume does not tell whether a Windows sleeps on it, its boot manager does."""
    hidden = [
        each
        for each in disk.volumes
        if each.state.name in (StateName.ENCRYPTED, StateName.DAMAGED)
        or (not each.readable and each.partition.role == "basic data")
    ]
    for store in find_boot_stores(disk)[0] if hidden else ():
        if fault_of(lambda store=store: store.resumes) is None and store.resumes:  # type: ignore[misc]
            said = f"the boot manager of {store} is to wake a hibernated Windows, and {hidden[0]} cannot be read"
            return f"{said}: nothing on its disks may be changed; {WAKE_UP}"
    return None


def _why_not_rewritten(change: Change, volume: Volume) -> str | None:
    """Why a file that is there gets no other content: it is not simply stored as it is read."""
    if not isinstance(change, HiveChange | PutFile):
        return None
    try:
        nature = volume.files.nature(change.file.path)
    except VmRescueError:  # left to whoever opens it
        return None
    if nature is None or not (nature.storage or nature.link):
        return None
    how = " and ".join(nature.storage) or "a reparse point, or below one"
    return f"{change.file} is {how}: its content is not rewritten"


def _same_size(change: Change, volume: Volume) -> bool:
    """Whether a file only gets other bytes where it has its own."""
    return isinstance(change, PutFile) and volume.files.size_of(change.file.path) == len(change.data)
