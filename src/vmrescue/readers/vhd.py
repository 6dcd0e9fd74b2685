"""Reads a VHD through libvhdi, to confirm a commit.

libvhdi takes the disk's size from the field of the original size in the footer, so it shows a disk that was resized
since too short or too long. It is therefore given a footer with the current size in both fields. Source: Microsoft,
"Virtual Hard Disk Image Format Specification", 1.0.
"""

from __future__ import annotations

import struct
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from vmrescue.interrupts import held
from vmrescue.readers.stream import DeviceStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from vmrescue.device import Readable

SECTOR = 512
COOKIE = b"conectix"
SIZES_AT, CHECKSUM_AT = 40, 64  # original and current size (8 bytes each); checksum (4 bytes)
_SIZES = struct.Struct(">QQ")


@contextmanager
def open_vhd(files: Sequence[Readable]) -> Iterator[Callable[[int, int], bytes]]:
    """Gives the disk in a VHD as a function (offset, length) -> bytes.

    While libvhdi is at work, signals wait: it would report the exception of one as an image that cannot be read.

    Args:
        files: the image's bytes, then its parent's, then the parent's parent's, and so on.
    """
    import pyvhdi

    with ExitStack() as opened:
        below: Any = None
        with held():
            for file in reversed(files):
                image = pyvhdi.file()
                image.open_file_object(DeviceStream(_AsCreated(file)))
                opened.callback(image.close)
                if below is not None:
                    image.set_parent(below)
                below = image

        def read(offset: int, length: int) -> bytes:
            with held():
                return bytes(below.read_buffer_at_offset(length, offset))

        yield read


class _AsCreated:
    """A VHD's file with footers whose original size is the current size."""

    def __init__(self, file: Readable) -> None:
        self._file = file
        self.size = file.size
        last = file.size - (SECTOR - 1 if file.size % SECTOR == SECTOR - 1 else SECTOR)  # very old files lack a byte
        self._footers = {at: raw for at in {0, last} if at >= 0 and (raw := self._footer(at))}

    def _footer(self, at: int) -> bytes | None:
        """The changed footer for a position; None if there is no footer or it needs no change."""
        raw = bytearray(self._file.read_at(at, min(SECTOR, self.size - at)))
        if len(raw) < SECTOR - 1 or raw[: len(COOKIE)] != COOKIE:
            return None
        original, current = _SIZES.unpack_from(raw, SIZES_AT)
        if original == current:
            return None
        _SIZES.pack_into(raw, SIZES_AT, current, current)
        raw[CHECKSUM_AT : CHECKSUM_AT + 4] = bytes(4)
        raw[CHECKSUM_AT : CHECKSUM_AT + 4] = (~sum(raw) & 0xFFFFFFFF).to_bytes(4, "big")
        return bytes(raw)

    def read_at(self, offset: int, length: int) -> bytes:
        data = bytearray(self._file.read_at(offset, length))
        for at, footer in self._footers.items():
            low, high = max(at, offset), min(at + len(footer), offset + length)
            if low < high:
                data[low - offset : high - offset] = footer[low - at : high - at]
        return bytes(data)
