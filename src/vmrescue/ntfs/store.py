"""A volume's files, and what they share: geometry, pending writes, file table, free clusters, upper-case table.

`File` and `FileStore` refer to each other, so both are in this module.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from vmrescue.errors import in_volume
from vmrescue.image.pending_writes import PendingWrites
from vmrescue.ntfs.bitmap import ClusterBitmap
from vmrescue.ntfs.data import Stream, runs_of
from vmrescue.ntfs.mft import FileTable
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.ntfs.structures.attribute_list import MAX_SIZE, ListEntry, read_list
from vmrescue.ntfs.structures.boot_sector import read_boot_sector
from vmrescue.ntfs.structures.record import NUMBER_MASK
from vmrescue.ntfs.structures.system_files import BITMAP, FIRST_USER, UPCASE
from vmrescue.ntfs.structures.upcase import UNITS, UpCase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.device import BlockDevice
    from vmrescue.ntfs.structures.attribute import Attribute
    from vmrescue.ntfs.structures.record import FileRecord, Reference
    from vmrescue.ntfs.structures.run_list import RunList


class FileStore:
    """The shared parts of a volume. Opening it reads only the boot sector and $MFT's own record."""

    def __init__(self, device: BlockDevice) -> None:
        self.device = device
        self.boot = read_boot_sector(device)
        self.pending = PendingWrites(device, self.boot.sector_size)
        self.mft = FileTable(self.pending, self.boot)
        self.next_record = FIRST_USER  # the search for a free record begins here
        self._files: dict[int, File] | None = None

    @cached_property
    def upcase(self) -> UpCase:
        stream = self.file(UPCASE).stream(Kind.DATA)
        if stream.size < 2 * UNITS:
            raise in_volume("$UpCase", stream.attribute.position, f"{2 * UNITS} bytes", stream.size)
        return UpCase(stream.read_at)

    @cached_property
    def clusters(self) -> ClusterBitmap:
        return ClusterBitmap(self.file(BITMAP).stream(Kind.DATA), self.boot, self.mft)

    @contextmanager
    def edit(self) -> Iterator[None]:
        """Writes what the body changed when it ends; nothing if it raises. Inside, files are shared objects."""
        self.mft.begin()
        self._files = {}
        try:
            yield
            self.mft.store()
            self.pending.commit()
        except BaseException:
            self.pending.drop()
            self.next_record = FIRST_USER
            self.mft.end()
            self.mft.load()
            raise
        finally:
            self._files = None
            self.mft.end()

    def file(self, number: int) -> File:
        """The file with this base record. During an edit always the same object.

        Raises:
            FormatError: the record is not in use, or belongs to another file.
        """
        if self._files is not None and number in self._files:
            return self._files[number]
        record = self.mft.record(number)
        if not record.in_use or record.base:
            raise in_volume(record.title, record.position + 0x16, "a file's base record, in use", record.flags)
        file = File(self, record)
        if self._files is not None:
            self._files[number] = file
        return file

    def referenced(self, reference: Reference) -> File:
        """The file with this reference. Raises FormatError if its record belongs to another file by now."""
        file = self.file(reference & NUMBER_MASK)
        if file.reference != reference:
            expected = f"sequence number {reference >> 48}"
            raise in_volume(file.base.title, file.base.position + 0x10, expected, file.base.sequence)
        return file


