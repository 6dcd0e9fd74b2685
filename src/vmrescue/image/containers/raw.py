"""Raw images: the bytes of a disk, in a file or on a block device."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vmrescue.device import check_range, next_data, prefetch, refusal_of
from vmrescue.errors import FormatError, RefusedError
from vmrescue.image.containers.raw_pieces import may_be_cut, refuse_later_piece
from vmrescue.image.transports.file import SECTOR, check_growth
from vmrescue.image.virtual_disk import Container, Facts, SecondOpinion, sector_size_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmrescue.device import Range
    from vmrescue.image.transports.file import ImageStore

VHD_SUFFIX = ".vhd"
VHDX_SUFFIXES = (".vhdx", ".avhdx")
DEVICE = "a block device cannot be made longer from here: resize the disk where it is defined first"


class RawImage(Container):
    """A raw image: the bytes of the file or block device are those of the disk."""

    def __init__(self, store: ImageStore, path: str | None = None) -> None:
        named_vhd = path is not None and path.lower().endswith(VHD_SUFFIX)
        if store.size % SECTOR:
            what, footer = ("VHD", "a footer at its end, or ") if named_vhd else ("raw image", "")
            expected = f"{footer}a size of whole sectors of {SECTOR} bytes"
            raise FormatError(what, None, expected, f"{store.size} bytes", beyond=True)
        is_device = path is not None and Path(path).is_block_device()
        notes, refusal = [], refusal_of(store)
        if named_vhd:
            notes.append("there is no VHD footer at its end (cut short?), so it is read as a raw image")
        elif path is not None and path.lower().endswith(VHDX_SUFFIXES):
            notes.append("it does not begin as a VHDX does, so it is read as a raw image: it is damaged, or misnamed")
        if said := may_be_cut(store, path):
            notes.append(said)
            refusal = refusal or f"{said}; it is not edited: if it is all of the disk, rename it first"
        facts = Facts(
            "block device" if is_device else "raw image",
            notes=tuple(notes),
            refusal=refusal,
            flat=True,
            second_opinion=SecondOpinion.FILE,
            why_not_longer=DEVICE if is_device else None,
            lost_footer=named_vhd,
        )
        super().__init__(facts, store)
        self.store = store
        self.size = store.size
        self.sector_size = sector_size_of(store)

    def read_at(self, offset: int, length: int) -> bytes:
        check_range(self.facts.format, offset, length, self.size)
        return self.store.read_at(offset, length)

    def next_data(self, offset: int) -> int:
        return next_data(self.store, offset)

    def prefetch(self, ranges: Iterable[Range]) -> bool:
        return prefetch(self.store, ranges)

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        check_range(self.facts.format, offset, len(data), self.size)
        self.store.write_at(offset, data)

    def resize(self, size: int) -> None:
        """Makes the image `size` bytes long; the new bytes are zeros. Raises RefusedError if it cannot grow so."""
        if self.facts.why_not_longer:
            raise RefusedError(self.facts.why_not_longer)
        check_growth(self.size, size)
        self.store.resize(size)
        self.size = size

    def flush(self) -> None:
        self.store.flush()

    def close(self) -> None:
        self.store.close()


def open_raw(store: ImageStore, path: str | None, parent_folder: Path | None) -> RawImage:
    """Opens an image that is in no container. Raises UnsupportedError if it is only a piece of one."""
    refuse_later_piece(store, path)
    from vmrescue.image.containers.vmdk_pieces import refuse_flat_piece  # here, because most images are no raw ones

    refuse_flat_piece(store, path)
    return RawImage(store, path)
