"""Which container an image is in: found by its signature, never by its name."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from vmrescue.device import BlockDevice, check_range, next_data, refusal_of
from vmrescue.errors import FormatError, RefusedError, UnsupportedError
from vmrescue.image.containers.raw_pieces import (
    ends_as_vhd,
    first_piece_of_vhd,
    later_pieces,
    may_be_cut,
    refuse_later_piece,
)
from vmrescue.image.transports.file import SECTOR, Store, check_growth

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from vmrescue.image.risks import Risk

VHD_COOKIE = b"conectix"

# What whoever wants to work on an image of another kind is told; {path} is as a shell takes it.
QEMU_ADVICE = "`qemu-img convert -O vpc -o subformat=fixed,force_size {path} OUT.vhd` makes a VHD of it"
EWF_ADVICE = "`ewfexport -u -t OUT -f raw {path}` (of libewf) makes a raw image of it, OUT.raw"
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


class VirtualDisk(BlockDevice, Protocol):
    """A disk as its container shows it."""

    @property
    def format(self) -> str:
        """`fixed VHD`, `dynamic VHD`, `differencing VHD`, `raw image`, `block device`, `VHDX image`, …"""

    @property
    def unique_id(self) -> bytes | None:
        """The 16 bytes by which a VHD's children know it; a raw image has none."""

    @property
    def parents(self) -> list[str]:
        """The paths of the images below a differencing one, the nearest first."""

    @property
    def warnings(self) -> list[str]:
        """What is wrong with the container, in sentences, though it could be opened."""

    @property
    def risks(self) -> Sequence[Risk]:
        """Why an edit may do harm that no check can see; it is refused unless these are accepted."""

    @property
    def refusal(self) -> str | None:
        """Why the image is only read, and what makes one of it that is written; None where it is itself."""

    def resize(self, size: int) -> None:
        """Makes the disk `size` bytes long; it only grows. Raises RefusedError."""


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


def sector_size_of(store: BlockDevice) -> int:
    """What the device says; for the image of a disk with 4096-byte sectors, what its GPT header's place says."""
    if store.size >= 8192 and store.read_at(SECTOR, 8) != b"EFI PART" == store.read_at(4096, 8):
        return 4096
    return store.sector_size


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
