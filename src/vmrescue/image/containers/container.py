"""The table of containers. An image's container is recognised by its signature, not by the file's name."""

from __future__ import annotations

import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from vmrescue.arguments import typed
from vmrescue.dataclass import dataclass
from vmrescue.device import prefetch, why_not_longer
from vmrescue.errors import FormatError, RefusedError, UnsupportedError, VmRescueError
from vmrescue.image.containers.advice import EWF_ADVICE, LUKS2_ADVICE
from vmrescue.image.containers.foreign.kinds import MARKED, QCOW2, SPLIT
from vmrescue.image.containers.raw import open_raw
from vmrescue.image.containers.raw_pieces import ends_as_vhd, first_piece_of_vhd, later_pieces
from vmrescue.image.containers.unpacked import disk_below, open_unpacked
from vmrescue.image.transports.file import SECTOR, FileDevice
from vmrescue.signatures import LUKS as LUKS_MAGIC
from vmrescue.signatures import VHD, VHDX, has_signature

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from vmrescue.device import BlockDevice
    from vmrescue.image.containers.foreign.kinds import Kind
    from vmrescue.image.transports.file import ImageStore
    from vmrescue.image.virtual_disk import VirtualDisk

_UNPACK = "unpack it first"
AT_END = 40 << 10  # bytes at a file's end that hold a footer, and before it the second copy of a GPT

