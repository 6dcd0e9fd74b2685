"""Whether a FAT volume is sound. Follows every chain and reads every directory once, however damaged they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vmrescue.errors import FormatError
from vmrescue.fat.directory import DOT, DOT_DOT, VOLUME_LABEL, Directory, Record
from vmrescue.fat.info_sector import UNKNOWN, read_info
from vmrescue.fat.names import fold
from vmrescue.fat.table import FREE
from vmrescue.notes import Note
from vmrescue.paged import PagedNumbers
from vmrescue.printable import quoted
from vmrescue.progress import work
from vmrescue.units import counted

if TYPE_CHECKING:
    from vmrescue.fat.boot_sector import BootSector
    from vmrescue.fat.directory import FatEntry
    from vmrescue.fat.table import Table
    from vmrescue.image.pending_writes import PendingWrites

CHUNK = 1 << 16
BOOT_STATE = 0x41  # the only byte in which FAT32's two boot sectors may differ


class _Place(NamedTuple):
    """A directory still to be checked; `parent` is its parent's first cluster, 0 if that is the root."""

    path: str
    first_cluster: int
    parent: int


def check_volume(pending: PendingWrites, boot: BootSector, table: Table) -> list[str]:
    """What is wrong, in sentences: differing copies, chains, sizes, names, lost clusters, FSInfo.

    A `Note` does not stop an edit; any other problem does.
    """
    return _Checker(pending, boot, table).run()


def crossings(pending: PendingWrites, boot: BootSector, table: Table) -> dict[int, str]:
    """Where chains of different files meet: cluster -> sentence that names both. Reads all directories."""
    checker = _Checker(pending, boot, table)
    checker.tree()
    return checker.crossings


