"""Finds the file records that may have clusters in a part of the volume, directly from their bytes, to be fast.

An edit in place asks this of all records, because no other file may have the clusters that it writes to. A record is
passed over whose attributes are all plainly in the record itself, or in clusters elsewhere: it is walked by the lengths
of its attributes, as `record.FileRecord` does, and what is odd in any way counts as one that may reach. So none is
passed over that the objects would find there. Sources: those of `structures`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.ntfs.plain_record import IN_CLUSTERS_AT
from vmrescue.ntfs.structures.attribute import NON_RESIDENT_HEADER, RESIDENT_HEADER
from vmrescue.ntfs.structures.record import END, END_SIZE

if TYPE_CHECKING:
    from vmrescue.ntfs.bitmap import Piece

FIRST_AT = 0x14  # of a record: where its first attribute is
PAIRS_AT = 0x20  # of an attribute in clusters: where its mapping pairs are
HEAD = IN_CLUSTERS_AT + 1  # bytes of an attribute's header that tell its length, and that its value follows
LENGTHS_KEPT = 1 << 12  # by these bytes: few differ
AT_ITS_END, MAY_REACH = 0, -1
_END = END.to_bytes(4, "little")


class Reaching:
    """The file records of a volume that may have clusters in a part of it.

    Args:
        size: bytes of a record.
        part: the first cluster of the part, and how many there are.
    """

    def __init__(self, size: int, part: Piece) -> None:
        self._size = size
        self._low, self._high = part[0], sum(part)
        self._lengths: dict[bytes, int] = {}  # of attributes in their record

    def passes_over(self, records: bytes, start: int) -> bool:
        """Whether the record in use at `start`, with its fix-ups undone, surely does not reach there."""
        known = self._lengths
        at = start + records[start + FIRST_AT] + (records[start + FIRST_AT + 1] << 8)
        end = start + self._size - END_SIZE
        while at <= end:
            length = known.get(records[at : at + HEAD])
            if length is None:
                length = self._length(records, at, end)
            if length <= 0:
                return length == AT_ITS_END and not at % 8
            at += length
        return False

    def _length(self, records: bytes, at: int, end: int) -> int:
        """The length of the attribute at a place, if it does not reach to the part; `AT_ITS_END` for the end mark."""
        head = records[at : at + HEAD]
        length = AT_ITS_END if head[:4] == _END else int.from_bytes(head[4:8], "little")
        if length and (length % 8 or length < RESIDENT_HEADER or at + length > end):
            return MAY_REACH
        if length and head[IN_CLUSTERS_AT]:
            return MAY_REACH if self._reaches(records, at, length) else length
        if len(self._lengths) < LENGTHS_KEPT:
            self._lengths[head] = length
        return length

    def _reaches(self, records: bytes, start: int, length: int) -> bool:
        """Whether an attribute in clusters may have one of the part."""
        at = start + int.from_bytes(records[start + PAIRS_AT : start + PAIRS_AT + 2], "little")
        end = start + length
        if not start + NON_RESIDENT_HEADER <= at < end:
            return True
        lcn = 0
        while at < end and (sizes := records[at]):
            count_size, lcn_size = sizes & 15, sizes >> 4
            place = at + 1 + count_size
            at = place + lcn_size
            if count_size > 8 or lcn_size > 8 or at > end:
                return True
            if not lcn_size:
                continue  # a hole
            count = int.from_bytes(records[place - count_size : place], "little", signed=True)
            lcn += int.from_bytes(records[place:at], "little", signed=True)
            if count <= 0 or (lcn < self._high and lcn + count > self._low):
                return True
        return False
