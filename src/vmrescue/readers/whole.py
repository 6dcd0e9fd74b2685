"""Whether a Parallels, QED or QCOW image has all that its tables name: QEMU reads zeros where its file is cut short.

A cluster is stored whole, except where it is packed. Only the tables are read, each once.
Source: QEMU, docs/interop/parallels.txt, docs/interop/qed_spec.txt, block/qcow.c.
"""

from __future__ import annotations

import struct
import sys
from array import array
from typing import TYPE_CHECKING

from vmrescue.errors import FormatError
from vmrescue.readers.opened_disk import SECTOR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.device import BlockDevice

PARALLELS = struct.Struct("<16s12xII")  # magic, sectors of a cluster, entries of the table, which follows at byte 64
PARALLELS_TABLE_AT = 64
IN_SECTORS = b"WithoutFreeSpace"  # its entries count sectors; those of the other kind count clusters
QED = struct.Struct("<4xII28xQ")  # bytes of a cluster, clusters of a table, where the L1 table is
QED_ZERO = 1  # an L2 entry
QCOW = struct.Struct(">24xQBB6xQ")  # size of the disk, bits of a cluster, bits of an L2 table, where the L1 table is
QCOW_CLUSTERS, QCOW_TABLES = range(9, 17), range(6, 14)  # bits
QCOW_PACKED = 1 << 63
LARGEST_CLUSTER = 64 << 20  # bytes; QEMU's limit for QED
PIECE = 1 << 17  # entries of a table that are looked at together


def parallels_must_be_whole(store: BlockDevice) -> None:
    """Raises FormatError where a cluster ends behind the file's end."""
    magic, sectors, count = PARALLELS.unpack(store.read_at(0, PARALLELS.size))
    unit = 1 if magic == IN_SECTORS else sectors
    for entries in _table(store, "I", PARALLELS_TABLE_AT, count, "little"):
        if last := max(entries):
            _must_end_inside("Parallels table", (last * unit + sectors) * SECTOR, store)


def qed_must_be_whole(store: BlockDevice) -> None:
    """Raises FormatError where a table or a cluster ends behind the file's end."""
    cluster, clusters, l1_at = QED.unpack(store.read_at(0, QED.size))
    table = cluster * clusters
    if not 0 < table <= LARGEST_CLUSTER:
        raise FormatError("QED header", 4, f"tables of at most {LARGEST_CLUSTER} bytes", table)
    for l2_at in _tables(store, "QED L1 table", l1_at, table // 8, table, "little"):
        for entries in _table(store, "Q", l2_at, table // 8, "little"):
            if (last := max(entries)) > QED_ZERO:
                _must_end_inside("QED L2 table", last + cluster, store)


def qcow_must_be_whole(store: BlockDevice) -> None:
    """Raises FormatError where a table or a cluster ends behind the file's end."""
    size, bits, l2_bits, l1_at = QCOW.unpack(store.read_at(0, QCOW.size))
    if bits not in QCOW_CLUSTERS or l2_bits not in QCOW_TABLES:
        raise FormatError("QCOW header", 32, "clusters of 9 to 16 bits, tables of 6 to 13", f"{bits} and {l2_bits}")
    at, length = (1 << (63 - bits)) - 1, (1 << bits) - 1  # what is packed: its place, and above that its length
    for l2_at in _tables(store, "QCOW L1 table", l1_at, -(-size >> (bits + l2_bits)), 8 << l2_bits, "big"):
        for entries in _table(store, "Q", l2_at, 1 << l2_bits, "big"):
            ends = [
                (entry & at) + (entry >> (63 - bits) & length) if entry & QCOW_PACKED else entry + (1 << bits)
                for entry in entries
                if entry
            ]
            _must_end_inside("QCOW L2 table", max(ends, default=0), store)


def _tables(store: BlockDevice, what: str, at: int, count: int, size: int, order: str) -> Iterator[int]:
    """Where the tables of `size` bytes are that a table at `at` names, each once."""
    seen: set[int] = set()
    for entries in _table(store, "Q", at, count, order):
        for place in entries:
            if place and place not in seen:
                _must_end_inside(what, place + size, store)
                seen.add(place)
                yield place


def _table(store: BlockDevice, kind: str, at: int, count: int, order: str) -> Iterator[array[int]]:
    """A table of numbers, piece by piece. Raises FormatError where it ends behind the file's end."""
    width = array(kind).itemsize
    _must_end_inside("table", at + count * width, store)
    for first in range(0, count, PIECE):
        entries = array(kind, store.read_at(at + first * width, min(PIECE, count - first) * width))
        if order != sys.byteorder:
            entries.byteswap()
        yield entries


def _must_end_inside(what: str, end: int, store: BlockDevice) -> None:
    if end > store.size:
        raise FormatError(what, None, f"only places inside the file's {store.size} bytes", f"byte {end}", beyond=True)