class _Checker:
    """One check of a volume. Memory: four bytes for each used cluster, and the path of each file."""

    def __init__(self, pending: PendingWrites, boot: BootSector, table: Table) -> None:
        self._pending = pending
        self._boot = boot
        self._table = table
        self._problems: list[str] = []
        self._paths = [""]  # index: owner number; owner 0 means none
        self._owners = PagedNumbers("I")  # index: cluster; value: owner number
        self.crossings: dict[int, str] = {}

    def run(self) -> list[str]:
        with work("checking a FAT volume"):
            self._check_copies()
            self._check_boot_sectors()
            self.tree()
            self._check_lost()
            self._check_info()
        return self._problems

    def _check_copies(self) -> None:
        first, *others = self._boot.table_offsets
        for number, other in enumerate(others, 2):
            for start in range(0, self._boot.table_size, CHUNK):
                length = min(CHUNK, self._boot.table_size - start)
                if self._pending.read_at(first + start, length) != self._pending.read_at(other + start, length):
                    said = f"copy {number} of the allocation table, at byte {other}, differs from the first"
                    self._problems.append(Note(said))
                    break

    def _check_boot_sectors(self) -> None:
        if self._table.get(0) & 0xFF != self._boot.media:
            said = f"{self._table.get(0) & 0xFF:02X}, not with the media byte {self._boot.media:02X}"
            self._problems.append(f"the allocation table begins with {said}")
        if self._boot.backup_offset is None:
            return
        primary, backup = (bytearray(self._pending.read_at(at, 512)) for at in (0, self._boot.backup_offset))
        primary[BOOT_STATE] = backup[BOOT_STATE] = 0
        if primary != backup:
            said = f"the backup boot sector at byte {self._boot.backup_offset} differs from the first"
            self._problems.append(Note(said))

    def tree(self) -> None:
        """Checks all chains that directories name, from the root down."""
        root = self._boot.root_cluster
        if root and self._claim("the root directory", root) is None:
            return
        places = [_Place("", root, 0)]
        while places:
            place = places.pop()
            try:
                directory = Directory(self._pending, self._boot, self._table, place.first_cluster)
            except FormatError as error:
                self._problems.append(f"the directory {quoted(place.path)} cannot be read: {error}")
                continue
            places += self._check_directory(place, directory)

    def _check_directory(self, place: _Place, directory: Directory) -> list[_Place]:
        """Checks one directory; returns its subdirectories that can be read."""
        if place.path:
            self._check_dots(place, directory)
        below = []
        seen: set[str] = set()
        for entry in directory.entries():
            path = f"{place.path}\\{entry.name}"
            if seen.intersection(keys := {fold(entry.name), fold(entry.short_name)}):
                self._problems.append(f"the name of {quoted(path)} is there twice")
            seen |= keys
            if self._check_entry(path, entry) and entry.is_directory:
                parent = 0 if place.first_cluster == self._boot.root_cluster else place.first_cluster
                below.append(_Place(path, entry.first_cluster, parent))
        self._check_long_names(place, directory)
        return below

    def _check_dots(self, place: _Place, directory: Directory) -> None:
        own, parent = Record.parse(directory.slot(0)), Record.parse(directory.slot(1))
        bits = self._boot.bits
        if own.short != DOT or own.first_cluster(bits) != place.first_cluster:
            self._problems.append(f"the directory {quoted(place.path)} does not begin with an entry that names itself")
        right = {place.parent} if place.parent else {0, self._boot.root_cluster}
        if parent.short != DOT_DOT or parent.first_cluster(bits) not in right:
            self._problems.append(f"the second entry of the directory {quoted(place.path)} does not name its parent")

    def _check_entry(self, path: str, entry: FatEntry) -> bool:
        """Checks a file's or directory's chain against its size. True if the chain is whole and shared with nobody."""
        size = entry.record.size
        if entry.is_directory and size:
            said = f"the directory {quoted(path)} has a size of {counted(size, 'byte')}; it must be 0"
            self._problems.append(Note(said))
        if entry.first_cluster == 0 and not entry.is_directory:
            if size:
                self._problems.append(f"{quoted(path)} has {counted(size, 'byte')} but no clusters")
            return not size
        found = self._claim(quoted(path), entry.first_cluster)
        needed = -(-size // self._boot.cluster_size)
        if found is not None and not entry.is_directory and found != needed:
            self._problems.append(
                f"{quoted(path)} has {counted(size, 'byte')}, which take {counted(needed, 'cluster')}, but has {found}"
            )
        return found is not None

    def _check_long_names(self, place: _Place, directory: Directory) -> None:
        in_use = sum(len(group) for group in directory.groups())
        owned = sum(entry.last_slot - entry.first_slot + 1 for entry in directory.all_entries())
        if in_use > owned:
            said = (
                f"the directory {quoted(place.path)} has {counted(in_use - owned, 'slot')} of long names without a file"
            )
            self._problems.append(Note(said))
        labels = sum(1 for entry in directory.all_entries() if entry.record.attributes & VOLUME_LABEL)
        if labels > (0 if place.path else 1):
            self._problems.append(Note(f"the directory {quoted(place.path)} has {labels} volume labels"))

    def _claim(self, what: str, first: int) -> int | None:
        """Makes `what` the owner of a chain. Returns its length in clusters; None if it is broken or owned already."""
        self._paths.append(what)
        owner = len(self._paths) - 1
        found = 0
        try:
            for start, count in self._table.runs(first):
                for cluster in range(start, start + count):
                    if other := self._owners[cluster]:
                        verb = "loops" if other == owner else f"runs into that of {self._paths[other]}"
                        problem = f"the chain of {what} {verb} at cluster {cluster}"
                        self._problems.append(problem)
                        if other != owner:
                            self.crossings[cluster] = problem
                        return None
                    self._owners[cluster] = owner
                found += count
        except FormatError as error:
            self._problems.append(f"the chain of {what} is broken: {error}")
            return None
        return found

    def _check_lost(self) -> None:
        """Notes clusters in use that belong to no file. A chain begins at a cluster that no other of them leads to."""
        led_to = set()
        lost = []
        for first, values in self._table.pages():
            if values.count(FREE) == len(values):
                continue
            for cluster, value in enumerate(values, first):
                if value != FREE and not self._owners[cluster] and not self._table.is_bad(value):
                    lost.append(cluster)
                    led_to.add(value)
        if lost:
            chains = max(1, sum(1 for cluster in lost if cluster not in led_to))
            much = f"{counted(len(lost), 'cluster')} in {counted(chains, 'chain')}"
            said = f"the allocation table has {much} that no file has, the first is {lost[0]}"
            self._problems.append(Note(said))

    def _check_info(self) -> None:
        if self._boot.info_offset is None:
            return
        info = read_info(self._pending, self._boot)
        if info is None:
            said = f"the FSInfo sector at byte {self._boot.info_offset} lacks its signatures"
            self._problems.append(Note(said))
            return
        if info.free_count not in (UNKNOWN, self._table.free_count):
            said = (
                f"FSInfo says that the number of free clusters is {info.free_count}, but it is {self._table.free_count}"
            )
            self._problems.append(Note(said))
        if info.next_free != UNKNOWN and not self._boot.is_cluster(info.next_free):
            said = f"FSInfo says that the next free cluster is {info.next_free}, which is none"
            self._problems.append(Note(said))
