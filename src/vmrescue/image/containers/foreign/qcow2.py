"""QCOW2: QEMU's container, in one file, or over the files of its backing chain.

A backing file is found by its name in the image's own folder, or in one that the user names, and only read. Its format
must be stated in the image: QEMU would guess it by content, which whoever writes to the disk can choose.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from vmrescue.device import next_data
from vmrescue.errors import RefusedError, UnsupportedError
from vmrescue.image.containers.foreign.disk import Foreign
from vmrescue.image.containers.foreign.kinds import QCOW2 as KIND
from vmrescue.image.qemu_options import file_blocks
from vmrescue.readers.opened_disk import Extent, joined
from vmrescue.readers.qcow2 import QCOW2_STATES, backing_of, check_qcow2, open_qcow2

if TYPE_CHECKING:
    from vmrescue.image.containers.foreign.pieces import Pieces
    from vmrescue.image.qemu_options import Blocks
    from vmrescue.image.transports.file import ImageStore
    from vmrescue.readers.opened_disk import OpenedDisk

DEEPEST = 64  # most files in a chain
CORRUPT = QCOW2_STATES[1][1]


def _open(pieces: Pieces) -> OpenedDisk:
    files, base = _chain(pieces)
    below = None if base is None else joined([Extent(base.size // 512 * 512, base.read_at, partial(next_data, base))])
    for path, store in reversed(files):
        below = open_qcow2(store, str(path), QCOW2.advice_for(pieces.path), below)
    assert below is not None
    return below


def parent_named(store: ImageStore) -> list[str]:
    """The name of the file below a QCOW2, as it stands in its header; none if it has none. Raises VmRescueError."""
    check_qcow2(store)
    backing = backing_of(store)
    return [backing.name] if backing else []


def _blocks(pieces: Pieces) -> Blocks:
    files, base = _chain(pieces)
    blocks: Blocks | None = None
    if base is not None:
        blocks = {"driver": "raw", "read-only": True, "file": file_blocks(pieces.parents[-1])}
    for path, _ in reversed(files[1:]):
        blocks = {"driver": "qcow2", "read-only": True, "file": file_blocks(path), "backing": blocks}
    if CORRUPT in check_qcow2(pieces.first):
        raise RefusedError(
            f"{pieces.path} is not written: {CORRUPT}; `qemu-img check -r all` mends what it can, or write to a copy"
            " (--copy-to)"
        )
    return {"driver": "qcow2", "file": file_blocks(files[0][0]), "backing": blocks}


def _chain(pieces: Pieces) -> tuple[list[tuple[Path, ImageStore]], ImageStore | None]:
    """The QCOW2 files of the chain, the image first; and the raw file below them, if there is one."""
    first = Path(pieces.path or "IMAGE")
    files: list[tuple[Path, ImageStore]] = [(first, pieces.first)]
    pieces.parents.clear()
    while True:
        path, store = files[-1]
        check_qcow2(store)
        backing = backing_of(store)
        if backing is None:
            return files, None
        found = pieces.parent(str(path), backing.name)
        if len(files) == DEEPEST or any(found.samefile(each) for each, _ in files):
            raise UnsupportedError(f"{first} lies over more than {DEEPEST - 1} files, or over itself")
        below = pieces.open_parent(found)
        if backing.form == "raw":
            return files, below
        if backing.form != "qcow2" or not KIND.is_marked(below):
            raise UnsupportedError(
                f"{path} lies over {found.name}, and its header calls that {backing.form or 'nothing'}: only raw and"
                " qcow2 are read there, stated and so (`qemu-img rebase -u -b FILE -F FORMAT` states it)"
            )
        files.append((found, below))


QCOW2 = Foreign("QCOW2", _open, blocks=_blocks, qemu_name="qcow2", resized=True, checked=True)
