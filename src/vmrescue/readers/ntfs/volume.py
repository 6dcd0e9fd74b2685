"""dissect.ntfs within bounds: what a volume says of itself makes it neither loop nor take memory without end.

Version 3.16 follows a child of an index node wherever it leads, also back; goes through an index allocation by steps
that may be 0 and to a size that may be anything; unfolds a compressed hole of any length cluster by cluster; reads
clusters again for each run that names them; and follows the attribute lists of the records that an attribute list
names. So records are looked at before it takes them apart, and indexes are walked here. Sources of the limits:
linux-ntfs documentation; what Windows itself makes.
"""

from __future__ import annotations

import struct
import sys
from array import array
from bisect import bisect_left
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING, Any

from dissect.ntfs import NTFS
from dissect.ntfs.attr import AttributeHeader
from dissect.ntfs.c_ntfs import ATTRIBUTE_TYPE_CODE
from dissect.ntfs.mft import Mft, MftRecord

from vmrescue.errors import FormatError, UsageError
from vmrescue.readers.file_system import ambiguous
from vmrescue.readers.ntfs.content import check_extents, content_of, odd
from vmrescue.readers.stream import DeviceStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dissect.ntfs.index import Index

    from vmrescue.device import BlockDevice

ATTRIBUTE_LIST, END = 0x20, 0xFFFFFFFF
LONGEST_LIST = 256 << 10  # bytes of an attribute list: Windows' own limit
LIST_ENTRY = 24  # bytes of the shortest
INDEX_BLOCKS = (512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)  # bytes
MOST_BLOCKS = 1 << 18  # of an index: some four million names
SHORTEST_ENTRY = 16  # bytes of an index entry without a key
MOST_LOOKED_INTO = 64  # index nodes for one name: Windows' trees have four levels, and few names fit in any case
NODES_KEPT = 16  # of a directory's index, in memory
FILE_NAMES = "$I30"  # the index of a directory
DOS_NAME = 2  # a name's space: it is only the short form of another one
UPCASE_RECORD, UPCASE_SIZE = 10, 0x20000  # $UpCase is always file record 10
NAME_LENGTH_AT, NAME_SPACE_AT, NAME_AT = 0x40, 0x41, 0x42  # of $FILE_NAME
IN_USE = 1  # a record's flag

_HEAD = struct.Struct("<IIB")  # an attribute's type, length, whether its value lies elsewhere
_LENGTH = struct.Struct("<H")
BOOT_SECTOR = "NTFS boot sector"
SECTORS = (512, 1024, 2048, 4096)  # bytes
LARGEST_CLUSTER, LARGEST_RECORD = 2 << 20, 65536  # bytes
MOST_CLUSTERS = (1 << 32) - 1  # Windows' own limit
# name, sector's bytes, cluster's sectors, sectors, $MFT, $MFTMirr (clusters), file record's size
_BOOT = struct.Struct("<3x8sHB26xQQQb")


class _Nothing:
    """In place of the security and change journal streams, for which dissect would search the volume at once."""

    size = 0


