"""QCOW2 with limits: tables no longer than QEMU reads, and only known features.

Source: QEMU, docs/interop/qcow2.rst. The reader is dissect.hypervisor. Its version 3.21 reads a table's entry as a
bitmap of subclusters, and may then never finish.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from vmrescue.errors import FormatError, UnsupportedError
from vmrescue.readers.opened_disk import UNIT, OpenedDisk
from vmrescue.readers.stream import DeviceStream

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


def open_qcow2(store: BlockDevice, path: str | None, advice: str) -> OpenedDisk:
    """The disk in a QCOW2. `path`, and `advice` (how to convert the image), are for messages.

    Raises:
        FormatError: its header exceeds QEMU's limits.
        UnsupportedError: it has a backing file, is encrypted, or has a feature that is not read.
    """
    from dissect.hypervisor.disk.qcow2 import QCow2

    warnings = check_qcow2(store)
    disk = QCow2(DeviceStream(store, UNIT), allow_no_backing_file=True, allow_no_data_file=True)
    if disk.needs_backing_file or disk.needs_data_file:
        other = disk.auto_backing_file or disk.image_data_file
        raise UnsupportedError(f"{path} lies over another file ({other}): {advice}")
    if disk.has_subclusters:
        raise UnsupportedError(f"{path} is a QCOW2 with subclusters: {advice}")
    stream = disk.open()
    return OpenedDisk(stream, disk.size, warnings=warnings, holes=lambda offset: _next_data(stream, offset, disk.size))


def _next_data(stream: Any, offset: int, size: int) -> int:
    """The first offset from `offset` on in a cluster that is allocated and not marked as zero."""
    from dissect.hypervisor.disk.qcow2 import UNALLOCATED_SUBCLUSTER_TYPES, ZERO_SUBCLUSTER_TYPES

    for kind, start, _, length in stream._yield_runs(offset, size - offset):
        is_hole = kind in UNALLOCATED_SUBCLUSTER_TYPES or kind in ZERO_SUBCLUSTER_TYPES
        if not is_hole or length <= 0:
            return int(start)
    return size


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
