"""VDI with limits: tables no longer than VirtualBox makes them, and checks that dissect.hypervisor does not do.

A VDI does not say whether it was closed, so its number of blocks is compared with its block map. Sources: VirtualBox,
VDICore.h; we refuse what QEMU refuses (block/vdi.c), and report what `qemu-img check` reports.
"""

from __future__ import annotations

import struct
from functools import partial
from typing import TYPE_CHECKING

from vmrescue.errors import FormatError, UnsupportedError
from vmrescue.readers.opened_disk import UNIT, OpenedDisk, must_begin_inside, next_block

if TYPE_CHECKING:
    from vmrescue.device import BlockDevice

SECTOR = 512
BIGGEST_BLOCK = 64 << 20  # bytes; blocks usually have 1 MiB, and are read whole
MOST_BLOCKS = 1 << 24  # 16 TiB; the block map is read at once
VERSION = 0x00010001
VERSION_AT = 0x44
TYPES = (1, 2)  # dynamic, fixed; not read: 3, an undo image, and 4, a differencing one
FREE = 0xFFFFFFFE  # this and 0xFFFFFFFF: a block that is all zeros, or was never written
NOBODY = bytes(16)
_HEADER = struct.Struct("<I4xI260xII20xQIIII32x16s16s")  # from VERSION_AT
_SIZE_AT, _BLOCK_SIZE_AT, _EXTRA_AT, _BLOCKS_AT = 0x170, 0x178, 0x17C, 0x180


def open_vdi(store: BlockDevice, path: str | None) -> OpenedDisk:
    """The disk in a VDI. `path` is for messages. Raises FormatError and UnsupportedError, as `check_vdi`."""
    from dissect.hypervisor.disk.vdi import VDI

    from vmrescue.readers.stream import DeviceStream

    block_size, warnings = check_vdi(store, path)
    disk = VDI(DeviceStream(store, UNIT))
    # dissect.hypervisor 3.21 reads several blocks as if they were stored after the first one
    stream = disk.open()

    def is_hole(block: int) -> bool:
        return block < len(stream.map) and int(stream.map[block]) & 0xFFFFFFFF >= FREE

    holes = partial(next_block, size=block_size, is_hole=is_hole)
    return OpenedDisk(stream, disk.size, step=block_size, warnings=warnings, holes=holes)


def check_vdi(store: BlockDevice, path: str | None) -> tuple[int, tuple[str, ...]]:
    """The size of a VDI's blocks in bytes, and its oddities, in sentences.

    Raises:
        FormatError: its tables are longer than VirtualBox's, or than the disk's size requires; it is cut short.
        UnsupportedError: it has a parent image, or a type that is not read.
    """
    version, kind, map_at, data_at, size, block_size, extra, blocks, used, link, parent = _HEADER.unpack(
        store.read_at(VERSION_AT, _HEADER.size)
    )
    if version != VERSION:
        raise UnsupportedError(f"{path} is a VDI of version {version >> 16}.{version & 0xFFFF}, only 1.1 is read")
    if kind not in TYPES or link != NOBODY or parent != NOBODY:
        raise UnsupportedError(f"{path} lies over another VDI: merge its snapshots first")
    if not SECTOR <= block_size <= BIGGEST_BLOCK or block_size & (block_size - 1):
        raise FormatError("VDI header", _BLOCK_SIZE_AT, f"a block size up to {BIGGEST_BLOCK}", block_size)
    if extra:
        raise UnsupportedError(f"{path} is a VDI with {extra} bytes before each block, at byte {_EXTRA_AT}: not read")
    if blocks > MOST_BLOCKS:
        raise FormatError("VDI header", _BLOCKS_AT, f"at most {MOST_BLOCKS} blocks", blocks)
    if blocks * block_size < size:
        raise FormatError("VDI header", _SIZE_AT, f"a disk within its {blocks} blocks", f"{size} bytes")
    raw = store.read_at(map_at, 4 * blocks)
    stored = [place for place in memoryview(raw).cast("I") if place < FREE]
    if stored:
        must_begin_inside("VDI block map", data_at + max(stored) * block_size, store)
    return block_size, tuple(_oddities(raw, used))


def _oddities(raw: bytes, used: int) -> list[str]:
    """Oddities of the block map, if the file has `used` blocks."""
    seen = bytearray(used if used <= MOST_BLOCKS else 0)
    beyond = twice = 0
    for place in memoryview(raw).cast("I"):
        if place >= FREE:
            continue
        if place >= len(seen):
            beyond += 1
        elif seen[place]:
            twice += 1
        else:
            seen[place] = 1
    said = []
    if beyond:
        said.append(f"the VDI was not closed cleanly: its map has blocks ({beyond}) that its header does not count")
    if twice:
        said.append(f"the VDI is damaged: {twice} of its blocks lie where others do; what is read there may be wrong")
    return said
