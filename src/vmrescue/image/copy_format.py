"""The table of formats of a copy: the format in which each is first made, and the program that converts it.

vmrescue writes VHDs, VHDX and raw images itself. It does not write QCOW2: such a copy is made and repaired as a raw
image, and at the end `qemu-img` converts it (`qemu.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.errors import RefusedError, UsageError
from vmrescue.image.containers.vhd_create import fill_dynamic, fill_fixed
from vmrescue.image.containers.vhd_layout import BIGGEST
from vmrescue.image.containers.vhdx.create import fill_vhdx
from vmrescue.image.containers.vhdx.layout import BIGGEST as LARGEST_VHDX
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
        name: the value of ``--to-format``.
        title: its name in messages.
        fill: writes an empty disk into a new file, given its size and that of its sectors in bytes: in this format, or
            raw if `qemu-img` converts it.
        multiple: the disk's size is rounded up to a multiple of this, in bytes.
        sector_size: bytes; None if a disk with sectors of any size fits.
        longest: most bytes that the disk can have; None if only the file system sets a limit.
        qemu: `qemu-img`'s name of the format, if `qemu-img` makes it at the end; else None.
    """

    name: str
    title: str
    fill: Callable[[NewImage, int, int], None]
    multiple: int = SECTOR
    sector_size: int | None = SECTOR
    longest: int | None = None
    qemu: str | None = None

    def size_of(self, size: int) -> int:
        """The size of a copy of a disk of `size` bytes. Raises RefusedError if the format does not allow it."""
        rounded = -(-size // self.multiple) * self.multiple
        if self.longest is not None and rounded > self.longest:
            raise RefusedError(f"{self.title} holds {self.longest} bytes at most, and the disk has {size}")
        return rounded


def _fill_raw(new: NewImage, size: int, sector_size: int) -> None:
    file = FileDevice(new.unfinished, writable=True)
    try:
        file.resize(size)
        file.flush()
    finally:
        file.close()


def _fill_fixed(new: NewImage, size: int, sector_size: int) -> None:
    fill_fixed(new, size)


def _fill_dynamic(new: NewImage, size: int, sector_size: int) -> None:
    fill_dynamic(new, size)


# Azure accepts only fixed VHDs of whole MiB (Microsoft, "Prepare a Windows VHD or VHDX to upload to Azure").
FORMATS = {
    each.name: each
    for each in (
        CopyFormat("vhd", "a fixed VHD", _fill_fixed, multiple=MIB),
        CopyFormat("vhd-dynamic", "a dynamic VHD", _fill_dynamic, longest=BIGGEST),
        CopyFormat("raw", "a raw image", _fill_raw, sector_size=None),
        CopyFormat("vhdx", "a VHDX", fill_vhdx, sector_size=None, longest=LARGEST_VHDX),
        CopyFormat("qcow2", "a QCOW2", _fill_raw, sector_size=None, qemu="qcow2"),
    )
}
BY_SUFFIX = {".vhdx": "vhdx", ".qcow2": "qcow2", ".raw": "raw", ".img": "raw"}
NOT_MADE = (".vmdk", ".vdi", ".qcow", ".qed", ".hds", ".hdd", ".luks", ".e01", ".avhd", ".avhdx")  # but read


def format_for(path: str | os.PathLike[str], name: str | None = None) -> CopyFormat:
    """The format named, else the one of the file's suffix, else a fixed VHD.

    Raises UsageError where no such format is made: what is in the file would not be what its suffix says.
    """
    if name is None and Path(path).suffix.lower() in NOT_MADE:
        raise UsageError(
            f"no copy is made as {Path(path).suffix}: give it another name (.vhd, .vhdx, .qcow2, .raw), or say what it"
            f" is to be with --to-format (to_format): {', '.join(FORMATS)}"
        )
    wanted = name or BY_SUFFIX.get(Path(path).suffix.lower(), "vhd")
    if wanted not in FORMATS:
        raise UsageError(f"a copy is made as {', '.join(FORMATS)}, not as {wanted!r:.40}")
    return FORMATS[wanted]
