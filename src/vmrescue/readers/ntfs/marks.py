"""How NTFS stores a file: marks for listings, and why its content cannot be read from the disk alone.

A reparse point is handled by a driver in Windows, which may give other content than the file's clusters: those of a
Compact OS (WOF) file are zeros. So reading the content of such files is refused, with the driver's name.
Source: Microsoft, MS-FSCC 2.1.2.1 "Reparse Tags".
"""

from __future__ import annotations

from functools import partial
from os import SEEK_END
from typing import TYPE_CHECKING, BinaryIO, cast

from dissect.ntfs.c_ntfs import ATTRIBUTE_TYPE_CODE

from vmrescue.readers.joined_stream import JoinedStream
from vmrescue.readers.ntfs.content import content_of
from vmrescue.readers.ntfs.standard import (
    DATA_ENCRYPTED,
    DATA_PACKED,
    DATA_SPARSE,
    OFFLINE,
    RECALL,
    STANDARD,
    Standard,
    marks_from,
    standard_from,
)
from vmrescue.reparse_tags import WOF, WOF_STREAM, title

if TYPE_CHECKING:
    from dissect.ntfs.mft import MftRecord

ALIGN = 4096  # bytes
JUNCTION, SYMBOLIC_LINK, DEDUPLICATED = 0xA0000003, 0xA000000C, 0x80000013
CLOUD, CLOUD_NUMBER = 0x9000001A, 0xF000  # tag of cloud stores; the bits that number the sixteen of them
MARKS = {WOF: "WOF", JUNCTION: "junction", SYMBOLIC_LINK: "symbolic link", DEDUPLICATED: "deduplicated", CLOUD: "cloud"}
WHY = {
    WOF: "is compressed by WOF (compact OS), which vmrescue does not unpack: its own clusters hold no content",
    DEDUPLICATED: "is deduplicated: its content lies in the volume's chunk store, which vmrescue does not read",
    SYMBOLIC_LINK: "is a symbolic link, which is not followed: offline, its target may mean something else",
    JUNCTION: "is a junction, which is not followed: offline, its target may mean something else",
    CLOUD: "is a placeholder: its content is with a cloud store (as OneDrive), not on this disk",
}


def standard_of(record: MftRecord) -> Standard:
    """Of a file that has none, nothing."""
    for found in record.attributes[ATTRIBUTE_TYPE_CODE.STANDARD_INFORMATION]:
        return standard_from(found.header.open().read(STANDARD.size))
    return Standard(None, 0)


def marks_of(record: MftRecord, standard: Standard | None = None) -> tuple[str, ...]:
    """Marks of how a file or directory is stored, if not as plain content on the disk."""
    marks, tag = marks_from((standard or standard_of(record)).attributes, _data_flags(record)), tag_of(record)
    return (*marks, MARKS.get(tag, f"reparse point {tag:08X}")) if tag is not None else marks


def storage_of(record: MftRecord) -> tuple[str, ...]:
    """How the content itself is stored, if not as plain bytes."""
    flags = _data_flags(record)
    kinds = {"encrypted": DATA_ENCRYPTED, "compressed": DATA_PACKED, "sparse": DATA_SPARSE}
    return tuple(kind for kind, flag in kinds.items() if flags & flag)


def why_not_read(record: MftRecord) -> str | None:
    """Why a file's content is not what its clusters have; None if it is."""
    tag = tag_of(record)
    if tag == CLOUD and not standard_of(record).attributes & (OFFLINE | RECALL):
        tag = None  # the content is all on the disk
    if tag is not None:
        why = f"is a reparse point ({title(tag)}): its content is not what its clusters hold"
        return WHY.get(tag, why)
    if _data_flags(record) & DATA_ENCRYPTED:
        return "is encrypted (EFS): without its owner's key its content cannot be read"
    return None


def packed_form(record: MftRecord) -> BinaryIO | None:
    """What the disk holds of a file that WOF has compressed: its reparse point, and the stream behind it, if there is
    one (else the content is in a WIM file); None for other files.
    """
    if tag_of(record) != WOF:
        return None
    parts = [content_of(record, "", ATTRIBUTE_TYPE_CODE.REPARSE_POINT)]
    if record.attributes.find(WOF_STREAM, ATTRIBUTE_TYPE_CODE.DATA):
        parts.append(content_of(record, WOF_STREAM))
    return cast("BinaryIO", JoinedStream([(part.seek(0, SEEK_END), partial(_read_at, part)) for part in parts], ALIGN))


def _read_at(stream: BinaryIO, offset: int, length: int) -> bytes:
    stream.seek(offset)
    return stream.read(length)


def tag_of(record: MftRecord) -> int | None:
    """The tag of a reparse point, the same for all cloud stores."""
    for found in record.attributes[ATTRIBUTE_TYPE_CODE.REPARSE_POINT]:
        tag = int.from_bytes(found.header.open().read(4), "little")
        return CLOUD if tag & ~CLOUD_NUMBER == CLOUD else tag
    return None


def _data_flags(record: MftRecord) -> int:
    flags = 0
    for found in record.attributes.find("", ATTRIBUTE_TYPE_CODE.DATA):
        flags |= int(found.header.flags)
    return flags