class File:
    """A file or directory: its base record, and its extension records, which are read when they are needed."""

    def __init__(self, store: FileStore, base: FileRecord) -> None:
        self.store = store
        self.base = base
        self.lines = self._read_list()  # the attribute list; empty if the base record has all attributes
        self._extensions: dict[int, FileRecord] = {}

    @property
    def number(self) -> int:
        return self.base.number

    @property
    def reference(self) -> Reference:
        return self.base.reference

    @property
    def is_directory(self) -> bool:
        return self.base.is_directory

    @property
    def lists(self) -> list[Attribute]:
        """The attribute list, as a list of one or none. No line of an attribute list names the list itself."""
        return [attribute for attribute in self.base.attributes if attribute.kind == Kind.ATTRIBUTE_LIST]

    def _read_list(self) -> list[ListEntry]:
        found = self.lists
        if not found:
            return []
        stream = self.value(found)
        if stream.size > MAX_SIZE:
            raise in_volume("attribute list", found[0].position, f"at most {MAX_SIZE} bytes", stream.size)
        return read_list(stream.read_all(), found[0].position)

    def record(self, number: int) -> FileRecord:
        """The base record or an extension record. Raises FormatError if the record is not this file's."""
        if number == self.number:
            return self.base
        if number not in self._extensions:
            record = self.store.mft.record(number)
            if not record.in_use or record.base != self.reference:
                expected = f"an extension of record {self.number}"
                raise in_volume(record.title, record.position + 0x20, expected, record.base & NUMBER_MASK)
            self._extensions[number] = record
        return self._extensions[number]

    def records(self) -> list[FileRecord]:
        """The base record, then all extension records."""
        for line in self.lines:
            self.record(line.record)
        return [self.base, *self._extensions.values()]

    def adopt(self, record: FileRecord) -> None:
        """Adds a new extension record."""
        self._extensions[record.number] = record

    def forget(self, record: FileRecord) -> None:
        """Removes an extension record."""
        del self._extensions[record.number]

    def holder(self, attribute: Attribute) -> FileRecord:
        """The record that has an attribute."""
        return next(record for record in self.records() if any(found is attribute for found in record.attributes))

    def relist(self) -> None:
        """Updates the lines of the attribute list from the records."""
        records = self.records()
        if len(records) == 1:
            self.lines = []
            return
        lines = [
            ListEntry(found.kind, found.name, found.first_vcn, record.reference, found.number)
            for record in records
            for found in record.attributes
            if found.kind != Kind.ATTRIBUTE_LIST
        ]
        lines.sort(key=lambda line: (line.kind, line.name.upper(), line.lowest_vcn))
        self.lines = lines

    def placed(self) -> Iterator[tuple[FileRecord, Attribute]]:
        """Each attribute, with its record."""
        if not self.lines:
            yield from ((self.base, attribute) for attribute in self.base.attributes)
        for line in self.lines:
            yield self._follow(line)

    def extents(self, kind: int, name: str = "") -> list[Attribute]:
        """The extents of an attribute in the order of their clusters; empty if the file has no such attribute."""
        if not self.lines:
            return [found for found in self.base.attributes if found.kind == kind and found.name == name]
        return [self._follow(line)[1] for line in self.lines if line.kind == kind and line.name == name]

    def find(self, kind: int, name: str = "") -> Attribute | None:
        """An attribute (its first extent); None if the file has no such attribute."""
        return next(iter(self.extents(kind, name)), None)

    def get(self, kind: int, name: str = "") -> Attribute:
        """An attribute (its first extent). Raises FormatError if the file has no such attribute."""
        found = self.find(kind, name)
        if found is None:
            expected = f"an attribute of type {kind:#x} named {name!r}"
            raise in_volume(self.base.title, self.base.position, expected, "none")
        return found

    def stream(self, kind: int, name: str = "") -> Stream:
        """The value of an attribute. Raises as `get`."""
        return self.value(self.extents(kind, name) or [self.get(kind, name)])

    def value(self, extents: list[Attribute]) -> Stream:
        """The value of an attribute, given all its extents."""
        return Stream(self.store.pending, self.store.boot, extents)

    def attributes(self, kind: int) -> list[Attribute]:
        """All attributes of a type, with any name."""
        return [attribute for _, attribute in self.placed() if attribute.kind == kind]

    def _follow(self, line: ListEntry) -> tuple[FileRecord, Attribute]:
        record = self.record(line.record)
        for attribute in record.attributes:
            if attribute.number == line.number and attribute.kind == line.kind:
                return record, attribute
        expected = f"attribute {line.number} of type {line.kind:#x}, which the list of record {self.number} names"
        raise in_volume(record.title, record.position, expected, "none")

    def runs(self, extents: list[Attribute]) -> RunList:
        """The clusters of a non-resident attribute."""
        return runs_of(extents, self.store.boot)
