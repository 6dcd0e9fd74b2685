"""Why a change cannot be made on the disks at hand. Diagnosis, plan, dry run and apply all ask here.

So what is promised and what is done follow the same rule. The editors check by themselves too. The order, worst first:

1. An image that is only read, that has a risk that is not accepted, or whose end is missing: nothing on any of the
   disks is changed, because they belong to one machine. To a diagnosis also one that cannot be written now.
2. A hibernated Windows (also fast startup) has the state of every mounted volume in its memory image, the EFI system
   partition included: nothing is changed on any volume. If the memory image may be on a volume that cannot be read,
   the boot manager's resume setting shows it.
3. A volume that is only a part of something, encrypted or damaged: it is not changed. A volume whose log must be
   replayed: only content in place, and the replay.
4. A dirty hive whose logs cannot be replayed, and a hive with damage in any cell.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from vmrescue.errors import ReadError, VmRescueError, fault_of
from vmrescue.image.containers.lying_over import risk_of_children
from vmrescue.image.risks import refusal_for
from vmrescue.image.writable import why_not_now
from vmrescue.plan import HiveChange, Needs, PutFile, ReplayVolumeLog
from vmrescue.readers.file_system import link_above
from vmrescue.registry import Hive
from vmrescue.registry.check import Weight
from vmrescue.registry.operations import make
from vmrescue.registry.state import Unreplayed
from vmrescue.volume.state import Allows, StateName
from vmrescue.windows.boot_store import find_boot_stores
from vmrescue.windows.registry_file import RegistryFile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmrescue.plan import Change, FileRef
    from vmrescue.readers.nature import Nature
    from vmrescue.volumes.disk import Disk, Volume

MADE_PLAIN = {"compressed", "sparse"}  # storage of a file that is a plain one once its content is replaced as a whole
WAKE_UP = "start the VM and shut it down fully (shutdown /s /f /t 0) first"


class Obstacles:
    """The reasons against changes on these disks, in their present state; a new object is needed after an edit.

    Args:
        disks: the image first, then the data disks given with it.
        replayed: the changes of the same plan; a pending log that one of them replays is no reason against the others.
        promise: whether every cell of a hive is checked before a change of it is called possible. An edit does this
            check anyway; before an edit it costs reading the whole hive, and a second for 12 MB.
        in_place: whether the image itself would be changed, or a copy of it, which has a container of its own.
        now: whether it would be written by this process, as things are: not where it is open to be written already,
            and not for a plan, which may be applied by somebody else.
    """

    def __init__(
        self,
        disks: list[Disk],
        replayed: Iterable[Change] = (),
        promise: bool = False,
        in_place: bool = True,
        now: bool = False,
    ) -> None:
        self._disks = disks
        self._now = now
        self._in_place = in_place
        self.promise = promise
        self._damage: dict[FileRef, str | None] = {}
        self._edited: dict[FileRef, bytes] = {}  # hives after the changes that were asked about so far
        self._hives: dict[FileRef, RegistryFile | None] = {}
        self._replayed = {
            (each.file.disk, each.file.partition) for each in replayed if isinstance(each, ReplayVolumeLog)
        }

    @cached_property
    def everywhere(self) -> str | None:
        """Why nothing at all may be changed on these disks; None if something may."""
        for disk in self._disks:
            if disk.refusal:
                return disk.refusal
            if (self._in_place or disk.index) and (why := disk.device.facts.why_not_confirmed):
                return f"{disk.path}: {why}"
            if why := refusal_for(disk.device.risks):
                return f"{disk.path}: {why}"
            if (self._in_place or disk.index) and (why := refusal_for(risk_of_children(disk.path))):
                return f"{disk.path}: {why}"
            if why := disk.cut_short:
                return f"{disk.path} is cut short ({why}): nothing is changed in it; copy or download it again"
            if self._now and (why := why_not_now(disk.path)):
                return why
        asleep = (why for disk in self._disks for volume in disk.volumes if (why := _asleep(volume)))
        return next(asleep, None) or next((why for disk in self._disks if (why := _to_be_woken(disk))), None)

    def why_not(self, change: Change) -> str | None:
        """Why a change cannot be made, as a sentence; None if no reason is known."""
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
            only = "only plain content of the same size may be written, until volume-state has replayed it"
            return f"NTFS's log has work to redo on {volume} ({said}): {only}"
        return None

    def why_too_long(self, changes: Iterable[Change], alone: bool) -> str | None:
        """The reason, if a hive would have to grow on a volume whose pending log allows only content of the same size.

        Changes that are possible are included when later ones are judged, unless each gets a plan of its own (`alone`).
        """
        edits: dict[FileRef, list[Change]] = {}
        for change in changes:
            if isinstance(change, HiveChange) and change.operation:
                edits.setdefault(change.file, []).append(change)
        for file, some in edits.items():
            volume = self._volume(some[0])
            if volume is None or not self.why_not_on(volume) or self.why_not_on(volume, in_place=True):
                continue
            with suppress(VmRescueError):  # the edit itself reports a hive that cannot be edited
                hive = self._in_memory(file, volume)
                make(hive, [change.operation for change in some if isinstance(change, HiveChange) and change.operation])
                if hive.size > (volume.files.size_of(file.path) or 0):  # a file may be longer than the hive's bins
                    return f"{file} would get longer: {self.why_not_on(volume)}"
                if not alone:
                    self._edited[file] = hive.to_bytes()
        return None

    def _in_memory(self, file: FileRef, volume: Volume) -> Hive:
        if file in self._edited:
            return Hive(self._edited[file])
        return RegistryFile.of(volume, file.path).draft()

    def _volume(self, change: Change) -> Volume | None:
        file = change.file
        return self._disks[file.disk].volume(file.partition) if 0 <= file.disk < len(self._disks) else None

    def _hive(self, file: FileRef, volume: Volume) -> str | None:
        """Why a dirty hive cannot be edited. A hive that cannot be read is reported when it is opened."""
        if file not in self._hives:
            try:
                self._hives[file] = RegistryFile.of(volume, file.path)
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
    """Why a change of a hive would be refused at the end: it has damage, which a reader may not notice."""
    try:
        problems = Hive(hive.replayed(), name=hive.name, mount=hive.mount).check()
    except ReadError:
        raise
    except VmRescueError as error:
        return f"{hive.name} cannot be edited: {error}"
    damage = next((problem for problem in problems if problem.weight is Weight.DAMAGE), None)
    return f"{hive.name} is damaged: {damage}; it is not edited: restore it from a backup" if damage else None


def why_not(change: Change, disks: list[Disk]) -> str | None:
    """Why one change cannot be made on these disks; None if no reason is known."""
    return Obstacles(disks).why_not(change)


def _asleep(volume: Volume) -> str | None:
    if volume.state.name is not StateName.HIBERNATED:
        return None
    said = "; ".join(volume.state.reasons)
    return f"the Windows on {volume} is hibernated ({said}): nothing on its disks may be changed; {WAKE_UP}"


def _to_be_woken(disk: Disk) -> str | None:
    """The boot manager's resume setting, for volumes that do not tell whether a Windows hibernates on them."""
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
    """Why an existing file's content cannot be replaced: it is not stored as plain bytes, nor made so by being put."""
    if not isinstance(change, HiveChange | PutFile):
        return None
    try:
        nature = volume.files.nature(change.file.path)
    except VmRescueError:  # opening the file reports it
        return None
    if nature is None or not (nature.storage or nature.link):
        return None
    how = " and ".join(nature.storage) or "a reparse point, or below one"
    why = f"{change.file} is {how}: its content is not rewritten"
    if set(nature.storage) - MADE_PLAIN:
        return why
    if nature.link:
        return None if isinstance(change, PutFile) and _is_of_wof(nature, change.file.path, volume) else why
    return None if isinstance(change, PutFile) else f"{why}; copied out and put back (get, put), it is a plain file"


def _is_of_wof(nature: Nature, path: str, volume: Volume) -> bool:
    """Whether WOF has compressed a file, which is no other kind of link, nor below one."""
    return "WOF" in nature.packed and link_above(volume.files, path) is None


def _same_size(change: Change, volume: Volume) -> bool:
    """Whether a change only replaces bytes of a file, without changing its size, or how it is stored."""
    if not isinstance(change, PutFile):
        return False
    nature = volume.files.nature(change.file.path)
    return nature is not None and not (nature.storage or nature.link) and nature.size == len(change.data)
