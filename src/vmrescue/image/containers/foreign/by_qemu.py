"""Parallels, QED, QCOW and LUKS: containers that no reader of ours reads, so that QEMU reads and writes them.

An image over another file is not opened: these formats name it in ways of their own. What is encrypted by LUKS needs
its key, which is in a file that the user names (`KEY_FILE`).
Source: QEMU, docs/interop/parallels.txt, docs/interop/qed_spec.txt, block/qcow.c, crypto/block-luks.c.
"""

from __future__ import annotations

import os
import struct
from functools import partial
from typing import TYPE_CHECKING

from vmrescue.errors import ReadError, UnsupportedError
from vmrescue.image.containers.foreign.disk import Foreign
from vmrescue.image.qemu_options import KEY_FILE, encrypted_blocks, file_blocks
from vmrescue.readers.whole import parallels_must_be_whole, qcow_must_be_whole, qed_must_be_whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmrescue.device import BlockDevice
    from vmrescue.image.containers.foreign.pieces import Pieces
    from vmrescue.image.qemu_options import Blocks
    from vmrescue.readers.opened_disk import OpenedDisk

QED_FEATURES = struct.Struct("<16xQ")
QED_HAS_BACKING = 1
QCOW_HEADER = struct.Struct(">8xQ12xQ4xI")  # backing file's offset, size, encryption


def _refuse_qed(store: BlockDevice, path: str) -> None:
    if QED_FEATURES.unpack(store.read_at(0, QED_FEATURES.size))[0] & QED_HAS_BACKING:
        raise UnsupportedError(f"{path} lies over another file: `qemu-img rebase -b '' {path}` makes it stand alone")


def _refuse_qcow(store: BlockDevice, path: str) -> None:
    backing, _, encryption = QCOW_HEADER.unpack(store.read_at(0, QCOW_HEADER.size))
    if backing or encryption:
        raise UnsupportedError(f"{path} is a QCOW over another file, or encrypted: convert it first (qemu-img convert)")


def _luks_blocks(pieces: Pieces) -> Blocks:
    if not (key := os.environ.get(KEY_FILE)):
        raise UnsupportedError(
            f"{pieces.path} is encrypted as a whole (LUKS): set the environment variable {KEY_FILE} to the path of a"
            " file that holds its passphrase, without a line break at its end"
        )
    try:
        with open(key, "rb"):  # QEMU would not say that the variable names it
            pass
    except OSError as error:
        raise ReadError(f"cannot open {key}, which {KEY_FILE} names for {pieces.path}: {error.strerror}") from error
    return encrypted_blocks(str(pieces.path))


def _blocks(driver: str, refuse: Callable[[BlockDevice, str], None] | None, pieces: Pieces) -> Blocks:
    path = str(pieces.path)
    if refuse is None:
        return {"driver": driver, "file": file_blocks(path)}
    refuse(pieces.first, path)
    return {"driver": driver, "file": file_blocks(path), "backing": None}


def _kind(
    name: str,
    driver: str,
    *,
    refuse: Callable[[BlockDevice, str], None] | None = None,
    blocks: Callable[[Pieces], Blocks] | None = None,
    whole: Callable[[BlockDevice], None] = lambda store: None,
    resized: bool = False,
    notes: tuple[str, ...] = (),
) -> Foreign:
    def opened(pieces: Pieces) -> OpenedDisk:
        from vmrescue.image.containers.foreign.qemu import read_by_qemu  # here, because most images need no QEMU

        told = named(pieces)
        whole(pieces.first)
        return read_by_qemu(pieces, told, notes)

    named = blocks or partial(_blocks, driver, refuse)
    return Foreign(name, opened, blocks=named, qemu_name=driver, resized=resized)


PARALLELS = _kind("Parallels", "parallels", whole=parallels_must_be_whole)
QED = _kind("QED", "qed", refuse=_refuse_qed, whole=qed_must_be_whole, resized=True)
QCOW = _kind("QCOW", "qcow", refuse=_refuse_qcow, whole=qcow_must_be_whole)
NOT_ENCRYPTED = "encrypted as a whole (LUKS); the undo journal and the backup of an edit, beside it, are not"
LUKS = _kind("LUKS", "luks", blocks=_luks_blocks, notes=(NOT_ENCRYPTED,))
