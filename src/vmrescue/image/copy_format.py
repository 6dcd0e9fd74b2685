"""The table of forms that a copy can have: what each is made as, and who turns it into what it is to be.

A VHD and a raw image are written by vmrescue itself. A VHDX and a QCOW2 it reads and does not write: the copy is made
and repaired as a raw image, and `qemu-img` makes the other of it, last of all (`qemu.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vmrescue.errors import RefusedError, UsageError
from vmrescue.image.containers.vhd_create import fill_dynamic, fill_fixed
from vmrescue.image.containers.vhd_layout import BIGGEST
from vmrescue.image.transports.file import SECTOR, FileDevice

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from vmrescue.image.new_image import NewImage

MIB = 1 << 20


@dataclass(frozen=True)
class CopyFormat:
    """A row of the table.

    Attributes:
        name: as ``--to-format`` takes it.
        title: what it is, for people.
        fill: makes a new file such a disk of so many bytes, all zero, in the form in which it is worked on.
        multiple: of how many bytes the disk's size must be a multiple; it is rounded up.
        sector_size: bytes; None where the form has none of its own, so that a disk of any fits.
        longest: bytes that the disk can have; None where only the file system sets a limit.
        qemu: `qemu-img`'s name of the form, where that makes it in the end.
    """

    name: str
    title: str
    fill: Callable[[NewImage, int], None]
    multiple: int = SECTOR
    sector_size: int | None = SECTOR
    longest: int | None = None
    qemu: str | None = None

    def size_of(self, size: int) -> int:
        """The size of a copy of a disk of `size` bytes. Raises RefusedError where it has no room for it."""
        rounded = -(-size // self.multiple) * self.multiple
        if self.longest is not None and rounded > self.longest:
            raise RefusedError(f"{self.title} holds {self.longest} bytes at most, and the disk has {size}")
        return rounded


def _fill_raw(new: NewImage, size: int) -> None:
    file = FileDevice(new.unfinished, writable=True)
    try:
        file.resize(size)
        file.flush()
    finally:
        file.close()


# Azure takes fixed VHDs of whole MiB alone (Microsoft, "Prepare a Windows VHD or VHDX to upload to Azure").
FORMATS = {
    each.name: each
    for each in (
        CopyFormat("vhd", "a fixed VHD", fill_fixed, multiple=MIB),
        CopyFormat("vhd-dynamic", "a dynamic VHD", fill_dynamic, longest=BIGGEST),
        CopyFormat("raw", "a raw image", _fill_raw, sector_size=None),
        CopyFormat("vhdx", "a VHDX", _fill_raw, qemu="vhdx"),
        CopyFormat("qcow2", "a QCOW2", _fill_raw, sector_size=None, qemu="qcow2"),
    )
}
BY_SUFFIX = {".vhdx": "vhdx", ".qcow2": "qcow2", ".raw": "raw", ".img": "raw"}


def format_for(path: str | os.PathLike[str], name: str | None = None) -> CopyFormat:
    """The form of a copy: that of the name, else what its file's name ends in, else a fixed VHD. Raises UsageError."""
    wanted = name or BY_SUFFIX.get(Path(path).suffix.lower(), "vhd")
    if wanted not in FORMATS:
        raise UsageError(f"a copy is made as {', '.join(FORMATS)}, not as {wanted!r:.40}")
    return FORMATS[wanted]