def _clusters(device: BlockDevice) -> int:
    """How many clusters a volume has. Raises FormatError where its boot sector has numbers of no volume."""
    if device.size < _BOOT.size:
        raise FormatError(BOOT_SECTOR, None, f"a volume of {_BOOT.size} bytes or more", device.size)
    name, sector, per_cluster, sectors, table, mirror, record = _BOOT.unpack(device.read_at(0, _BOOT.size))
    if name != b"NTFS    ":
        raise FormatError(BOOT_SECTOR, 3, "the name 'NTFS'", name)
    if sector not in SECTORS:
        raise FormatError(BOOT_SECTOR, 0x0B, f"sectors of {SECTORS} bytes", sector)
    cluster = sector * (per_cluster if per_cluster <= 0x80 else 1 << min(256 - per_cluster, 32))
    if cluster.bit_count() != 1 or cluster > LARGEST_CLUSTER:
        raise FormatError(BOOT_SECTOR, 0x0D, f"clusters of at most {LARGEST_CLUSTER} bytes", cluster)
    clusters: int = sectors * sector // cluster
    if not 0 < clusters <= MOST_CLUSTERS or sectors * sector > device.size:
        raise FormatError(BOOT_SECTOR, 0x28, f"a volume within its {device.size} bytes", sectors * sector)
    for at, place in ((0x30, table), (0x38, mirror)):
        if place >= clusters:
            raise FormatError(BOOT_SECTOR, at, f"a cluster below {clusters}", place)
    size = record * cluster if record > 0 else 1 << min(-record, 32)
    if size.bit_count() != 1 or not _BOOT.size < size <= LARGEST_RECORD:
        raise FormatError(BOOT_SECTOR, 0x40, f"file records of at most {LARGEST_RECORD} bytes", size)
    return clusters


class BoundedNtfs(NTFS):  # type: ignore[misc]  # dissect.ntfs has no types
    """dissect's reader of a volume whose geometry is sane.

    Raises:
        FormatError: the boot sector or a record of $MFT asks for what no volume has.
    """

    def __init__(self, device: BlockDevice) -> None:
        self.clusters = _clusters(device)
        super().__init__(DeviceStream(device), sds=_Nothing(), usnjrnl=_Nothing())

    @property
    def geometry(self) -> dict[str, int | None]:
        """What the volume is to dissect; its size of index blocks is wrong in version 3.16, and not used here."""
        sector = self.boot_sector
        return {
            "sector size": self.sector_size,
            "cluster size": self.cluster_size,
            "number of clusters": sector.NumberSectors * self.sector_size // self.cluster_size,
            "first cluster of $MFT": sector.MftStartLcn,
            "first cluster of $MFTMirr": sector.Mft2StartLcn,
            "size of a file record": self._record_size,
        }

    @cached_property
    def _upper_cases(self) -> array[int]:
        """$UpCase: the upper case of each UTF-16 unit, by which this volume sorts its names."""
        table = array("H", content_of(self.mft.get(UPCASE_RECORD)).read(UPCASE_SIZE).ljust(UPCASE_SIZE, b"\0"))
        if sys.byteorder == "big":
            table.byteswap()
        return table

    def sort_key(self, name: str) -> list[int]:
        """What sorts as the name does where its case does not matter."""
        if name.isascii():
            return list(map(ord, name.upper()))
        units = memoryview(name.encode("utf-16-le", "surrogatepass")).cast("B")
        return [self._upper_cases[low | high << 8] for low, high in zip(units[::2], units[1::2], strict=True)]

    @property
    def mft(self) -> Any:
        return self._mft

    @mft.setter
    def mft(self, table: Mft | None) -> None:
        """dissect makes a table that would look at no record before it takes it apart."""
        self._mft = table if table is None else BoundedMft(table.fh, self)


class BoundedMft(Mft):  # type: ignore[misc]
    """The file table, whose records are looked at before their attributes are read."""

    def get(self, ref: Any, root: MftRecord | None = None) -> MftRecord:
        record = super().get(ref, root)
        check_record(record)
        return record

    def __call__(self, ref: Any, *arguments: Any, **named: Any) -> MftRecord:
        """Used for the records that an attribute list names: they have none themselves."""
        record = self.get(ref, *arguments, **named)
        if any(kind == ATTRIBUTE_LIST for kind, _ in attributes_of(record)):
            raise odd(record, "no attribute list in a record that one names", "one")
        return record


def attributes_of(record: MftRecord) -> Iterator[tuple[int, int]]:
    """(type, offset in the record) of each attribute, as far as they are sound."""
    data = record.data
    offset = record.header.FirstAttributeOffset
    while offset + _HEAD.size <= len(data):
        kind, length, _ = _HEAD.unpack_from(data, offset)
        if kind == END or length < _HEAD.size:
            return
        yield kind, offset
        offset += length