# Files that are no readable images: (byte position, signature, what the file is, what to do). Sources: QEMU's
# docs/interop; libewf's format description; RFC 1952, and the formats' magic numbers.
_UNREADABLE = (
    (0, LUKS_MAGIC + b"\0\2", "encrypted as a whole (LUKS, version 2)", LUKS2_ADVICE),
    (0, b"EVF2\r\n\x81\0", "an EnCase (Ex01) image", EWF_ADVICE),
    (0, b"\x1f\x8b", "gzip-compressed", _UNPACK),
    (0, b"PK\x03\x04", "a ZIP archive", _UNPACK),
    (0, b"\xfd7zXZ\0", "xz-compressed", _UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "zstd-compressed", _UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
)


def _is_vhd(store: BlockDevice) -> bool:
    if store.size < SECTOR:
        return False
    tail = store.read_at(store.size - SECTOR, SECTOR)
    head = store.read_at(0, len(VHD))
    return VHD in (head, tail[: len(VHD)], tail[1 : 1 + len(VHD)])


def _open_vhd(store: ImageStore, path: str | None, parent_folder: Path | None) -> VirtualDisk:
    if any(later_pieces(path)) and not ends_as_vhd(store):
        raise first_piece_of_vhd(path)
    if has_signature(store, 0, VHDX):  # the guest could have written either
        raise UnsupportedError(f"{path or 'IMAGE'} begins as a VHDX and ends as a VHD: which it is cannot be told")
    from vmrescue.image.containers.vhd_chain import open_vhd  # here, because construct is slow to import

    return open_vhd(store, path, parent_folder)


def _open_vhdx(store: ImageStore, path: str | None, parent_folder: Path | None) -> VirtualDisk:
    from vmrescue.image.containers.vhdx.chain import open_vhdx  # here, because other images do not need it

    return open_vhdx(store, path, parent_folder)


def _unreadable(store: BlockDevice) -> tuple[str, str] | None:
    """(what the file is, what to do) for a file that vmrescue does not read; None for others."""
    for position, signature, what, advice in _UNREADABLE:
        if has_signature(store, position, signature):
            return what, advice
    return None


def _is_vhd_set(path: str | None) -> bool:
    return path is not None and path.lower().endswith(".vhds")


def _refuse_vhd_set(store: ImageStore, path: str | None, parent_folder: Path | None) -> VirtualDisk:
    raise UnsupportedError(
        f"{path} is the list of a shared VHD set, not a disk: the disk is the .avhdx beside it that the list names, and"
        " none of the VMs that share it may run"
    )


def _refuse_unreadable(store: ImageStore, path: str | None, parent_folder: Path | None) -> VirtualDisk:
    what, advice = _unreadable(store) or ("", "")
    how = advice.format(path=shlex.quote(path or "IMAGE"))
    raise UnsupportedError(f"{path or 'IMAGE'} is {what}, which vmrescue does not read: {how}")


@dataclass(frozen=True)
class ContainerKind:
    """A row of the table.

    Attributes:
        found: whether a file is in this container. The path is used only to find its other pieces.
        open: opens the disk, which then owns the file; the folder is where parents may be.
        refusal: the error for an attempt to write, if the container is only read.
    """

    found: Callable[[ImageStore, str | None], bool]
    open: Callable[[ImageStore, str | None, Path | None], VirtualDisk]
    refusal: Callable[[str | None], RefusedError] | None = None


def _foreign(kind: Kind, found: Callable[[ImageStore, str | None], bool]) -> ContainerKind:
    """The row of a container of another product."""
    return ContainerKind(
        found,
        lambda store, path, parent_folder: kind.foreign.open(store, path),
        lambda path: kind.foreign.refusal(path),
    )


def _signed(kind: Kind) -> Callable[[ImageStore, str | None], bool]:
    return lambda store, path: kind.is_marked(store)


SIGNATURES = ((0, VHD), (0, VHDX), *(each for kind in MARKED for each in kind.signatures))
"""(byte position, bytes) of every signature of an image. Fixed VHDs and raw images have none at a fixed position."""

CONTAINERS: list[ContainerKind] = [
    ContainerKind(lambda store, path: disk_below(store) is not None, open_unpacked),
    ContainerKind(lambda store, path: _is_vhd_set(path), _refuse_vhd_set),
    ContainerKind(lambda store, path: _is_vhd(store), _open_vhd),
    ContainerKind(lambda store, path: has_signature(store, 0, VHDX), _open_vhdx),
    *(_foreign(kind, _signed(kind)) for kind in MARKED),
    _foreign(SPLIT, lambda store, path: any(later_pieces(path))),
    ContainerKind(lambda store, path: _unreadable(store) is not None, _refuse_unreadable),
    ContainerKind(lambda store, path: True, open_raw),
]
"""The first row that matches is used. A new container needs a module that opens it, and a row here."""


@typed
def open_container(
    store: ImageStore,
    path: str | None = None,
    parent_folder: str | os.PathLike[str] | None = None,
    writable: bool = False,
) -> VirtualDisk:
    """Opens the disk in `store`.

    Args:
        store: the image's bytes; the disk then owns `store` and closes it.
        path: the image's path, for messages and to find a differencing disk's parent.
        parent_folder: where to look for the parent, besides the child's folder.
        writable: whether the disk will be written to.

    Raises:
        FormatError, UnsupportedError: it is no disk image, or of a format that vmrescue does not read.
        NotFoundError: a parent is missing.
        RefusedError: `writable`, and vmrescue only reads the format.
    """
    if not store.size:
        raise FormatError("disk image", None, "a disk", "an empty file", file=path)
    prefetch(store, [(store.size - AT_END, AT_END)])
    kind = next(each for each in CONTAINERS if each.found(store, path))
    if writable and kind.refusal:
        raise kind.refusal(path)
    try:
        disk = kind.open(store, path, None if parent_folder is None else Path(parent_folder))
    except FormatError as error:
        raise error.in_a_file().of(path) from error
    if why := why_not_longer(store):
        disk.learn(why_not_longer=why)
    if writable and disk.facts.refusal:
        raise RefusedError(disk.facts.refusal)
    return disk


def parents_of(path: str, folder: Path | None = None) -> tuple[str, ...]:
    """The files below a differencing disk of this machine; none for anything else, or where it cannot be opened."""
    try:
        with ExitStack() as opened:
            store = FileDevice(path)
            opened.callback(store.close)
            may_lie_over = _is_vhd(store) or has_signature(store, 0, VHDX) or QCOW2.is_marked(store)
            if not may_lie_over:
                return ()
            disk = open_container(store, path, folder)
            opened.callback(disk.close)
            return disk.facts.parents
    except VmRescueError:
        return ()
