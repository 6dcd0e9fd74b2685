"""Which container an image is in: found by its signature, never by its name."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from vmrescue.device import BlockDevice, check_range, next_data, refusal_of
from vmrescue.errors import FormatError, RefusedError, UnsupportedError
from vmrescue.image.containers.advice import EWF_ADVICE, QEMU_ADVICE
from vmrescue.image.containers.raw_pieces import (
    ends_as_vhd,
    first_piece_of_vhd,
    later_pieces,
    may_be_cut,
    refuse_later_piece,
)
from vmrescue.image.transports.file import SECTOR, Store, check_growth
from vmrescue.image.virtual_disk import VirtualDisk, sector_size_of

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from vmrescue.image.risks import Risk

VHD_COOKIE = b"conectix"

_UNPACK = "unpack it first"

# (byte position, signature, what it is, what to do). Sources: QEMU's docs/interop; libewf's format description; RFC
# 1952, and the formats' magic numbers. What can be read of other makers is in `foreign`.
_UNREADABLE = (
    (0, b"QFI\xfb", "a QCOW image", QEMU_ADVICE),
    (0, b"QED\0", "a QED image", QEMU_ADVICE),
    (0, b"EVF2\r\n\x81\0", "an EnCase (Ex01) image", EWF_ADVICE),
    (0, b"\x1f\x8b", "gzip-compressed", _UNPACK),
    (0, b"PK\x03\x04", "a ZIP archive", _UNPACK),
    (0, b"\xfd7zXZ\0", "xz-compressed", _UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "zstd-compressed", _UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
)


class RawImage:
    """A disk as it is: the bytes of the file or block device."""

    unique_id: bytes | None = None
    risks: Sequence[Risk] = ()

    def __init__(self, store: Store, path: str | None = None) -> None:
        if store.size % SECTOR:
            raise FormatError("raw image", 0, f"a size of whole sectors of {SECTOR} bytes", f"{store.size} bytes")
        self.store = store
        self.size = store.size
        self.sector_size = sector_size_of(store)
        self.format = "block device" if path is not None and Path(path).is_block_device() else "raw image"
        self.refusal = refusal_of(store)
        self.parents: list[str] = []
        self.warnings: list[str] = []
        if path is not None and path.lower().endswith(".vhd"):
            self.warnings.append(f"{path} has no VHD footer at its end (cut short?), so it is read as a raw image")
        if said := may_be_cut(store, path):
            self.warnings.append(said)
            self.refusal = self.refusal or f"{said}; it is not edited: if it is all of the disk, rename it first"

    def read_at(self, offset: int, length: int) -> bytes:
        check_range(self.format, offset, length, self.size)
        return self.store.read_at(offset, length)

    def next_data(self, offset: int) -> int:
        return next_data(self.store, offset)

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        check_range(self.format, offset, len(data), self.size)
        self.store.write_at(offset, data)

    def resize(self, size: int) -> None:
        """Makes the image `size` bytes long; the new part is zero. Raises RefusedError."""
        if self.format == "block device":
            raise RefusedError("a block device can't be resized")
        check_growth(self.size, size)
        self.store.resize(size)
        self.size = size

    def flush(self) -> None:
        self.store.flush()

    def close(self) -> None:
        self.store.close()


def _is_vhd(store: BlockDevice) -> bool:
    if store.size < SECTOR:
        return False
    tail = store.read_at(store.size - SECTOR, SECTOR)
    head = store.read_at(0, len(VHD_COOKIE))
    return VHD_COOKIE in (head, tail[: len(VHD_COOKIE)], tail[1 : 1 + len(VHD_COOKIE)])


def _refuse_unreadable(store: BlockDevice, name: str) -> None:
    for position, signature, what, advice in _UNREADABLE:
        if position + len(signature) <= store.size and store.read_at(position, len(signature)) == signature:
            how = advice.format(path=shlex.quote(name))
            raise UnsupportedError(f"{name} is {what}, which vmrescue does not read: {how}")


def open_container(
    store: Store,
    path: str | None = None,
    parent_folder: str | os.PathLike[str] | None = None,
    writable: bool = False,
) -> VirtualDisk:
    """The disk that the bytes of `store` are.

    Args:
        store: the bytes; the disk takes them over, and closes them.
        path: where they come from, for messages and to find a differencing disk's parent.
        parent_folder: where else to look for it than beside the child.
        writable: whether the disk is to be changed.

    Raises:
        FormatError, UnsupportedError: it is no disk image, or of a kind that vmrescue does not read.
        NotFoundError: a parent is missing.
        RefusedError: it is of a kind that vmrescue reads and does not write.
    """
    if not store.size:
        raise FormatError("disk image", 0, "a disk", "an empty file")
    if _is_vhd(store):
        if any(later_pieces(path)) and not ends_as_vhd(store):
            raise first_piece_of_vhd(path)
        from vmrescue.image.containers.vhd_chain import open_vhd  # here, because construct is slow to import

        return open_vhd(store, path, None if parent_folder is None else Path(parent_folder))
    from vmrescue.image.containers import foreign
    from vmrescue.image.containers.vmdk_pieces import refuse_flat_piece

    kind = foreign.kind_of(store, path)
    if kind is not None:
        if writable:
            raise foreign.refusal(kind, path)
        return foreign.open_foreign(kind, store, path)
    _refuse_unreadable(store, path or "IMAGE")
    refuse_later_piece(store, path)
    refuse_flat_piece(store, path)
    disk = RawImage(store, path)
    if writable and disk.refusal:
        raise RefusedError(disk.refusal)
    return disk
