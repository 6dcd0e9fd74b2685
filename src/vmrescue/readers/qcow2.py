"""QCOW2 with limits: tables no longer than QEMU reads, and only known features.

Source: QEMU, docs/interop/qcow2.rst. The reader is dissect.hypervisor. Its version 3.21 reads a table's entry as a
bitmap of subclusters, and may then never finish.
"""

from __future__ import annotations

import struct
import sys
from array import array
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from vmrescue.dataclass import dataclass
from vmrescue.device import prefetch
from vmrescue.errors import FormatError, UnsupportedError
from vmrescue.readers.opened_disk import UNIT, Extent, OpenedDisk, joined, must_begin_inside

if TYPE_CHECKING:
    from vmrescue.device import BlockDevice

QCOW2_HEADER = struct.Struct(">4sIQIIQIIQ")  # QEMU, docs/interop/qcow2.rst: the fields up to the L1 table's offset
LARGEST_L1 = 32 << 20  # bytes; QEMU's limit
QCOW2_FEATURES_AT = 72  # offset of version 3's incompatible features, as bits
QCOW2_KNOWN_FEATURES = 5
QCOW2_STATES = (
    (1, "the QCOW2 was not closed cleanly (its dirty bit is set): `qemu-img check -r all` mends it"),
    (2, "the QCOW2 is marked as corrupt: what is read may be wrong; `qemu-img check` says more"),
)
QCOW2_CLUSTERS = range(9, 22)  # bits
OFFSET = (1 << 56) - (1 << 9)  # of an L1 or L2 entry: where in the file the table or the cluster begins
COMPRESSED = 1 << 62  # of an L2 entry: the lower 70 - (bits of a cluster) bits are the place, not aligned


EXTENSION = struct.Struct(">II")  # type, length; the data follow, padded to 8 bytes
BACKING_FORMAT = 0xE2792ACA
LONGEST_BACKING = 1023  # bytes of a backing file's name


@dataclass(frozen=True)
class Backing:
    """The file over which a QCOW2 lies, as its header names it.

    Attributes:
        name: a path or something else that QEMU opens.
        form: QEMU's name of its format; None if the header states none.
    """

    name: str
    form: str | None


