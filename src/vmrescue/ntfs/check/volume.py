"""The check of a volume. Reads each record, each run and each index once, however damaged the volume is.

Some copies of facts are not kept up to date by Windows itself and are not checked: times in names, and sizes in the
names of NTFS's own files and of files with several names. Memory: one bit for each used cluster, four bytes for each
file record.
"""

from __future__ import annotations

from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING

from vmrescue.errors import VmRescueError
from vmrescue.notes import Note
from vmrescue.ntfs.bitmap import bit_parts
from vmrescue.ntfs.check.index import check_index
from vmrescue.ntfs.data import METHOD_MASK, Stream
from vmrescue.ntfs.directory import Directory
from vmrescue.ntfs.edit.deletion import stored_attributes
from vmrescue.ntfs.edit.naming import is_system
from vmrescue.ntfs.edit.views import object_id_key, open_view, reparse_key
from vmrescue.ntfs.index import FILE_NAMES, Index
from vmrescue.ntfs.info import allocated_size
from vmrescue.ntfs.plain_record import read_plain
from vmrescue.ntfs.store import File
from vmrescue.ntfs.structures.attribute import Kind, Storage
from vmrescue.ntfs.structures.file_name import HEADER, Space, file_names
from vmrescue.ntfs.structures.record import NUMBER_MASK
from vmrescue.ntfs.structures.system_files import MFT, RESERVED
from vmrescue.paged import BITS, PagedBits, PagedNumbers
from vmrescue.progress import work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from vmrescue.ntfs.bitmap import Piece
    from vmrescue.ntfs.index import IndexEntry
    from vmrescue.ntfs.plain_record import PlainRecord
    from vmrescue.ntfs.store import FileStore
    from vmrescue.ntfs.structures.file_name import FileName
    from vmrescue.ntfs.structures.record import FileRecord

