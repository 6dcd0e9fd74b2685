"""dissect.ntfs with limits: a damaged volume cannot make it loop or use unlimited memory.

Version 3.16 lists a compressed hole of any length cluster by cluster, reads clusters again for each run that names
them, and follows the attribute lists of records that an attribute list names. So records are checked before dissect
parses them; indexes are parsed in `index`. Sources of the limits: linux-ntfs documentation, and what Windows makes.
"""

from __future__ import annotations

import struct
import sys
from array import array
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING, Any

from dissect.ntfs import NTFS
from dissect.ntfs.attr import AttributeHeader
from dissect.ntfs.mft import Mft, MftRecord

from vmrescue.errors import in_volume
from vmrescue.readers.ntfs.content import content_of, odd
from vmrescue.readers.ntfs.layout import OEM_NAME
from vmrescue.readers.stream import DeviceStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.device import BlockDevice

ATTRIBUTE_LIST, END = 0x20, 0xFFFFFFFF
LONGEST_LIST = 256 << 10  # most bytes of an attribute list, in Windows too
LIST_ENTRY = 24  # bytes of the shortest entry of an attribute list
UPCASE_RECORD, UPCASE_SIZE = 10, 0x20000  # $UpCase is always file record 10

_HEAD = struct.Struct("<IIB")  # an attribute's type, length, whether it is non-resident
_LENGTH = struct.Struct("<H")
BOOT_SECTOR = "NTFS boot sector"
SECTORS = (512, 1024, 2048, 4096)  # bytes
LARGEST_CLUSTER, LARGEST_RECORD = 2 << 20, 65536  # bytes
MOST_CLUSTERS = (1 << 32) - 1  # the limit in Windows
# OEM name, bytes of a sector, sectors of a cluster, sectors, $MFT, $MFTMirr (clusters), size of a file record
_BOOT = struct.Struct("<3x8sHB26xQQQb")


class _Nothing:
    """Replaces the security and change journal streams, which dissect would otherwise search for at once."""

    size = 0


def _clusters(device: BlockDevice) -> int:
    """The number of a volume's clusters. Raises FormatError if its boot sector's fields are not possible."""
    if device.size < _BOOT.size:
        raise in_volume(BOOT_SECTOR, None, f"a volume of {_BOOT.size} bytes or more", device.size)
    name, sector, per_cluster, sectors, table, mirror, record = _BOOT.unpack(device.read_at(0, _BOOT.size))
    if name != OEM_NAME:
        raise in_volume(BOOT_SECTOR, 3, "the name 'NTFS'", name)
    if sector not in SECTORS:
        raise in_volume(BOOT_SECTOR, 0x0B, f"sectors of {SECTORS} bytes", sector)
    cluster = sector * (per_cluster if per_cluster <= 0x80 else 1 << min(256 - per_cluster, 32))
    if cluster.bit_count() != 1 or cluster > LARGEST_CLUSTER:
        raise in_volume(BOOT_SECTOR, 0x0D, f"clusters of at most {LARGEST_CLUSTER} bytes", cluster)
    clusters: int = sectors * sector // cluster
    if not 0 < clusters <= MOST_CLUSTERS or sectors * sector > device.size:
        raise in_volume(BOOT_SECTOR, 0x28, f"a volume within its {device.size} bytes", sectors * sector)
    for at, place in ((0x30, table), (0x38, mirror)):
        if place >= clusters:
            raise in_volume(BOOT_SECTOR, at, f"a cluster below {clusters}", place)
    size = record * cluster if record > 0 else 1 << min(-record, 32)
    if size.bit_count() != 1 or not _BOOT.size < size <= LARGEST_RECORD:
        raise in_volume(BOOT_SECTOR, 0x40, f"file records of at most {LARGEST_RECORD} bytes", size)
    return clusters


class BoundedNtfs(NTFS):  # type: ignore[misc]  # dissect.ntfs has no types
    """dissect's reader, for a volume whose geometry was checked.

    Raises:
        FormatError: a field of the boot sector or of a record of $MFT is not possible.
    """

    def __init__(self, device: BlockDevice) -> None:
        self.clusters = _clusters(device)
        super().__init__(DeviceStream(device), sds=_Nothing(), usnjrnl=_Nothing())

    @property
    def geometry(self) -> dict[str, int | None]:
        """The geometry according to dissect, without the size of index blocks, which is wrong in version 3.16."""
        sector = self.boot_sector
        return {
            "sector size": self.sector_size,
            "cluster size": self.cluster_size,
            "number of clusters": sector.NumberSectors * self.sector_size // self.cluster_size,
            "first cluster of $MFT": sector.MftStartLcn,
            "first cluster of $MFTMirr": sector.Mft2StartLcn,
            "size of a file record": self._record_size,
        }

    @property
    def record_size(self) -> int:
        """Bytes of a file record."""
        return int(self._record_size)

    @cached_property
    def _upper_cases(self) -> array[int]:
        """$UpCase: the upper case of each UTF-16 unit, by which the volume sorts names."""
        table = array("H", content_of(self.mft.get(UPCASE_RECORD)).read(UPCASE_SIZE).ljust(UPCASE_SIZE, b"\0"))
        if sys.byteorder == "big":
            table.byteswap()
        return table

    def sort_key(self, name: str) -> list[int]:
        """The name's sort key, in which case does not matter."""
        if name.isascii():
            return list(map(ord, name.upper()))
        units = memoryview(name.encode("utf-16-le", "surrogatepass")).cast("B")
        return [self._upper_cases[low | high << 8] for low, high in zip(units[::2], units[1::2], strict=True)]

    @property
    def mft(self) -> Any:
        return self._mft

    @mft.setter
    def mft(self, table: Mft | None) -> None:
        """Replaces dissect's table, which would not check records, by `BoundedMft`."""
        self._mft = table if table is None else BoundedMft(table.fh, self)


class BoundedMft(Mft):  # type: ignore[misc]
    """The file table; records are checked before their attributes are read."""

    def get(self, ref: Any, root: MftRecord | None = None) -> MftRecord:
        record = super().get(ref, root)
        check_record(record)
        return record

    def __call__(self, ref: Any, *arguments: Any, **named: Any) -> MftRecord:
        """dissect calls this for the records in an attribute list. They must not have attribute lists themselves."""
        record = self.get(ref, *arguments, **named)
        if any(kind == ATTRIBUTE_LIST for kind, _ in attributes_of(record)):
            raise odd(record, "no attribute list in a record that one names", "one")
        return record


def attributes_of(record: MftRecord) -> Iterator[tuple[int, int]]:
    """Each attribute, up to the first that is not valid: (type, offset in the record)."""
    data = record.data
    offset = record.header.FirstAttributeOffset
    while offset + _HEAD.size <= len(data):
        kind, length, _ = _HEAD.unpack_from(data, offset)
        if kind == END or length < _HEAD.size:
            return
        yield kind, offset
        offset += length


def check_record(record: MftRecord) -> None:
    """Raises FormatError if dissect would not finish parsing the record's attributes."""
    for kind, offset in attributes_of(record):
        if kind == ATTRIBUTE_LIST:
            _check_list(record, AttributeHeader(BytesIO(record.data), offset, record))


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
