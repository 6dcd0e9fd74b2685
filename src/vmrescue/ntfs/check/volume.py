"""The check of a volume. Reads each record, each run and each index once, however damaged the volume is.

Plain records and sound directories, as nearly all are, are read in large pieces and directly from their bytes
(`plain_record`, `plain_directory`). All others go through the objects, which tell what is wrong. First all records are
read, then all indexes.

Some copies of facts are not kept up to date by Windows itself and are not checked: times in names, and sizes in the
names of NTFS's own files and of files with several names. Memory: one bit for each used cluster, 8 bytes for each file
record and for each name and directory.
"""

from __future__ import annotations

from array import array
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from vmrescue.errors import VmRescueError
from vmrescue.notes import Note
from vmrescue.ntfs.bitmap import bit_parts
from vmrescue.ntfs.check.clusters import OwnedClusters, are_apart
from vmrescue.ntfs.check.index import check_index
from vmrescue.ntfs.check.names import Names
from vmrescue.ntfs.check.plain_directory import PlainDirectories
from vmrescue.ntfs.check.views import views_of
from vmrescue.ntfs.directory import Directory
from vmrescue.ntfs.edit.deletion import stored_attributes
from vmrescue.ntfs.edit.naming import is_system
from vmrescue.ntfs.index import FILE_NAMES, Index, IndexEntry
from vmrescue.ntfs.info import allocated_size
from vmrescue.ntfs.plain_record import read_plain_records
from vmrescue.ntfs.store import File
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.ntfs.structures.file_name import Space, file_names
from vmrescue.ntfs.structures.record import NUMBER_MASK
from vmrescue.ntfs.structures.system_files import MFT, RESERVED
from vmrescue.progress import work
from vmrescue.units import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vmrescue.ntfs.bitmap import Piece
    from vmrescue.ntfs.data import Stream
    from vmrescue.ntfs.plain_record import PlainRecord
    from vmrescue.ntfs.store import FileStore
    from vmrescue.ntfs.structures.file_name import FileName
    from vmrescue.ntfs.structures.record import FileRecord

USED_AT = 0x18  # field of a file record: how many of its bytes are used
SPAN = 64  # records that are read at once where directories are near each other
RESERVED_BITS = sum(1 << number for number in RESERVED)
# attributes of which more is to be checked than a plain record tells
_SPECIAL = sum(1 << (kind >> 4) for kind in (Kind.OBJECT_ID, Kind.REPARSE_POINT))
_ROOT = 1 << (Kind.INDEX_ROOT >> 4)


def check_volume(store: FileStore) -> list[str]:
    """What is wrong with the volume, in sentences; a `Note` does not stop an edit."""
    checker = _Checker(store)
    with work("checking the volume's file records", store.mft.count, "record") as now:
        checker.reached = now.reach
        for step in (
            checker.boot_copy,
            checker.mirror,
            checker.records,
            checker.clusters,
            checker.indexes,
            checker.names,
            checker.views,
        ):
            with checker.reporting():
                step()
    return checker.problems


