"""dissect.fat with limits, and with corrections for the faults of its version 3.13, which are:

- It decides the kind of FAT by the number of clusters alone, so it takes a small FAT32 volume for FAT16. Windows, Linux
  and our editor decide by the boot sector's fields.
- It reads the first copy of the table, though a FAT32 volume without mirroring may use another.
- It ignores the bits of an entry that mark a short name as lower case, and gives a long name to any entry after it.
- It does not end a chain that loops or leads to a cluster with a reserved number, and it builds a wrong run if a chain
  goes back by one cluster.
- It limits neither a directory's size nor the number of parts of a long name.

It neither counts free clusters nor reads FSInfo.
"""

from __future__ import annotations

import sys
from array import array
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dissect.fat import FATFS
from dissect.fat.c_fat import Fattype, c_fat
from dissect.fat.fat import FAT, RootDirectory
from dissect.util.stream import RangeStream

from vmrescue.errors import in_volume
from vmrescue.readers.fat.layout import (
    CLEAN,
    ENTRY,
    FIRST_END,
    LONG_NAME,
    LOWER_BASE,
    LOWER_EXTENSION,
    MOUNTED_OR_BAD,
    NOTED,
    checksum_of,
    noted_in,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

SLOT = 32  # bytes of a directory's entry, or of a part of a long name
LARGEST_DIRECTORY = 65536 * SLOT  # fatgen103: the most slots of a directory
LONGEST_NAME = 20  # most parts, of 13 characters each: the limit is 255 characters
OLD_END = 0xFF0  # also ends a chain on FAT12; MS-DOS 1 wrote it
NOT_MIRRORED, ACTIVE = 0x80, 0x0F  # FAT32's table flags: not mirrored; the number of the only table in use
BITS = {Fattype.FAT12: 12, Fattype.FAT16: 16, Fattype.FAT32: 32}


class BoundedFatFs(FATFS):  # type: ignore[misc]  # dissect.fat has no types
    """dissect's reader, for a volume whose boot sector was checked.

    Attributes:
        bits: bits of a table's entry: 12, 16 or 32.
        table_offset: where the table that is read begins, in bytes from the volume's start.
    """

    type: Fattype

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(stream)
        active = 0
        if self.bpb.BPB_FATSz16 == 0:
            self._be_fat32(stream)
            flags = self.bpb_ext.BPB_ExtFlags
            active = flags & ACTIVE if flags & NOT_MIRRORED else 0
        self.bits = BITS[self.type]
        self.table_offset = (self.bpb.BPB_RsvdSecCnt + active * self.fat_size) * self.sector_size
        table = RangeStream(stream, self.table_offset, self.fat_size * self.sector_size)
        self.fat = BoundedFat(table, self.type, self.table_offset)
        self.clusters: int = self.data_stream.size // self.cluster_size
        self._check_geometry(stream.size)  # type: ignore[attr-defined]  # dissect's streams have one

    def _check_geometry(self, size: int) -> None:
        """Raises FormatError if what the boot sector describes does not fit into `size` bytes."""
        if self.total_sectors * self.sector_size > size or self.clusters < 1:
            raise in_volume("FAT boot sector", 32, f"a volume within its {size} bytes", self.total_sectors)
        if self.fat_size * self.sector_size * 8 // self.bits < self.clusters + 2:
            raise in_volume("FAT boot sector", 22, f"tables that hold {self.clusters} clusters", self.fat_size)

    @property
    def geometry(self) -> dict[str, int | None]:
        """The volume's geometry according to dissect, after our corrections; positions and sizes in bytes."""
        return {
            "bits of a table's entry": self.bits,
            "sector size": self.sector_size,
            "cluster size": self.cluster_size,
            "number of clusters": self.clusters,
            "place of the table": self.table_offset,
            "size of the table": self.fat.fh.size,
            "place of the first cluster": self.first_data_sector * self.sector_size,
            "entries of the root directory": self.bpb.BPB_RootEntCnt,
            "first cluster of the root directory": self.root.cluster,
        }

    @cached_property
    def free_clusters(self) -> int:
        """The number of free clusters: from FSInfo if the volume was dismounted cleanly, else counted in the table."""
        noted = self._noted_free_clusters() if self._is_clean() else None
        return self._count_free() if noted is None or noted > self.clusters else noted

    def _is_clean(self) -> bool:
        first = self._entries(2)[1] if self.bits > 12 else 0
        wanted = CLEAN.get(self.bits, 0)
        return first & wanted == wanted and not self.bpb_ext.BS_Reserved1 & MOUNTED_OR_BAD

    def _noted_free_clusters(self) -> int | None:
        """The number of free clusters in FSInfo; None if there is no such sector or its signatures are wrong."""
        if self.bits < 32 or not 0 < self.bpb_ext.BPB_FSInfo < self.bpb.BPB_RsvdSecCnt:
            return None
        self.fh.seek(self.bpb_ext.BPB_FSInfo * self.sector_size)
        return noted_in(self.fh.read(NOTED.size))

    def _count_free(self) -> int:
        entries = self._entries(self.clusters + 2)[2:]
        return sum(not entry & ENTRY for entry in entries) if self.bits == 32 else entries.count(0)

    def _entries(self, count: int) -> array[int]:
        """The first `count` entries of the table in use."""
        self.fat.fh.seek(0)
        data = self.fat.fh.read(-(-count * self.bits // 8))
        if self.bits == 12:
            pairs = (int.from_bytes(data[at : at + 3], "little") for at in range(0, len(data), 3))
            return array("H", [half for pair in pairs for half in (pair & 0xFFF, pair >> 12)][:count])
        found = array("H" if self.bits == 16 else "I", data)
        if sys.byteorder == "big":
            found.byteswap()
        return found

    def _be_fat32(self, stream: BinaryIO) -> None:
        if self.type == Fattype.FAT32:
            return
        stream.seek(len(c_fat.Bpb))
        self.type, self.bpb_ext = Fattype.FAT32, c_fat.Bpb32(stream)
        self.volume_label = bytes(self.bpb_ext.BS_VolLab).strip(b" ").decode(self.encoding)
        self.volume_id = f"{self.bpb_ext.BS_VolID:x}"
        self.root = RootDirectory(self)


class BoundedFat(FAT):  # type: ignore[misc]  # dissect.fat has no types
    """dissect's allocation table, with chains that always end. `place`: its position on the volume, in bytes."""

    def __init__(self, table: BinaryIO, kind: Fattype, place: int) -> None:
        super().__init__(table, kind)
        self._start = place

    def _place(self, cluster: int) -> int:
        """Where a cluster's entry begins, in bytes from the volume's start."""
        return int(self._start + cluster * self.bits_per_entry // 8)

    def chain(self, cluster: int) -> Iterator[int]:
        """The clusters of a chain. Loops are found by Brent's method, which needs no memory."""
        mark, steps, limit = -1, 0, 1
        while True:
            if cluster == mark:
                raise in_volume("FAT cluster chain", self._place(cluster), "an end", "a loop")
            if steps == limit:
                mark, steps, limit = cluster, 0, limit * 2
            steps += 1
            value = self.get(cluster)
            yield cluster
            if value >= FIRST_END[self.bits_per_entry] or (value == OLD_END and self.bits_per_entry == 12):
                return
            if not 2 <= value < self.entry_count:
                raise in_volume("FAT cluster chain", self._place(cluster), "another cluster, or an end", value)
            cluster = value

    def runlist(self, cluster: int) -> Iterator[tuple[int, int]]:
        """The runs of a chain: (first cluster, number of clusters), counted from the volume's first data cluster."""
        start = length = 0
        for each in self.chain(cluster):
            if length and each - 2 == start + length:
                length += 1
                continue
            if length:
                yield start, length
            start, length = each - 2, 1
        if length:
            yield start, length


def entries_of(directory: Any) -> Iterator[Any]:
    """The entries of a directory, after a check that dissect will reach its end."""
    size = directory.size
    if size > LARGEST_DIRECTORY:
        raise in_volume("FAT directory", None, f"at most {LARGEST_DIRECTORY} bytes", size)
    slots = directory.open().read()
    parts = 0
    for at in range(0, len(slots) - SLOT + 1, SLOT):
        if not slots[at] and not parts:
            break
        parts = parts + 1 if slots[at + 11] == LONG_NAME else 0
        if parts > LONGEST_NAME:
            raise in_volume("FAT directory", None, f"a name of at most {LONGEST_NAME} parts", "more")
    yield from directory.iterdir()


def name_of(entry: Any) -> str:
    """An entry's name as Windows shows it: the long name if it belongs to the entry, else the short one in its case."""
    if entry.ldirents and all(part.LDIR_Chksum == checksum_of(bytes(entry.dirent.DIR_Name)) for part in entry.ldirents):
        return str(entry.name)
    base, dot, extension = str(entry.short_name).partition(".")
    case = entry.dirent.DIR_NTRes
    return (
        (base.lower() if case & LOWER_BASE else base)
        + dot
        + (extension.lower() if case & LOWER_EXTENSION else extension)
    )
