"""dissect.ntfs within bounds: what a volume says of itself makes it neither loop nor take memory without end.

Version 3.16 follows a child of an index node wherever it leads, also back; goes through an index allocation by steps
that may be 0 and to a size that may be anything; unfolds a compressed hole of any length cluster by cluster; reads
clusters again for each run that names them; and follows the attribute lists of the records that an attribute list
names. So records are looked at before it takes them apart, and indexes are walked here. Sources of the limits:
linux-ntfs documentation; what Windows itself makes.
"""

from __future__ import annotations

import struct
from io import BytesIO
from typing import TYPE_CHECKING, Any

from dissect.ntfs import NTFS
from dissect.ntfs.attr import AttributeHeader
from dissect.ntfs.c_ntfs import ATTRIBUTE_TYPE_CODE
from dissect.ntfs.index import Index, Match, _bsearch, _cmp_filename
from dissect.ntfs.mft import Mft, MftRecord

from vmrescue.errors import FormatError
from vmrescue.ntfs.boot_sector import read_boot_sector
from vmrescue.ntfs.run_list import must_be_apart
from vmrescue.windows.stream import DeviceStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.disk.device import BlockDevice

ATTRIBUTE_LIST, END = 0x20, 0xFFFFFFFF
COMPRESSED = 0x00FF  # among an attribute's flags: its method
COMPRESSION_UNITS = (0, 4)  # the powers of two of clusters that Windows compresses together
LONGEST_LIST = 256 << 10  # bytes of an attribute list: Windows' own limit
LIST_ENTRY = 24  # bytes of the shortest
INDEX_BLOCKS = (512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)  # bytes
MOST_BLOCKS = 1 << 18  # of an index: some four million names
MOST_COMPRESSED = 1 << 24  # clusters of a compressed stream, which dissect unfolds one by one; 64 GiB as a rule
SHORTEST_ENTRY = 16  # bytes of an index entry without a key
DEEPEST = 32  # index nodes below each other; Windows' trees have four levels at most
FILE_NAMES = "$I30"  # the index of a directory
DOS_NAME = 2  # a name's space: it is only the short form of another one

_HEAD = struct.Struct("<IIB")  # an attribute's type, length, whether its value lies elsewhere
_LENGTH = struct.Struct("<H")


class _Nothing:
    """In place of the security and change journal streams, for which dissect would search the volume at once."""

    size = 0


class BoundedNtfs(NTFS):  # type: ignore[misc]  # dissect.ntfs has no types
    """dissect's reader of a volume whose geometry is sane.

    Raises:
        FormatError: the boot sector or a record of $MFT asks for what no volume has.
    """

    def __init__(self, device: BlockDevice) -> None:
        self.clusters = read_boot_sector(device).cluster_count
        super().__init__(DeviceStream(device), sds=_Nothing(), usnjrnl=_Nothing())

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
            raise FormatError(_title(record), 0, "no attribute list in a record that one names", "one")
        return record


def _title(record: MftRecord) -> str:
    return f"NTFS file record {record.segment}"


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


def content_of(record: MftRecord) -> Any:
    """A file's content, as a stream."""
    _check_clusters(record, "", ATTRIBUTE_TYPE_CODE.DATA)
    return record.open()


def _index_of(directory: MftRecord) -> Index:
    _check_clusters(directory, FILE_NAMES, ATTRIBUTE_TYPE_CODE.INDEX_ALLOCATION)
    return directory.index(FILE_NAMES)


def _check_clusters(record: MftRecord, name: str, kind: Any) -> None:
    """Raises FormatError where a stream stores a cluster twice, or is compressed and said to be longer than any."""
    extents = [extent for extent in record.attributes.find(name, kind) if not extent.resident]
    runs = [run for extent in extents for run in extent.dataruns()]
    must_be_apart(((lcn, count) for lcn, count in runs if lcn is not None), 0)
    for extent in extents:
        if extent.header.flags & COMPRESSED and extent.header.compression_unit not in COMPRESSION_UNITS:
            expected = f"a compression unit of {COMPRESSION_UNITS}"
            raise FormatError(_title(record), 0, expected, extent.header.compression_unit)
    clusters = sum(max(count, 0) for _, count in runs)
    if clusters > MOST_COMPRESSED and any(extent.header.flags & COMPRESSED for extent in extents):
        raise FormatError(_title(record), 0, f"at most {MOST_COMPRESSED} compressed clusters", clusters)


def _check_list(record: MftRecord, header: Any) -> None:
    if header.size > LONGEST_LIST:
        raise FormatError(_title(record), 0, f"an attribute list of at most {LONGEST_LIST} bytes", header.size)
    data = header.open().read()
    offset = 0
    while offset + LIST_ENTRY <= len(data):
        length = _LENGTH.unpack_from(data, offset + 4)[0]
        if not length:
            return
        if length < LIST_ENTRY:
            raise FormatError(_title(record), 0, f"entries of at least {LIST_ENTRY} bytes in its list", length)
        offset += length


def names_in(directory: MftRecord) -> Iterator[Any]:
    """The index entries of a directory, one for each name that is more than the short form of another."""
    for entry in _entries(_index_of(directory)):
        if entry.attribute.flags != DOS_NAME:
            yield entry


def find_name(directory: MftRecord, name: str) -> Any | None:
    """The index entry of a name, in any case of letters; None where the directory has none."""
    index = _index_of(directory)
    size = _block_size(index)
    wanted = name.upper()
    node = list(_sound(index, index.root.entries()))
    for _ in range(DEEPEST):
        if not node:
            raise FormatError(_title(directory), 0, "an entry in each node of its index", "none")
        entry = _bsearch(node, wanted, _cmp_filename)
        if not entry.is_end and _cmp_filename(entry, wanted) == Match.Equal:
            return entry
        if not entry.is_node:
            return None
        if not size:
            raise FormatError(_title(directory), 0, "blocks for the nodes of its index", "none")
        node = list(_sound(index, index.index_buffer(entry.node_vcn).entries()))
    raise FormatError(_title(directory), 0, f"index nodes at most {DEEPEST} levels deep", "more")


def _entries(index: Any) -> Iterator[Any]:
    """Every entry with a key: of the root, then of all blocks in their order in the file."""
    size = _block_size(index)
    yield from (entry for entry in _sound(index, index.root.entries()) if not entry.is_end)
    step = max(size >> index._vcn_size_shift, 1) if size else 1
    for number in range(index._index_stream.size // size if size else 0):
        block = _block(index, number * step)
        if block is not None:
            yield from (entry for entry in _sound(index, block.entries()) if not entry.is_end)


def _block(index: Any, vcn: int) -> Any | None:
    """An index block; None where there is none that is sound: blocks that are not in use hold anything."""
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
        raise FormatError(_title(record), 0, f"index blocks of {INDEX_BLOCKS[0]} to {INDEX_BLOCKS[-1]} bytes", size)
    if stream.size > size * MOST_BLOCKS:
        raise FormatError(_title(record), 0, f"an index of at most {MOST_BLOCKS} blocks", f"{stream.size} bytes")
    return int(size)


def _sound(index: Any, entries: Iterator[Any]) -> Iterator[Any]:
    """A node's entries, of which each takes room: dissect goes on by the length that an entry gives itself."""
    for entry in entries:
        if entry.length < SHORTEST_ENTRY:
            title = _title(index.record)
            raise FormatError(title, 0, f"index entries of at least {SHORTEST_ENTRY} bytes", entry.length)
        yield entry