def check_record(record: MftRecord) -> None:
    """Raises FormatError where dissect would take a record's attributes apart without end."""
    for kind, offset in attributes_of(record):
        if kind == ATTRIBUTE_LIST:
            _check_list(record, AttributeHeader(BytesIO(record.data), offset, record))


def _index_of(directory: MftRecord) -> Index:
    check_extents(directory, FILE_NAMES, ATTRIBUTE_TYPE_CODE.INDEX_ALLOCATION)
    return directory.index(FILE_NAMES)


def _check_list(record: MftRecord, header: Any) -> None:
    if header.size > LONGEST_LIST:
        raise odd(record, f"an attribute list of at most {LONGEST_LIST} bytes", header.size)
    data = header.open().read()
    offset = 0
    while offset + LIST_ENTRY <= len(data):
        length = _LENGTH.unpack_from(data, offset + 4)[0]
        if not length:
            return
        if length < LIST_ENTRY:
            raise odd(record, f"entries of at least {LIST_ENTRY} bytes in its list", length)
        offset += length


def names_in(directory: MftRecord) -> Iterator[Any]:
    """The index entries of a directory, one for each name that is more than the short form of another."""
    for entry in _entries(_index_of(directory)):
        if entry.key[NAME_SPACE_AT] != DOS_NAME:
            yield entry


def name_of(entry: Any) -> str:
    """The name in an entry of a directory. It may hold half a pair of surrogates, which dissect does not decode."""
    key = entry.key
    if len(key) < NAME_AT or len(key) < NAME_AT + 2 * key[NAME_LENGTH_AT]:
        raise odd(
            entry.index.record,
            "index entries with a name",
            f"{len(key)} bytes",
        )
    return str(key[NAME_AT : NAME_AT + 2 * key[NAME_LENGTH_AT]].decode("utf-16-le", "surrogatepass"))


def target_of(entry: Any) -> MftRecord:
    """The record that an entry of a directory leads to. Raises FormatError where that is another file's by now."""
    record, wanted = entry.dereference(), entry.header.FileReference.SequenceNumber
    if not record.header.Flags & IN_USE or record.header.SequenceNumber != wanted:
        raise odd(
            record,
            f"the file with sequence number {wanted}",
            record.header.SequenceNumber,
        )
    return record


def long_name(entry: Any) -> str:
    """The name of a directory's entry, or the long one that it is the short form of."""
    if entry.key[NAME_SPACE_AT] == DOS_NAME:
        for found in entry.dereference().attributes[ATTRIBUTE_TYPE_CODE.FILE_NAME]:
            key = found.header.open().read()
            if key[NAME_SPACE_AT] == 1 and key[:8] == entry.key[:8]:  # of Windows, in the same directory
                return str(key[NAME_AT : NAME_AT + 2 * key[NAME_LENGTH_AT]].decode("utf-16-le", "surrogatepass"))
    return name_of(entry)


