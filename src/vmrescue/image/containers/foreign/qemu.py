"""A disk in a container that QEMU writes: opened by `qemu-nbd`, to write it, or to read what no other reader reads.

The undo journal of such an image counts the bytes of the disk, not those of the file: QEMU decides where in the file
they lie, and an undo gives the disk its old content, not the file its old bytes.
"""

from __future__ import annotations

import shlex
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from vmrescue.device import next_data
from vmrescue.errors import ReadError, RefusedError, UnsupportedError
from vmrescue.image.containers.foreign.pieces import Pieces
from vmrescue.image.qemu import found_sound
from vmrescue.image.transports.file import FileDevice
from vmrescue.image.transports.nbd.device import NbdDevice
from vmrescue.image.transports.qemu_nbd import QemuNbd
from vmrescue.image.virtual_disk import Container
from vmrescue.readers.opened_disk import Extent, OpenedDisk, joined

if TYPE_CHECKING:
    from vmrescue.image.containers.foreign.disk import Foreign
    from vmrescue.image.qemu_options import Blocks
    from vmrescue.image.virtual_disk import Facts


def read_by_qemu(pieces: Pieces, blocks: Blocks, notes: tuple[str, ...] = ()) -> OpenedDisk:
    """The disk in an image of this machine, read by `qemu-nbd`. Raises UnsupportedError, ReadError as `QemuNbd`.

    Args:
        notes: what is to be said of the image.
    """
    if pieces.path is None or pieces.folder is None:
        raise UnsupportedError(f"{pieces.path} is read by QEMU, which reads files of this machine: download it first")
    server = QemuNbd(blocks, pieces.path)
    pieces.close_too(server.close)
    device = NbdDevice(server.session, pieces.path)
    return joined([Extent(device.size, device.read_at, partial(next_data, device))], notes)


class QemuDisk(Container):
    """The disk in an image, held by a `qemu-nbd` of ours until it is closed. It is a `HeldStore` too.

    Args:
        kind: the image's container.
        lock: the image's file, open for writing and locked; the disk then owns it.

    Raises:
        RefusedError: the image is damaged, or for another reason not written. Nothing was changed.
    """

    unfinished: str | None = None
    version: str | None = None

    def __init__(self, kind: Foreign, lock: FileDevice) -> None:
        self.path = lock.path
        with ExitStack() as opened:
            opened.callback(lock.close)
            facts, size, blocks = _looked_at(kind, lock.path)
            super().__init__(facts, self)
            try:
                server = QemuNbd(blocks, lock.path, writable=True, lock=lock)
            except ReadError as error:
                raise RefusedError(f"nothing was changed: {error}") from error
            opened.callback(server.close)
            self._device = NbdDevice(server.session, lock.path, writable=True)
            self.size, self.sector_size = self._device.size, self._device.sector_size
            if self.size != size or self._device.refusal:
                found = self._device.refusal or f"QEMU finds a disk of {self.size} bytes in it, and its reader {size}"
                raise RefusedError(f"{lock.path} is not written: {found}")
            self._opened = opened.pop_all()

    def read_at(self, offset: int, length: int) -> bytes:
        return self._device.read_at(offset, length)

    def next_data(self, offset: int) -> int:
        return self._device.next_data(offset)

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        self._device.write_at(offset, data)

    def resize(self, size: int) -> None:
        if size != self.size:
            raise RefusedError(str(self.facts.why_not_longer))

    def flush(self) -> None:
        self._device.flush()

    def settle(self) -> None:
        """Has QEMU write out what it keeps, tables above all: then the file has what was written."""
        self._device.flush()

    def drop_cache(self) -> None:
        self._device.drop_cache()

    def must_be_unchanged(self) -> None:
        """Nothing to do: other writers were looked for when the lock was taken, and QEMU holds its own locks."""

    def close(self) -> None:
        self._opened.close()


def _looked_at(kind: Foreign, path: str) -> tuple[Facts, int, Blocks]:
    """The facts of the disk in an image that is to be written, its size, and how QEMU is told of it.

    Raises RefusedError if it is not written.
    """
    disk = kind.open(FileDevice(path), path)
    try:
        if disk.facts.refusal:
            raise RefusedError(disk.facts.refusal)
        facts, size = disk.facts, disk.size
    finally:
        disk.close()
    pieces = Pieces(FileDevice(path), path)
    try:
        if kind.blocks is None:
            raise kind.refusal(path)
        blocks = kind.blocks(pieces)
    finally:
        pieces.close()
    if kind.checked and (damage := found_sound(blocks)):
        raise RefusedError(
            f"{path} is not written, because its container is damaged (`qemu-img check`: {damage}):"
            f" `qemu-img check -r all {shlex.quote(path)}` mends what it can, or write to a copy (--copy-to)"
        )
    return facts, size, blocks
