"""FAT32's FSInfo sector: the number of free clusters, and where to search for one. Both are only hints.

Source: Microsoft, fatgen103, "FAT32 FSInfo Sector Structure and Backup Boot Sector".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from construct import Bytes, Int32ul, Padding, Struct

if TYPE_CHECKING:
    from vmrescue.fat.boot_sector import BootSector
    from vmrescue.image.pending_writes import PendingWrites

LAYOUT = Struct(
    "lead" / Bytes(4),
    Padding(480),
    "signature" / Bytes(4),
    "free_count" / Int32ul,  # UNKNOWN if nobody counted
    "next_free" / Int32ul,
    Padding(12),
    "trail" / Bytes(4),
)
SIGNATURES = (b"RRaA", b"rrAa", b"\0\0\x55\xaa")
COUNTS_OFFSET = 488
UNKNOWN = 0xFFFFFFFF


class Info(NamedTuple):
    """The sector's two numbers."""

    free_count: int
    next_free: int


def read_info(pending: PendingWrites, boot: BootSector) -> Info | None:
    """The sector's numbers; None if there is no such sector or its signatures are wrong."""
    if boot.info_offset is None:
        return None
    fields = LAYOUT.parse(pending.read_at(boot.info_offset, LAYOUT.sizeof()))
    if (fields.lead, fields.signature, fields.trail) != SIGNATURES:
        return None
    return Info(fields.free_count, fields.next_free)


def write_info(pending: PendingWrites, boot: BootSector, info: Info) -> None:
    """Updates the two numbers; a sector with wrong signatures is left as it is."""
    if boot.info_offset is not None and read_info(pending, boot):
        counts = Int32ul.build(info.free_count) + Int32ul.build(info.next_free)
        pending.write_at(boot.info_offset + COUNTS_OFFSET, counts)
