"""E01: EnCase's container, in one or more segments in the same folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vmrescue.errors import FormatError
from vmrescue.image.containers.advice import EWF_ADVICE
from vmrescue.image.containers.foreign.disk import Foreign, filled
from vmrescue.readers.ewf import SEGMENT_NUMBER_AT, check_segment, open_ewf, segment_number

if TYPE_CHECKING:
    from vmrescue.image.containers.foreign.pieces import Pieces
    from vmrescue.readers.opened_disk import OpenedDisk


def _open(pieces: Pieces) -> OpenedDisk:
    segments = [pieces.first]
    found: list[bytes] = []
    _refuse_later_segment(pieces)
    while (last := check_segment(segments[-1], len(segments), found)) == b"next":
        segments.append(pieces.beside(_name(pieces.path or "", len(segments) + 1)))
    if last != b"done":
        raise FormatError("E01 image", None, "a last section 'done' or 'next'", last)
    return open_ewf(segments, found)


def _refuse_later_segment(pieces: Pieces) -> None:
    """Raises UnsupportedError for a later segment, and says which file to name instead."""
    number = segment_number(pieces.first)
    if number > 1 and pieces.path:
        own = Path(pieces.path)
        first = own.with_name(f"{own.name[:-2]}01") if number <= 99 else own.with_suffix(f".{own.suffix[1:2]}01")
        raise FormatError(
            "E01 segment",
            SEGMENT_NUMBER_AT,
            "segment number 1",
            f"{number}: it is a later piece of an image; name the first one, {first}",
        )


def _name(path: str, number: int) -> str:
    """The name of segment `number`: E01 … E99, EAA … EZZ, FAA … (libewf, 2.1)."""
    stem, letter = Path(path).name[:-3], Path(path).name[-3:-2]
    if number <= 99:
        return f"{stem}{letter}{number:02}"
    index = number - 100
    first = "A" if letter.isupper() else "a"
    letters = (ord(letter) + index // 676, ord(first) + index // 26 % 26, ord(first) + index % 26)
    return stem + "".join(map(chr, letters))


# libewf, "Expert Witness Compression Format"
E01 = Foreign("E01", _open, filled(EWF_ADVICE))
