"""The content of files: reading, and replacing in place.

New content of the same size is written to the clusters that the file has, only where it differs. No metadata changes,
not even the times. That is safe in every state but hibernation, because NTFS does not log file content. The file's
times stay those that Windows wrote, which matters as evidence.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from vmrescue.errors import RefusedError, UnsupportedError
from vmrescue.ntfs.data import METHOD_MASK
from vmrescue.ntfs.defrag.layout import Key, joined, read_layout
from vmrescue.ntfs.edit.placement import add_attribute, remove_attribute, resize, settle
from vmrescue.ntfs.edit.views import forget_reparse_point
from vmrescue.ntfs.structures.attribute import Attribute, Kind, Storage
from vmrescue.ntfs.structures.file_name import FileAttribute
from vmrescue.ntfs.structures.reparse import reparse_tag
from vmrescue.printable import quoted
from vmrescue.reparse_tags import WOF, WOF_STREAM, title

PACKED = METHOD_MASK | Storage.SPARSE  # flags of an attribute
MOST_AT_ONCE = 1 << 31  # bytes; more than any hive has. A larger file may be sparse, and is not read whole

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmrescue.ntfs.data import Stream
    from vmrescue.ntfs.store import File, FileStore


def open_content(file: File, path: str) -> Stream:
    """The unnamed data stream of a file. Raises RefusedError for a directory."""
    if file.is_directory:
        raise RefusedError(f"{quoted(path)} is a directory, not a file")
    return file.stream(Kind.DATA)


def read_content(file: File, path: str) -> bytes:
    """The whole content of a file.

    Raises:
        RefusedError: it is a directory.
        UnsupportedError: it is compressed, encrypted or kept elsewhere (a reparse point); or it is larger than the
            volume, because it is sparse.
    """
    stream = open_readable(file, path)
    return stream.read_at(0, stream.size)


def _check_readable(file: File, stream: Stream, path: str) -> None:
    if (tag := reparse_tag(file)) is not None:
        raise UnsupportedError(f"{quoted(path)} is a reparse point ({title(tag)}): its content is not read here")
    if stream.size > file.store.boot.volume_size:
        raise UnsupportedError(f"{quoted(path)} is sparse, with {stream.size} bytes larger than its volume")
    if stream.size > MOST_AT_ONCE:
        raise UnsupportedError(f"{quoted(path)} has {stream.size} bytes: at most {MOST_AT_ONCE} are read at once")


def open_readable(file: File, path: str) -> Stream:
    """The content of a file, to be read in parts. Raises as `read_content`."""
    stream = open_content(file, path)
    _check_readable(file, stream, path)
    return stream


def patched(content: bytes, parts: Iterable[tuple[int, bytes]]) -> bytes:
    """The content with parts replaced: (offset, bytes)."""
    changed = bytearray(content)
    for at, data in parts:
        changed[at : at + len(data)] = data
    return bytes(changed)


def is_packed(file: File, stream: Stream) -> bool:
    """Whether the content is compressed, by NTFS or WOF, or has holes."""
    return bool(stream.attribute.flags & PACKED) or reparse_tag(file) == WOF


def check_replaceable(file: File, stream: Stream, path: str) -> None:
    """Raises RefusedError if the content is encrypted or kept elsewhere, but where WOF has compressed it."""
    if (tag := reparse_tag(file)) not in (None, WOF):
        raise RefusedError(f"{quoted(path)} is a reparse point ({title(tag)}): its content is not rewritten")
    if stream.attribute.flags & Storage.ENCRYPTED:
        raise RefusedError(f"{quoted(path)} is encrypted: its content is not rewritten")


def check_rewritable(file: File, stream: Stream, path: str) -> None:
    """Raises RefusedError if the content is sparse, compressed, encrypted or kept elsewhere."""
    check_replaceable(file, stream, path)
    if reparse_tag(file) is not None:
        raise RefusedError(f"{quoted(path)} is a reparse point ({title(WOF)}): its content is not rewritten")
    if stream.attribute.flags & PACKED:
        name = "compressed" if stream.attribute.flags & METHOD_MASK else "sparse"
        raise RefusedError(f"{quoted(path)} is {name}: its content is not rewritten")


def fits_in_place(stream: Stream, data: bytes) -> bool:
    """Whether `data` can replace the content without a change of metadata."""
    if not stream.attribute.non_resident or len(data) != stream.size:
        return False
    return not any(data[stream.initialized :])  # bytes beyond the initialized size must stay zeros


def check_owned(store: FileStore, file: File, path: str) -> None:
    """Raises RefusedError if another attribute has clusters of a file's content too. Reads all file records."""
    own = Key(file.number, Kind.DATA, "")
    pieces = sorted(joined(file.runs(file.extents(Kind.DATA)).stored))
    starts = [first for first, _ in pieces]
    if not pieces:
        return
    for placed in read_layout(store, (starts[0], sum(pieces[-1]) - starts[0])):
        for first, length in placed.pieces if placed.key != own else ():
            before = bisect_left(starts, first + length) - 1
            if before >= 0 and first < sum(pieces[before]):
                raise RefusedError(
                    f"{quoted(path)} shares clusters with file record {placed.key.record}, {first} to"
                    f" {first + length - 1}: its content is not replaced before chkdsk has told whose they are"
                )


def write_in_place(stream: Stream, data: bytes) -> None:
    """Replaces the initialized part of a non-resident value."""
    stream.clusters.write_content(0, memoryview(data)[: stream.initialized])


def make_plain(file: File) -> FileAttribute:
    """Takes a compressed or sparse file's content away; what `replace_content` then gives it is plain.

    Returns the file's attributes that are no longer so; a named stream may still be packed.
    """
    _take_away(file, Kind.DATA)
    add_attribute(file, Attribute.resident(Kind.DATA, "", b""))
    gone = FileAttribute(0)
    if reparse_tag(file) == WOF:
        forget_reparse_point(file)
        _take_away(file, Kind.REPARSE_POINT)
        if file.find(Kind.DATA, WOF_STREAM):
            _take_away(file, Kind.DATA, WOF_STREAM)
        gone |= FileAttribute.REPARSE_POINT
    left = [attribute.flags for attribute in file.attributes(Kind.DATA)]
    for mask, attribute in ((METHOD_MASK, FileAttribute.COMPRESSED), (Storage.SPARSE, FileAttribute.SPARSE)):
        if not any(flags & mask for flags in left):
            gone |= attribute
    return gone


def _take_away(file: File, kind: int, name: str = "") -> None:
    """An attribute with its clusters."""
    extents = file.extents(kind, name)
    if extents[0].non_resident:
        file.store.clusters.free(file.runs(extents).stored)
    remove_attribute(file, kind, name)


def replace_content(file: File, data: bytes) -> None:
    """Replaces a file's content by content of another size: in the record if it fits there, else in clusters."""
    attribute = file.get(Kind.DATA)
    if not attribute.non_resident:
        attribute.value = b""
    resize(file, Kind.DATA, "", len(data))
    attribute = file.get(Kind.DATA)
    stored = bool(attribute.non_resident)
    if not stored:
        attribute.value = data
    settle(file)
    if stored:
        file.stream(Kind.DATA).clusters.write_content(0, memoryview(data))
