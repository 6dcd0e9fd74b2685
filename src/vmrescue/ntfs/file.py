"""A file as its records describe it: the base record and the extension records that hold the rest of its attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import FormatError
from vmrescue.ntfs.data import Stream
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.ntfs.structures.attribute_list import MAX_SIZE, ListEntry, read_list
from vmrescue.ntfs.structures.record import NUMBER_MASK
from vmrescue.ntfs.structures.run_list import RunList

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.ntfs.store import Store
    from vmrescue.ntfs.structures.attribute import Attribute
    from vmrescue.ntfs.structures.record import FileRecord, Reference


class File:
    """A file or directory. Extension records are read when an attribute in them is asked for."""

    def __init__(self, store: Store, base: FileRecord) -> None:
        self.store = store
        self.base = base
        self.lines = self._read_list()  # of the attribute list; empty where the base record holds everything
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
        """The attribute list, where there is one: the one attribute that no line of it names."""
        return [attribute for attribute in self.base.attributes if attribute.kind == Kind.ATTRIBUTE_LIST]

    def _read_list(self) -> list[ListEntry]:
        found = self.lists
        if not found:
            return []
        stream = Stream(self, found)
        if stream.size > MAX_SIZE:
            raise FormatError("attribute list", found[0].position, f"at most {MAX_SIZE} bytes", stream.size)
        return read_list(stream.read_all(), found[0].position)

    def record(self, number: int) -> FileRecord:
        """The base record, or one of the extension records. Raises FormatError where that is not this file's."""
        if number == self.number:
            return self.base
        if number not in self._extensions:
            record = self.store.mft.record(number)
            if not record.in_use or record.base != self.reference:
                expected = f"an extension of record {self.number}"
                raise FormatError(record.title, record.position + 0x20, expected, record.base & NUMBER_MASK)
            self._extensions[number] = record
        return self._extensions[number]

    def records(self) -> list[FileRecord]:
        """The base record, then all extension records."""
        for line in self.lines:
            self.record(line.record)
        return [self.base, *self._extensions.values()]

    def adopt(self, record: FileRecord) -> None:
        """A new extension record."""
        self._extensions[record.number] = record

    def forget(self, record: FileRecord) -> None:
        """An extension record that is no longer this file's."""
        del self._extensions[record.number]

    def holder(self, attribute: Attribute) -> FileRecord:
        """The record that an attribute is in."""
        return next(record for record in self.records() if any(found is attribute for found in record.attributes))

    def relist(self) -> None:
        """Brings the lines of the attribute list up to date with the records."""
        records = self.records()
        if len(records) == 1:
            self.lines = []
            return
        lines = [
            ListEntry(
                found.kind, found.name, found.lowest_vcn if found.non_resident else 0, record.reference, found.number
            )
            for record in records
            for found in record.attributes
            if found.kind != Kind.ATTRIBUTE_LIST
        ]
        lines.sort(key=lambda line: (line.kind, line.name.upper(), line.lowest_vcn))
        self.lines = lines

    def placed(self) -> Iterator[tuple[FileRecord, Attribute]]:
        """Each attribute with the record that it is in."""
        if not self.lines:
            yield from ((self.base, attribute) for attribute in self.base.attributes)
        for line in self.lines:
            yield self._follow(line)

    def extents(self, kind: int, name: str = "") -> list[Attribute]:
        """The extents of an attribute in the order of their clusters; none where the file has no such attribute."""
        if not self.lines:
            return [found for found in self.base.attributes if found.kind == kind and found.name == name]
        return [self._follow(line)[1] for line in self.lines if line.kind == kind and line.name == name]

    def find(self, kind: int, name: str = "") -> Attribute | None:
        """An attribute; of one in several extents the first."""
        return next(iter(self.extents(kind, name)), None)

    def get(self, kind: int, name: str = "") -> Attribute:
        """An attribute that has to be there."""
        found = self.find(kind, name)
        if found is None:
            expected = f"an attribute of type {kind:#x} named {name!r}"
            raise FormatError(self.base.title, self.base.position, expected, "none")
        return found

    def stream(self, kind: int, name: str = "") -> Stream:
        """The value of an attribute that has to be there."""
        return Stream(self, self.extents(kind, name) or [self.get(kind, name)])

    def attributes(self, kind: int) -> list[Attribute]:
        """All attributes of a type, whatever their names."""
        return [attribute for _, attribute in self.placed() if attribute.kind == kind]

    def _follow(self, line: ListEntry) -> tuple[FileRecord, Attribute]:
        record = self.record(line.record)
        for attribute in record.attributes:
            if attribute.number == line.number and attribute.kind == line.kind:
                return record, attribute
        expected = f"attribute {line.number} of type {line.kind:#x}, which the list of record {self.number} names"
        raise FormatError(record.title, record.position, expected, "none")

    def runs(self, extents: list[Attribute]) -> RunList:
        """The clusters of an attribute that is not resident."""
        runs = RunList()
        for extent in extents:
            if not extent.non_resident or extent.lowest_vcn != runs.clusters:
                expected = f"an extent from cluster {runs.clusters} of the file on"
                raise FormatError("attribute", extent.position, expected, extent.lowest_vcn)
            for run in extent.runs(self.store.boot.cluster_count):
                runs.append(run.lcn, run.length)
        runs.check_stored(extents[0].position if extents else 0)
        return runs
