"""The value of an attribute as an array of bytes, resident or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import FormatError, UnsupportedError, in_volume
from vmrescue.ntfs.cluster_stream import ClusterStream
from vmrescue.ntfs.structures.attribute import Storage
from vmrescue.ntfs.structures.run_list import RunList

if TYPE_CHECKING:
    from vmrescue.image.pending_writes import PendingWrites
    from vmrescue.ntfs.structures.attribute import Attribute
    from vmrescue.ntfs.structures.boot_sector import BootSector

METHOD_MASK = 0x00FF  # bits of an attribute's flags: the compression method


class Stream:
    """Reads an attribute, given by its extents, and writes it in place."""

    def __init__(self, pending: PendingWrites, boot: BootSector, extents: list[Attribute]) -> None:
        self.attribute = extents[0]
        self.size = self.attribute.size
        self.initialized = self.size
        self._limit = boot.volume_size
        self._clusters: ClusterStream | None = None
        if self.attribute.non_resident:
            self._clusters = ClusterStream(pending, runs_of(extents, boot), boot.cluster_size)
            self.initialized = self.attribute.initialized_size
            _check_sizes(self.attribute, self._clusters.size)

    @property
    def clusters(self) -> ClusterStream:
        """The clusters of the value, which must not be resident."""
        if self._clusters is None:
            raise in_volume("attribute", self.attribute.position + 8, "a value in clusters", "one in the record")
        return self._clusters

    def read_at(self, offset: int, length: int) -> bytes:
        """Bytes of the value. Beyond its initialized size they are zeros.

        Raises:
            FormatError: the range is not inside the value's size.
            UnsupportedError: the value is compressed or encrypted.
        """
        if offset < 0 or offset + length > self.size:
            raise FormatError("attribute value", offset, f"{length} bytes inside its {self.size}", offset + length)
        if self._clusters is None:
            return self.attribute.value[offset : offset + length]
        self._check_plain()
        there = max(0, min(length, self.initialized - offset))
        return self._clusters.read_at(offset, there).ljust(length, b"\0") if there else bytes(length)

    def prefetch(self, offset: int, length: int) -> None:
        """Announces bytes of the value: see `device.Far`."""
        if self._clusters is not None:
            self._clusters.prefetch(offset, length)

    def read_all(self) -> bytes:
        """The whole value, of metadata: FormatError if it is larger than the volume. Raises as `read_at` does."""
        if self.size > self._limit:
            raise in_volume("attribute", self.attribute.position, f"at most {self._limit} bytes", self.size)
        return self.read_at(0, self.size)

    def write_at(self, offset: int, data: bytes) -> None:
        """Changes metadata inside the value's size. Only during an edit, because the initialized size may grow."""
        if offset < 0 or offset + len(data) > self.size:
            raise FormatError(
                "attribute value", offset, f"{len(data)} bytes inside its {self.size}", offset + len(data)
            )
        if self._clusters is None:
            value = bytearray(self.attribute.value)
            value[offset : offset + len(data)] = data
            self.attribute.value = bytes(value)
            return
        if offset + len(data) > self.initialized:
            self._clusters.write_at(self.initialized, bytes(max(0, offset - self.initialized)))
            self.initialized = self.attribute.initialized_size = offset + len(data)
        self._clusters.write_at(offset, data)

    def _check_plain(self) -> None:
        if self.attribute.flags & Storage.ENCRYPTED:
            raise UnsupportedError("the file is encrypted (EFS): its content cannot be read")
        if self.attribute.flags & METHOD_MASK:
            raise UnsupportedError("the file is compressed: its content is not read here")


def runs_of(extents: list[Attribute], boot: BootSector) -> RunList:
    """The clusters of a non-resident attribute, from all its extents in their order."""
    runs = RunList()
    for extent in extents:
        if not extent.non_resident or extent.lowest_vcn != runs.clusters:
            expected = f"an extent from cluster {runs.clusters} of the file on"
            raise in_volume("attribute", extent.position, expected, extent.lowest_vcn)
        for run in extent.runs(boot.cluster_count):
            runs.append(run.lcn, run.length)
    runs.check_stored(extents[0].position if extents else 0)
    return runs


def _check_sizes(attribute: Attribute, stored: int) -> None:
    packed = attribute.flags & METHOD_MASK
    sizes = (attribute.initialized_size, attribute.data_size, attribute.data_size if packed else stored)
    if sorted(sizes) != list(sizes):
        expected = f"initialized and real size within the {stored} bytes of its clusters"
        raise in_volume("attribute", attribute.position + 0x30, expected, sizes[:2])