USED_AT = 0x18  # field of a file record: how many of its bytes are used
CHUNK = 4096  # bytes of $MFT's bitmap that are read at once
RECORDS_AT_ONCE, CHUNKS_KEPT = 64, 64  # of $MFT: who goes through a folder asks for neighbours
PLAIN_KEPT = 4096  # records, as `plain_record` reads them
PARENT, SIZES, NAME, SPACE_AT = slice(0, 8), slice(0x28, 0x38), 0x40, 0x41  # of a $FILE_NAME
RESERVED_BITS = sum(1 << number for number in RESERVED)


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
        self._chunks: dict[int, bytes] = {}  # of $MFT, by the number of their first record
        self._plain: dict[int, PlainRecord | None] = {}
        self._owned = PagedBits()
        self._claimed = 0  # number of clusters of all attributes so far
        self._named = PagedNumbers("H")  # base record -> number of names in its file's records
        self._entered = PagedNumbers("H")  # base record -> number of directory entries that lead to it
        self._views = [
            _View(store, "$ObjId", "$O", Kind.OBJECT_ID, object_id_key),
            _View(store, "$Reparse", "$R", Kind.REPARSE_POINT, reparse_key),
        ]

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
            for first, marks, count in bit_parts(bitmap, numbers.start, numbers.stop, CHUNK):
                for number in range(first, first + count):
                    with self.reporting():
                        self._check_record(number, bool(marks >> number - first & 1))
                self.reached(first + count)
            done = numbers.stop
        self._check_unwritten(bitmap, done, self._store.mft.count)

    def _check_unwritten(self, bitmap: Stream, first: int, end: int) -> None:
        """Checks that no record in a never-written part of the image is marked as in use."""
        for start, marks, _ in bit_parts(bitmap, first, end):
            if marks & ~(RESERVED_BITS >> start):
                said = f"file records from {start} on are free, but marked as in use"
                self.problems.append(Note(said))

    def _read_plain(self, number: int) -> PlainRecord | None:
        """A record if it is plain. Records that were read last are kept."""
        if number in self._plain:
            return self._plain[number]
        size, first = self._store.boot.record_size, number - number % RECORDS_AT_ONCE
        chunk = self._chunks.get(first)
        if chunk is None:
            chunk = self._store.mft.raw(range(first, min(first + RECORDS_AT_ONCE, self._store.mft.count)))
            if len(self._chunks) >= CHUNKS_KEPT:
                del self._chunks[next(iter(self._chunks))]
            self._chunks[first] = chunk
        at = (number - first) * size
        found = read_plain(chunk[at : at + size], number, self._store.boot.cluster_count)
        if len(self._plain) >= PLAIN_KEPT:
            del self._plain[next(iter(self._plain))]
        self._plain[number] = found
        return found

    def _is_right(self, record: PlainRecord) -> bool:
        """Checks a plain record of a file with nothing but data, and takes its clusters. False for any other."""
        size = self._store.boot.cluster_size
        if not record.is_ordinary or record.is_directory or record.links != len(record.names):
            return False
        for found in record.stored:
            if not found.initialized <= found.size <= found.allocated == found.clusters * size:
                return False
            ordered = sorted(found.pieces)
            if any(sum(piece) > following for piece, (following, _) in pairwise(ordered)):
                return False
        number = record.reference & NUMBER_MASK
        self._named[number] = len(record.names)
        for found in record.stored:
            self._take(f"file record {number}", found.pieces)
        return True

    def _check_record(self, number: int, marked: bool) -> None:
        if marked and (plain := self._read_plain(number)) and self._is_right(plain):
            return
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
                apart = self._claim(file, file.value(extents)) and apart
        for view in self._views:
            with self.reporting():
                view.check(file, self.problems)
        for root in file.attributes(Kind.INDEX_ROOT) if apart else ():
            with self.reporting():
                self._check_index(file, root.name)

    def _check_links(self, file: File) -> None:
        names = file_names(file)
        self._named[file.number] = len(names)
        if file.base.links != len(names):
            said = f"{file.base.links} names, and has {len(names)}"
            self.problems.append(f"{file.base.title} says that it has {said}")

    # -- clusters

    def _claim(self, file: File, stream: Stream) -> bool:
        """Records the clusters of an attribute as owned. False if another attribute owns one of them."""
        attribute, runs = stream.attribute, stream.clusters.runs
        size = self._store.boot.cluster_size
        if attribute.allocated_size != runs.clusters * size:
            said = f"{attribute.allocated_size} bytes of clusters, and has {runs.clusters * size}"
            self.problems.append(f"an attribute of {file.base.title} says that it has {said}")
        packed = attribute.flags & (METHOD_MASK | Storage.SPARSE)
        if packed and attribute.compressed_size != sum(run.length for run in runs.stored) * size:
            self.problems.append(f"a packed attribute of {file.base.title} gives a wrong size on disk")
        return self._take(file.base.title, [(run.lcn, run.length) for run in runs.stored])

    def _take(self, title: str, pieces: Sequence[Piece]) -> bool:
        """Records clusters as owned. False if another attribute owns one of them."""
        if self._claimed > self._store.boot.cluster_count:
            return False  # clusters are shared, which was reported; ends a check that could go on for ever
        self._claimed += sum(length for _, length in pieces)
        shared = _Clusters()
        for lcn, length in pieces:
            for first, bits in self._owned.set(lcn, length):
                shared.add(first, bits)
        if shared.count:
            said = f"{shared.count} clusters of {title} belong to another file too, the first is {shared.first}"
            self.problems.append(said)
        return not shared.count

    def clusters(self) -> None:
        lost, unmarked = _Clusters(), _Clusters()
        for first, bits, _ in self._store.clusters.parts(0, self._store.boot.cluster_count, BITS // 8):
            owned = self._owned.page(first)
            if bits != owned:
                lost.add(first, bits & ~owned)
                unmarked.add(first, owned & ~bits)
        if lost.count:
            said = f"{lost.count} clusters are in use and belong to no file, the first is {lost.first}"
            self.problems.append(Note(said))
        if unmarked.count:
            said = f"{unmarked.count} clusters belong to files and are marked as free, the first is {unmarked.first}"
            self.problems.append(said)

    # -- names

    def _check_index(self, file: File, name: str) -> None:
        index = Index(file, name)
        for entry in check_index(index, self.problems):
            if name == FILE_NAMES:
                with self.reporting():
                    if not self._is_plain_entry(file.reference, entry):
                        self._check_entry(Directory(file), entry)

    def _is_plain_entry(self, directory: int, entry: IndexEntry) -> bool:
        """Checks an entry of a directory against a plain record. False where they differ, or the record is not plain.

        `directory`: its reference.
        """
        number, key = entry.reference & NUMBER_MASK, entry.key
        record = self._read_plain(number) if number < self._store.mft.count else None
        if record is None or record.reference != entry.reference or len(key) < HEADER + 2 * key[NAME]:
            return False
        if int.from_bytes(key[PARENT], "little") != directory:
            return False
        name = key[NAME : HEADER + 2 * key[NAME]]
        if not any(other[PARENT] == key[PARENT] and other[NAME : NAME + len(name)] == name for other in record.names):
            return False
        if sum(other[SPACE_AT] != Space.DOS for other in record.names) == 1:
            sizes = record.allocated.to_bytes(8, "little") + record.size.to_bytes(8, "little")
            if key[SIZES] != sizes:
                return False
        self._entered[number] = min(self._entered[number] + 1, 0xFFFF)
        return True

    def _check_entry(self, directory: Directory, entry: IndexEntry) -> None:
        named = directory.named(entry)
        where = f"{named.name.name!r} in the directory of record {directory.file.number}"
        file = self._store.referenced(named.reference)
        self._entered[file.number] = min(self._entered[file.number] + 1, 0xFFFF)
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
        for number, named in self._named.items():
            if named > (entered := self._entered[number]):
                self.problems.append(f"file record {number} has {named} names, and {entered} entries in directories")

    # -- the system's indexes

    def views(self) -> None:
        for view in self._views:
            with self.reporting():
                view.check_count(self.problems)


class _View:
    """The check of one of the system's indexes: it has every file with the attribute, and no others."""

    def __init__(self, store: FileStore, file_name: str, name: str, kind: Kind, key: Callable[[File], bytes]) -> None:
        self._title = file_name
        self._kind = kind
        self._key = key
        self._index = open_view(store, file_name, name)
        self._count = 0

    def check(self, file: File, problems: list[str]) -> None:
        """Checks that a file is in the index if it has the attribute."""
        if file.find(self._kind) is None:
            return
        self._count += 1
        if self._index is None or self._index.find(self._index.collation.key(self._key(file))) is None:
            problems.append(Note(f"{file.base.title} is missing in {self._title}"))

    def check_count(self, problems: list[str]) -> None:
        found = sum(1 for _ in self._index.entries()) if self._index else 0
        if found > self._count:
            said = f"{self._title} has {found} entries, for {self._count} files"
            problems.append(Note(said))


class _Clusters:
    """A number of clusters, and the first of them."""

    def __init__(self) -> None:
        self.count = 0
        self.first = 0

    def add(self, first: int, bits: int) -> None:
        if bits and not self.count:
            self.first = first + (bits & -bits).bit_length() - 1
        self.count += bits.bit_count()


def _same_name(entry: FileName, name: FileName, directory: Directory) -> bool:
    return name.parent == directory.file.reference == entry.parent and (entry.name, entry.space) == (
        name.name,
        name.space,
    )