def backing_of(store: BlockDevice) -> Backing | None:
    """The backing file of a QCOW2 whose header was checked; None if it has none. Raises FormatError."""
    _, version, at, length, bits, *_ = QCOW2_HEADER.unpack(store.read_at(0, QCOW2_HEADER.size))
    if not at:
        return None
    if not 0 < length <= LONGEST_BACKING:
        raise FormatError("QCOW2 header", 16, f"a backing file's name of at most {LONGEST_BACKING} bytes", length)
    form = None
    place = int.from_bytes(store.read_at(100, 4), "big") if version >= 3 else 72
    while place + EXTENSION.size <= min(at, 1 << bits):
        kind, size = EXTENSION.unpack(store.read_at(place, EXTENSION.size))
        if not kind or size > LONGEST_BACKING * 64:
            break
        if kind == BACKING_FORMAT:
            form = store.read_at(place + EXTENSION.size, min(size, LONGEST_BACKING)).decode("utf-8", "replace")
        place += EXTENSION.size + -(-size // 8) * 8
    return Backing(store.read_at(at, length).decode("utf-8", "surrogateescape"), form)


def _padded(below: OpenedDisk, size: int) -> Any:
    """The disk below as a stream, with zeros behind its end: it may be shorter than the one over it."""
    inside = min(below.size, size)
    parts = [Extent(inside, partial(below.read_at, "backing file")), Extent(size - inside, _zeros)]
    return joined(parts).stream


def _zeros(_: int, length: int) -> bytes:
    return bytes(length)


def open_qcow2(store: BlockDevice, path: str | None, advice: str, below: OpenedDisk | None = None) -> OpenedDisk:
    """The disk in a QCOW2.

    Args:
        path, advice: its path, and how to convert it, for messages.
        below: the disk in its backing file, if it has one.

    Raises:
        FormatError: its header exceeds QEMU's limits.
        UnsupportedError: it has a backing file, is encrypted, or has a feature that is not read.
    """
    from dissect.hypervisor.disk.qcow2 import QCow2

    from vmrescue.readers.stream import DeviceStream

    warnings = check_qcow2(store)
    disk = QCow2(DeviceStream(store, UNIT), allow_no_backing_file=True, allow_no_data_file=True)
    if disk.needs_data_file or (disk.needs_backing_file and below is None):
        other = disk.auto_backing_file or disk.image_data_file
        raise UnsupportedError(f"{path} lies over another file ({other}): {advice}")
    if disk.has_subclusters:
        raise UnsupportedError(f"{path} is a QCOW2 with subclusters: {advice}")
    if not prefetch(store):  # of an image far away all tables would have to be fetched
        _must_be_whole(store)
    if below is not None:
        disk.backing_file = _padded(below, disk.size)  # not in the call above, which would guess its format
    stream = disk.open()

    known = range(0)  # the last hole of its own

    def holes(offset: int) -> int:
        nonlocal known
        if offset not in known:
            known = range(offset, _next_data(stream, offset, disk.size))
        if below is None or not known or offset >= below.size:
            return known.stop
        there = below.next_data("backing file", offset)
        return min(known.stop, there) if there < below.size else known.stop

    return OpenedDisk(stream, disk.size, warnings=warnings, holes=holes)


def _next_data(stream: Any, offset: int, size: int) -> int:
    """The first offset from `offset` on in a cluster that is allocated and not marked as zero."""
    from dissect.hypervisor.disk.qcow2 import UNALLOCATED_SUBCLUSTER_TYPES, ZERO_SUBCLUSTER_TYPES

    kinds = (*UNALLOCATED_SUBCLUSTER_TYPES, *ZERO_SUBCLUSTER_TYPES)
    for kind, start, _, length in chain(stream._yield_runs(offset, 1), stream._yield_runs(offset, size - offset)):
        if kind not in kinds or length <= 0:  # of data, one cluster is looked at: dissect counts all of a run
            return int(start)
    return size


def _must_be_whole(store: BlockDevice) -> None:
    """Raises FormatError if a table or a cluster begins behind the file's end."""
    _, _, _, _, bits, _, _, l1_size, l1_at = QCOW2_HEADER.unpack(store.read_at(0, QCOW2_HEADER.size))
    for table in _entries(store, l1_at, l1_size):
        if at := table & OFFSET:
            must_begin_inside("QCOW2 L1 table", at, store)
            entries = _entries(store, at, min(1 << bits, store.size - at) // 8)
            packed = (1 << (70 - bits)) - 1
            places = [entry & (packed if entry & COMPRESSED else OFFSET) for entry in entries]
            must_begin_inside("QCOW2 L2 table", max(places, default=0), store)


def _entries(store: BlockDevice, at: int, count: int) -> array[int]:
    entries = array("Q", store.read_at(at, count * 8))
    if sys.byteorder == "little":
        entries.byteswap()
    return entries


def check_qcow2(store: BlockDevice) -> tuple[str, ...]:
    """Oddities of a readable QCOW2, in sentences.

    Raises:
        FormatError: its header exceeds QEMU's limits.
        UnsupportedError: it is encrypted, or has an incompatible feature that is not known.
    """
    _, version, backing, _, bits, _, encryption, l1_size, _ = QCOW2_HEADER.unpack(store.read_at(0, QCOW2_HEADER.size))
    if encryption:
        raise UnsupportedError("the QCOW2 is encrypted: decrypt it first (qemu-img convert with its secret)")
    features = int.from_bytes(store.read_at(QCOW2_FEATURES_AT, 8), "big") if version >= 3 else 0
    if features >> QCOW2_KNOWN_FEATURES:
        raise UnsupportedError(f"the QCOW2 has features that are not known (0x{features:x}): it is not read")
    if bits not in QCOW2_CLUSTERS:
        raise FormatError("QCOW2 header", 20, "clusters of 9 to 21 bits", bits)
    if backing >= 1 << bits:
        raise FormatError("QCOW2 header", 8, "a backing file's name in the first cluster", backing)
    if l1_size * 8 > LARGEST_L1:
        raise FormatError("QCOW2 header", 36, f"an L1 table of at most {LARGEST_L1} bytes", l1_size * 8)
    return tuple(said for bit, said in QCOW2_STATES if features & bit)