class Names:
    """The names in a directory, looked up one after the other.

    Who goes through a folder asks for neighbours: the nodes of its index that were looked into last are kept.
    """

    def __init__(self, directory: MftRecord) -> None:
        self._index = _index_of(directory)
        self._kept: dict[int | None, list[Any]] = {}  # nodes, the last one that was asked for at the end

    def find(self, name: str) -> Any | None:
        """The index entry of a name; None where the directory has none.

        The exact spelling wins. Without it any case of letters fits: names that differ only in case stand beside each
        other where a POSIX program made them, and in folders that Windows was told to take case for real.

        Raises:
            UsageError: several fit, of different files.
        """
        found = list(self._fitting(None, self._index.record.ntfs.sort_key(name), []))
        for entry in found:
            if name_of(entry) == name:
                return entry
        if len({bytes(entry.header.FileReference.dumps()) for entry in found}) > 1:
            raise UsageError(ambiguous(name, map(name_of, found)))
        return found[0] if found else None

    def _fitting(self, vcn: int | None, wanted: list[int], way: list[int]) -> Iterator[Any]:
        """The entries in a node (None: the root) and below it whose names differ from one in case at most.

        `way` gathers the nodes that were looked into, each of which is there once.
        """
        index, node = self._index, self._node(vcn)

        def sort_key(entry: Any) -> list[int]:
            return list(index.record.ntfs.sort_key(name_of(entry)))

        for entry in node[bisect_left(node, wanted, hi=len(node) - node[-1].is_end, key=sort_key) :]:
            if entry.is_node:
                yield from self._fitting(self._below(entry.node_vcn, way), wanted, way)
            if entry.is_end or sort_key(entry) != wanted:
                return
            yield entry

    def _below(self, vcn: int, way: list[int]) -> int:
        if not _block_size(self._index):
            raise odd(self._index.record, "blocks for the nodes of its index", "none")
        if vcn in way or len(way) >= MOST_LOOKED_INTO:
            expected = f"at most {MOST_LOOKED_INTO} nodes of its index for a name, each once"
            raise odd(self._index.record, expected, f"VCN {vcn} again" if vcn in way else "more")
        way.append(vcn)
        return vcn

    def _node(self, vcn: int | None) -> list[Any]:
        """A node's entries."""
        index = self._index
        node = self._kept.pop(vcn, None)
        if node is None:
            node = list(_sound(index, (index.root if vcn is None else index.index_buffer(vcn)).entries()))
            if not node:
                raise odd(index.record, "an entry in each node of its index", "none")
            if len(self._kept) >= NODES_KEPT:
                del self._kept[next(iter(self._kept))]
        self._kept[vcn] = node
        return node


def _entries(index: Any) -> Iterator[Any]:
    """Every entry with a key: of the root, then of all blocks in use, in their order in the file.

    A block that is not in use still holds the names that were in it last, of files that are gone or elsewhere.
    """
    size = _block_size(index)
    yield from (entry for entry in _sound(index, index.root.entries()) if not entry.is_end)
    if not size:
        return
    step = max(size >> index._vcn_size_shift, 1)
    in_use = content_of(index.record, index.name, ATTRIBUTE_TYPE_CODE.BITMAP).read(MOST_BLOCKS // 8)
    for number in range(min(index._index_stream.size // size, 8 * len(in_use))):
        block = _block(index, number * step) if in_use[number // 8] >> number % 8 & 1 else None
        if block is not None:
            yield from (entry for entry in _sound(index, block.entries()) if not entry.is_end)


def _block(index: Any, vcn: int) -> Any | None:
    """An index block; None where there is none that is sound."""
    from dissect.ntfs.exceptions import Error

    try:
        return index.index_buffer(vcn)
    except (Error, EOFError):
        return None


def _block_size(index: Any) -> int:
    """Bytes of an index block; 0 where the index has none. Raises FormatError."""
    stream, record = index._index_stream, index.record
    if not stream:
        return 0
    size = index.root.bytes_per_index_buffer
    if size not in INDEX_BLOCKS:
        raise odd(
            record,
            f"index blocks of {INDEX_BLOCKS[0]} to {INDEX_BLOCKS[-1]} bytes",
            size,
        )
    if stream.size > size * MOST_BLOCKS:
        raise odd(record, f"an index of at most {MOST_BLOCKS} blocks", f"{stream.size} bytes")
    return int(size)


def _sound(index: Any, entries: Iterator[Any]) -> Iterator[Any]:
    """A node's entries, of which each takes room: dissect goes on by the length that an entry gives itself."""
    for entry in entries:
        if entry.length < SHORTEST_ENTRY:
            raise odd(
                index.record,
                f"index entries of at least {SHORTEST_ENTRY} bytes",
                entry.length,
            )
        yield entry