class _Checker:
    def __init__(self, store: FileStore) -> None:
        self.problems: list[str] = []
        self.reached: Callable[[int], None] = lambda number: None  # called with the number of records checked so far
        self._store = store
        self._clusters = OwnedClusters(store.boot, self.problems)
        self._names = Names()
        self._indexed = array("Q")  # records with indexes, of which no clusters belong to another file too
        self._views = views_of(store)

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """Turns the error of a structure that cannot be read into a problem; the check goes on."""
        try:
            yield
        except VmRescueError as error:
            self.problems.append(str(error))

    # -- copies

    def boot_copy(self) -> None:
        boot, device = self._store.boot, self._store.device
        if device.size < boot.volume_size + boot.sector_size:
            return  # the device ends with the volume, so it has no sector for the copy
        if device.read_at(0, boot.sector_size) != device.read_at(boot.volume_size, boot.sector_size):
            self.problems.append(Note("the copy of the boot sector behind the volume differs from it"))

    def mirror(self) -> None:
        copies, size = self._store.mft.mirror()
        table = self._store.file(MFT).stream(Kind.DATA)
        record_size = self._store.boot.record_size
        for start in range(0, min(size, table.size), record_size):
            record, copy = table.read_at(start, record_size), copies.read_at(start, record_size)
            if record == copy:
                continue
            said = f"file record {start // record_size} differs from its copy in $MFTMirr"
            used = min(int.from_bytes(record[USED_AT : USED_AT + 4], "little"), record_size)
            differ = record[:used] != copy[:used]
            self.problems.append(said if differ else Note(f"{said}, behind what it uses"))

    # -- records

    def records(self) -> None:
        bitmap = self._store.file(MFT).stream(Kind.BITMAP)
        done = 0
        for numbers in self._store.mft.written():
            self._check_unwritten(bitmap, done, numbers.start)
            self._check_chunk(numbers, bitmap)
            self.reached(numbers.stop)
            done = numbers.stop
        self._check_unwritten(bitmap, done, self._store.mft.count)

    def _check_unwritten(self, bitmap: Stream, first: int, end: int) -> None:
        """Checks that no record in a never-written part of the image is marked as in use."""
        for start, marks, _ in bit_parts(bitmap, first, end):
            if marks & ~(RESERVED_BITS >> start):
                said = f"file records from {start} on are free, but marked as in use"
                self.problems.append(Note(said))

    def _check_chunk(self, numbers: range, bitmap: Stream) -> None:
        """Checks neighbouring records: the plain ones together, up to one that is not."""
        boot = self._store.boot
        marked: set[int] = set()
        for start, marks, count in bit_parts(bitmap, numbers.start, numbers.stop):
            marked.update(start + at for at, mark in enumerate(f"{marks:0{count}b}"[::-1]) if mark == "1")
        raw = self._raw(numbers)
        records, found = read_plain_records(raw, numbers.start, boot.record_size, boot.cluster_count)
        batch = _Batch()
        for number, plain in found:
            if plain is None or number not in marked or not self._is_right(plain):
                self._take(batch, records)
                batch = _Batch()
                with self.reporting():
                    self._check_record(number, number in marked)
            else:
                batch.add(plain)
        self._take(batch, records)
        for number in sorted(marked.difference(number for number, _ in found)) if raw else numbers:
            with self.reporting():
                self._check_record(number, number in marked)

    def _raw(self, numbers: range) -> bytes:
        """The bytes of records; none where they cannot be read, which is told for each record by itself."""
        try:
            return self._store.mft.raw(numbers)
        except VmRescueError:
            return b""

    def _is_right(self, record: PlainRecord) -> bool:
        """Whether nothing is wrong with a plain record by itself, and all of it is checked that way."""
        if record.kinds & _SPECIAL or record.links != len(record.names):
            return False
        size = self._store.boot.cluster_size
        for found in record.stored:
            if not found.initialized <= found.size <= found.allocated == found.clusters * size:
                return False
            if not are_apart(found.pieces):
                return False
        return True

    def _take(self, batch: _Batch, records: bytes) -> None:
        """Takes the clusters and names of right records; looks at each by itself if a cluster has two owners."""
        if not self._clusters.take_if_free(batch.pieces):
            for record in batch.records:
                with self.reporting():
                    self._check_record(record.reference & NUMBER_MASK, True)
            return
        for record in batch.records:
            self._names.add(record, records)
            if record.kinds & _ROOT:
                self._indexed.append(record.reference & NUMBER_MASK)

    def _check_record(self, number: int, marked: bool) -> None:
        record = self._store.mft.used(number)
        if record is None:
            if marked and number not in RESERVED:
                self.problems.append(Note(f"file record {number} is free, but marked as in use"))
            return
        if not marked:
            self.problems.append(f"file record {number} is in use, but marked as free")
        kinds = [attribute.kind for attribute in record.attributes]
        if kinds != sorted(kinds):
            self.problems.append(f"the attributes of {record.title} are not in order")
        if record.base:
            self._check_extension(record)
        else:
            self._check_file(File(self._store, record))

    def _check_extension(self, record: FileRecord) -> None:
        base = self._store.file(record.base & NUMBER_MASK)
        if base.reference != record.base or all(line.record != record.number for line in base.lines):
            self.problems.append(f"{record.title} extends record {base.number}, which does not know it")

    def _check_file(self, file: File) -> None:
        self._check_links(file)
        apart = True
        for extents in stored_attributes(file):
            with self.reporting():
                apart = self._clusters.claim(file.base.title, file.value(extents)) and apart
        for view in self._views:
            with self.reporting():
                view.check(file, self.problems)
        if apart and file.attributes(Kind.INDEX_ROOT):
            self._indexed.append(file.number)

    def _check_links(self, file: File) -> None:
        names = file_names(file)
        self._names.count_names(file.number, len(names))
        if file.base.links != len(names):
            said = f"{file.base.links} names, and has {len(names)}"
            self.problems.append(f"{file.base.title} says that it has {said}")

    def clusters(self) -> None:
        self._clusters.compare(self._store.clusters)

    # -- indexes

    def indexes(self) -> None:
        directories = PlainDirectories(self._store, self._names)
        boot = self._store.boot
        for numbers in _near(self._indexed):
            span = range(numbers[0], numbers[-1] + 1)
            records, found = read_plain_records(self._raw(span), span.start, boot.record_size, boot.cluster_count)
            plain = dict(found)
            for number in numbers:
                with self.reporting():
                    record = plain.get(number)
                    parts = partial(directories.of_file, number)
                    if record and self._is_right(record):
                        parts = partial(directories.of_record, record, records)
                    result = directories.check(parts)
                    if result is None:
                        self._check_indexes(number)
                    elif result.others:
                        directory = Directory(self._store.file(number))
                        for body, below in result.others:
                            self._check_entry(directory, IndexEntry(body, below))

    def _check_indexes(self, number: int) -> None:
        file = self._store.file(number)
        for root in file.attributes(Kind.INDEX_ROOT):
            with self.reporting():
                index = Index(file, root.name)
                directory = Directory(file) if root.name == FILE_NAMES else None
                for entry in check_index(index, self.problems):
                    if directory:
                        self._check_entry(directory, entry)

    def _check_entry(self, directory: Directory, entry: IndexEntry) -> None:
        with self.reporting():
            named = directory.named(entry)
            where = f"{named.name.name!r} in the directory of record {directory.file.number}"
            file = self._store.referenced(named.reference)
            self._names.count_entry(file.number)
            names = file_names(file)
            if not any(_same_name(named.name, other, directory) for other in names):
                self.problems.append(f"{where} leads to record {file.number}, which has no such name")
            elif sum(other.space != Space.DOS for other in names) == 1:
                self._check_sizes(file, named.name, where)

    def _check_sizes(self, file: File, name: FileName, where: str) -> None:
        data = None if file.is_directory else file.find(Kind.DATA)
        size = data.size if data else 0
        if (name.size, name.allocated_size) != (size, allocated_size(file)) and not is_system(file):
            found = f"{name.size} and {name.allocated_size} bytes"
            said = f"{where} says {found}, its record {size} and {allocated_size(file)}"
            self.problems.append(Note(said))

    def names(self) -> None:
        """Checks that every name in a record has an entry in a directory."""
        for number, named, entered in self._names.without_entries():
            self.problems.append(
                f"file record {number} has {named} names, and {counted(entered, 'entry')} in directories"
            )

    def views(self) -> None:
        for view in self._views:
            with self.reporting():
                view.check_count(self.problems)


class _Batch:
    """Right records that follow each other, and the clusters that they own."""

    def __init__(self) -> None:
        self.records: list[PlainRecord] = []
        self.pieces: list[Piece] = []

    def add(self, record: PlainRecord) -> None:
        self.records.append(record)
        for found in record.stored:
            self.pieces += found.pieces


def _near(numbers: Iterable[int]) -> Iterator[list[int]]:
    """Ascending numbers in groups of neighbours, each at most `SPAN` wide."""
    group: list[int] = []
    for number in numbers:
        if group and number >= group[0] + SPAN:
            yield group
            group = []
        group.append(number)
    if group:
        yield group


def _same_name(entry: FileName, name: FileName, directory: Directory) -> bool:
    return name.parent == directory.file.reference == entry.parent and (entry.name, entry.space) == (
        name.name,
        name.space,
    )
