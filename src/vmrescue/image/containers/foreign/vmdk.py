"""VMDK: VMware's container, in one file, or a descriptor and the extents that it names. Snapshots are not read."""

from __future__ import annotations

import re
import shlex
from functools import partial
from typing import TYPE_CHECKING

from vmrescue.device import check_range, next_data
from vmrescue.errors import FormatError, RefusedError, UnsupportedError
from vmrescue.image.containers.foreign.disk import Foreign
from vmrescue.image.containers.foreign.kinds import VMDK_DESCRIPTOR
from vmrescue.image.containers.vmdk_pieces import (
    extents_of,
    is_compressed,
    refuse_piece,
    was_left_open,
)
from vmrescue.image.qemu_options import file_blocks
from vmrescue.image.transports.file import SECTOR
from vmrescue.readers.opened_disk import Extent, joined
from vmrescue.readers.vmdk import sparse_extent

if TYPE_CHECKING:
    from vmrescue.image.containers.foreign.pieces import Pieces
    from vmrescue.image.qemu_options import Blocks
    from vmrescue.image.transports.file import ImageStore
    from vmrescue.readers.opened_disk import OpenedDisk

NO_PARENT = b"ffffffff"
PARENT_CID = re.compile(rb'^[ \t]*+parentCID[ \t]*+=[ \t]*+"?([0-9a-fA-F]+)', re.MULTILINE)
HEAD = 1 << 20  # bytes that contain the descriptor, whether it is a file or embedded in a sparse extent


def _open(pieces: Pieces) -> OpenedDisk:
    head = pieces.first.read_at(0, min(HEAD, pieces.first.size))
    parent = PARENT_CID.search(head)
    if parent and parent[1].lower() != NO_PARENT:
        raise UnsupportedError(f"{pieces.path} is a VMDK snapshot, which lies over another: consolidate it first")
    if not head.startswith(VMDK_DESCRIPTOR):
        refuse_piece(pieces.first, pieces.path)
        return joined([sparse_extent(pieces.first)], _left_open([pieces.first]))
    stores: list[ImageStore] = []
    return joined(_extents(pieces, head, stores), _left_open(stores))


def _left_open(stores: list[ImageStore]) -> tuple[str, ...]:
    said = "the VMDK was not closed cleanly: what was written last may be missing"
    return (said,) if any(map(was_left_open, stores)) else ()


def _extents(pieces: Pieces, descriptor: bytes, stores: list[ImageStore]) -> list[Extent]:
    """The extents of the disk; the files of sparse ones are added to `stores`."""
    extents = []
    for extent in extents_of(descriptor):
        flat = extent.kind in ("FLAT", "VMFS")
        sparse = extent.kind in ("SPARSE", "VMFSSPARSE", "SESPARSE")
        if extent.name is None or not (flat or sparse) or (flat and extent.start):
            raise UnsupportedError(f"{pieces.path} has an extent that is not read: {extent.line}")
        store = pieces.beside(extent.name)
        if sparse:
            stores.append(store)
        extents.append(_flat_extent(store, extent.sectors * SECTOR) if flat else sparse_extent(store))
    if not extents:
        raise FormatError("VMDK descriptor", None, "at least one extent")
    return extents


def _flat_extent(store: ImageStore, size: int) -> Extent:
    check_range("VMDK extent", 0, size, store.size)
    return Extent(size, store.read_at, partial(next_data, store))


def _blocks(pieces: Pieces) -> Blocks:
    """QEMU follows the names of extents by itself, relative to the descriptor: so they must be plain."""
    path = str(pieces.path)
    head = pieces.first.read_at(0, min(HEAD, pieces.first.size))
    if b"parentFileNameHint" in head:  # QEMU would look for that file, whatever else the descriptor says
        raise RefusedError(f"{path} is not written: it names a file below it: {WHAT}")
    if not head.startswith(VMDK_DESCRIPTOR):
        _must_be_plain(pieces, pieces.first, path)
    else:
        lines = [line for line in re.split(rb"[\r\n]+", head.partition(b"\0")[0]) if line.split()[:1] == [b"RW"]]
        extents = extents_of(head)
        plain = {each.line.encode() for each in extents if each.name and re.fullmatch(r"[\w .()-]+", each.name)}
        writable = all(each.kind in ("FLAT", "VMFS", "SPARSE") and each.line.startswith("RW") for each in extents)
        named = all(line.strip() in plain and b"/" not in line and b"\\" not in line for line in lines)
        if not writable or not named or len(lines) != len(extents):
            raise RefusedError(f"{path} is not written: it has extents that are read-only or not named plainly: {WHAT}")
        for each in extents:
            if each.kind == "SPARSE":
                _must_be_plain(pieces, pieces.beside(each.name or ""), path)
    return {"driver": "vmdk", "file": file_blocks(path), "backing": None}


def _must_be_plain(pieces: Pieces, store: ImageStore, path: str) -> None:
    """Raises RefusedError for a sparse extent in which nothing can be written in place."""
    if is_compressed(store):
        raise RefusedError(
            f"{path} is a stream-optimised VMDK, whose compressed grains are not written in place: {WHAT},"
            f" or `qemu-img convert -O vmdk {shlex.quote(path)} OUT.vmdk` and name that"
        )


WHAT = "write to a copy (--copy-to)"
VMDK = Foreign("VMDK", _open, blocks=_blocks, qemu_name="vmdk")
