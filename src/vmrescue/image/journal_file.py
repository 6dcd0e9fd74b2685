"""The undo journal's file: the bytes that a commit overwrites, and the hashes of the bytes that it writes.

Layout, little-endian: a header; for each region, its record and its old bytes; for each sign (`signs`), its record,
label and ranges; an end record, without which the file is torn. A region's lengths before and after differ if the image
itself grows or shrinks. The first format, which is still read, has no signs.
"""

from __future__ import annotations

import hashlib
import os
import struct
from bisect import bisect_right
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.device import SideBySide, prefetch
from vmrescue.errors import ReadError, RefusedError, WriteError, bytes_text
from vmrescue.files import open_regular
from vmrescue.image.commit_step import ONE_STEP, ranges_of
from vmrescue.image.journal_place import HOT
from vmrescue.image.overlay import differences
from vmrescue.image.signs import NOTHING, Comparison, Sign, compare, digest_of, joined
from vmrescue.image.witness import FEW, SAMPLES, spread, witness
from vmrescue.interrupts import checkpoint
from vmrescue.units import by_number, counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from vmrescue.device import BlockDevice, Range
    from vmrescue.image.commit_step import Step
    from vmrescue.image.overlay import Overlay
    from vmrescue.image.transports.file import ImageStore

MAGICS = (b"vmrjrnl1", b"vmrjrnl2")
REGION_TAG = b"REGN"
SIGN_TAG = b"SIGN"
END_TAG = b"DONE"
HEADER = struct.Struct("<8sQQQ16s32s")  # magic, Unix time, size before, size after, container's unique id, witness
REGION = struct.Struct("<4sQII32s32s")  # tag, offset, length before, length after, SHA-256 before, SHA-256 after
SIGN = struct.Struct("<4sII32s")  # tag, bytes of the label, number of ranges, hash; label and ranges follow
RANGE = struct.Struct("<QQ")  # offset, length
END = struct.Struct("<4sQ32s")  # tag, number of regions, SHA-256 of everything before this record
LATEST = 253_402_300_799  # Unix time: the last second of the year 9999, Python's last date
LONGEST = 1 << 20  # most bytes of a region; longer ranges are cut, so that a region fits in memory
LONGEST_LABEL = 1000  # bytes
MOST_RANGES = 1 << 20  # most ranges of a sign
MOST_SIGNS = 10_000

OLDER = (
    "whether somebody else wrote to the image since: the journal is of an older vmrescue, which kept no signs of that"
)
NOT_COMPARED = Comparison()
GROWN = "what lies behind the image's old end"
SPREAD = "pages spread over the image"


@dataclass(frozen=True)
class Region:
    """A range of the image that a commit changes; `position` is where its old bytes are in the journal."""

    offset: int
    length_before: int
    length_after: int
    hash_before: bytes
    hash_after: bytes
    position: int

    @property
    def range(self) -> tuple[int, int]:
        return self.offset, max(self.length_before, self.length_after)


@dataclass(frozen=True)
class Journal:
    """An undo journal, as read from its file.

    Attributes:
        created: Unix time.
        unique_id: the container's, or zeros.
        version: version of the journal's format; 1 has no signs.
        found: the signs that were compared when the journal was applied.
    """

    path: Path
    created: int
    size_before: int
    size_after: int
    unique_id: bytes
    witness: bytes
    regions: tuple[Region, ...]
    version: int = 2
    signs: tuple[Sign, ...] = ()
    found: Comparison = NOT_COMPARED

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """(offset, length) of what the commit writes."""
        return [region.range for region in self.regions]

    @property
    def number(self) -> int:
        """The journal's number: 1 for the image's first repair."""
        return int(self.path.stem)

    @property
    def state(self) -> str:
        """`hot`, `done`, `undone`, or `final` (no regions; earlier repairs cannot be undone)."""
        return self.path.suffix[1:]

    def restore(self, device: ImageStore, steps: Sequence[Step] = ONE_STEP) -> None:
        """Restores the old size and the old bytes of the image. Bytes that are right already are not written.

        The file is cut last, once the old bytes are on stable storage: no table in it leads beyond its end meanwhile.

        Args:
            steps: the order in which they are written, with a sync between each and the next (`commit_step`).
        """
        device.resize(max(self.size_before, device.size))
        prefetch(device, self.ranges)
        kept = [(region.offset, region.length_before) for region in self.regions if region.length_before]
        with _reading(self.path) as file:
            for number, (step, ranges) in enumerate(zip(steps, ranges_of(steps, kept), strict=True)):
                if number:
                    device.flush()
                try:
                    write_parts(device, step.passing.items())
                    write_parts(device, self._old_parts(device, file, ranges))
                except WriteError:  # perhaps the disk is full; old bytes alone need no room that was not there
                    if len(steps) == 1:
                        raise
                    break
            if len(steps) > 1:  # whatever the steps were
                write_parts(device, self._old_parts(device, file, kept))
        if device.size > self.size_before:
            device.flush()
            device.resize(self.size_before)

    def _old_parts(self, device: ImageStore, file: int, ranges: Iterable[Range]) -> Iterator[tuple[int, bytes]]:
        """What is to be written in `ranges`, each of which is in one region."""
        starts = [region.offset for region in self.regions]
        checked = None
        for offset, length in ranges:
            region = self.regions[bisect_right(starts, offset) - 1]
            if region is not checked:
                checked, old = region, os.pread(file, region.length_before, region.position)
                if hashlib.sha256(old).digest() != region.hash_before:
                    raise _damaged(self.path, region.position, "bytes that match their checksum")
            wanted = old[offset - region.offset : offset - region.offset + length]
            for start, end in differences(device.read_at(offset, length), wanted):  # so that holes stay holes
                yield offset + start, wanted[start:end]

    def check_identity(self, image: BlockDevice) -> None:
        """Raises RefusedError unless this can be the journal's image, before, during or after the commit."""
        smaller, larger = sorted((self.size_before, self.size_after))
        if not smaller <= image.size <= larger:
            raise RefusedError(
                f"the undo journal {self.path} belongs to another image: that has {self.size_before} bytes"
                f" ({self.size_after} when repaired), this one {image.size}"
            )
        if witness(image, self.ranges, smaller, samples=self.version == 1) != self.witness:
            raise RefusedError(
                f"the undo journal {self.path} belongs to another image, or this one was changed by other means since;"
                " if the image is right as it is, move the journal elsewhere"
            )

    def check_untouched(self, image: BlockDevice) -> None:
        """Raises RefusedError unless all bytes that the commit wrote are still there."""
        if image.size != self.size_after:
            raise RefusedError(
                f"the image has {image.size} bytes; repair {self.number} left it with {self.size_after}: it was"
                " changed by somebody else since; nothing was undone"
            )
        prefetch(image, self.ranges)
        for region in self.regions:
            found = _read_inside(image, region.offset, region.length_after)
            if hashlib.sha256(found).digest() != region.hash_after:
                raise RefusedError(
                    f"{counted(region.length_after, 'byte')} at byte {region.offset} of the image"
                    f" {by_number(region.length_after, 'was', 'were')} changed"
                    f" after repair {self.number} wrote them: somebody else has written to it since; nothing was undone"
                )
        self.check_identity(image)

    def compare(self, image: BlockDevice) -> Comparison:
        """Compares the signs of other writers. The image may be as before, during or after the commit."""
        if self.version == 1:
            return Comparison(unknown=(OLDER,))
        ranges, smaller = self.ranges, min(self.size_before, self.size_after)
        found = compare(image, self.signs, ranges, smaller)
        if self.size_after > self.size_before:  # new bytes that the commit did not write are zeros
            grown = Sign(GROWN, ((self.size_before, self.size_after - self.size_before),), NOTHING)
            more = compare(image, [grown], ranges, self.size_after)
            found = Comparison(found.same + more.same, found.different + more.different, found.unknown)
        return found


def write_parts(device: BlockDevice, parts: Iterable[tuple[int, bytes]]) -> None:
    """Writes parts of a commit, (offset, bytes), in any order, because a hot journal restores whichever were written.

    Side by side, if the device takes them so; else one after the other.
    """
    if isinstance(device, SideBySide):
        device.write_parts(parts)
        return
    for offset, data in parts:
        device.write_at(offset, data)


def cut_ranges(image: BlockDevice, overlay: Overlay, touched: Iterable[tuple[int, int]] = ()) -> list[tuple[int, int]]:
    """The ranges in which the image differs from the overlay, each at most `LONGEST` bytes.

    `touched`: (offset, length) of further bytes that a commit writes.
    """
    ranges = overlay.changed_ranges()
    if more := list(touched):
        ranges = list(joined([*ranges, *more]))
    if overlay.size < image.size:
        ranges.append((overlay.size, image.size - overlay.size))
    return [
        (at, min(LONGEST, offset + length - at))
        for offset, length in ranges
        for at in range(offset, offset + length, LONGEST)
    ]


def write_journal(
    path: Path,
    image: BlockDevice,
    overlay: Overlay,
    ranges: list[tuple[int, int]],
    unique_id: bytes,
    created: int,
    signs: Sequence[Sign] = (),
) -> None:
    """Writes and syncs a journal for `ranges` (of `cut_ranges`). Raises WriteError, ReadError."""
    smaller = min(image.size, overlay.size)
    known_by = witness(image, ranges, smaller)
    pages = spread(smaller, FEW if prefetch(image) else SAMPLES)
    signs = [Sign(SPREAD, pages), *signs] if ranges else []
    prefetch(image, [*ranges, *(part for sign in signs for part in sign.ranges)])
    with _new_file(path) as append:
        digest = hashlib.sha256()
        header = HEADER.pack(MAGICS[-1], created, image.size, overlay.size, unique_id, known_by)
        kept = (_sign_record(sign, digest_of(image, sign.ranges, ranges, smaller)) for sign in signs)
        for piece in chain([header], _pieces(image, overlay, ranges), kept):
            digest.update(piece)
            append(piece)
        append(END.pack(END_TAG, len(ranges), digest.digest()))


def _pieces(image: BlockDevice, overlay: Overlay, ranges: list[tuple[int, int]]) -> Iterator[bytes]:
    """The record of each range, with the image's old bytes."""
    for offset, length in ranges:
        checkpoint()
        old = _read_inside(image, offset, length)
        new = _read_inside(overlay, offset, length)
        hashes = hashlib.sha256(old).digest(), hashlib.sha256(new).digest()
        yield REGION.pack(REGION_TAG, offset, len(old), len(new), *hashes) + old


def _sign_record(sign: Sign, digest: bytes) -> bytes:
    label = sign.label.encode("utf-8", "replace")[:LONGEST_LABEL]
    ranges = b"".join(RANGE.pack(*part) for part in sign.ranges)
    return SIGN.pack(SIGN_TAG, len(label), len(sign.ranges), digest) + label + ranges


def read_journal(path: Path) -> Journal:
    """Reads and checks a whole journal, region by region. Raises RefusedError if it is damaged, ReadError."""
    with _reading(path) as file:
        reader = _Reader(path, file)
        magic, created, size_before, size_after, unique_id, known_by = HEADER.unpack(reader.take(HEADER.size))
        if magic not in MAGICS or created > LATEST:
            raise _damaged(path, 0, f"{bytes_text(MAGICS[-1])}, and a time before the year 10000")
        regions: list[Region] = []
        while (tag := reader.peek(len(REGION_TAG))) == REGION_TAG:
            _, offset, before, after, old, new = REGION.unpack(reader.take(REGION.size))
            region = Region(offset, before, after, old, new, reader.position)
            length = max(before, after)
            fits = (before, after) == (_clip(offset, length, size_before), _clip(offset, length, size_after))
            if not fits or not 0 < length <= LONGEST or (regions and offset < sum(regions[-1].range)):
                raise _damaged(path, reader.position, "a region inside the image, behind the last one")
            reader.take(before)
            regions.append(region)
        signs: list[Sign] = []
        while magic != MAGICS[0] and reader.peek(len(SIGN_TAG)) == SIGN_TAG and len(signs) < MOST_SIGNS:
            signs.append(_read_sign(reader, max(size_before, size_after)))
        tag = reader.peek(len(END_TAG))
        total = reader.digest.digest()
        end_at = reader.position
        if tag != END_TAG or END.unpack(reader.take(END.size)) != (END_TAG, len(regions), total):
            raise _damaged(path, end_at, "an end record that matches what precedes it")
    lost = sum(region.length_before for region in regions if region.offset >= size_after)
    if lost < size_before - size_after:
        raise _damaged(path, 0, "all the bytes that the image lost")
    version = MAGICS.index(magic) + 1
    return Journal(path, created, size_before, size_after, unique_id, known_by, tuple(regions), version, tuple(signs))


def _read_sign(reader: _Reader, size: int) -> Sign:
    at = reader.position
    _, length, count, digest = SIGN.unpack(reader.take(SIGN.size))
    if length > LONGEST_LABEL or count > MOST_RANGES:
        raise _damaged(reader.path, at, f"a label of {LONGEST_LABEL} bytes and {MOST_RANGES} ranges at most")
    label = reader.take(length).decode("utf-8", "replace")
    ranges = tuple(RANGE.iter_unpack(reader.take(count * RANGE.size)))
    end = 0
    for offset, extent in ranges:
        if offset < end or not extent or offset + extent > size:
            raise _damaged(reader.path, at, "ranges inside the image, each behind the last one")
        end = offset + extent
    return Sign(label, ranges, digest)


class _Reader:
    """Reads a journal from its start, and hashes what was read."""

    def __init__(self, path: Path, file: int) -> None:
        self.path = path
        self.file = file
        self.position = 0
        self.digest = hashlib.sha256()

    def peek(self, length: int) -> bytes:
        return os.pread(self.file, length, self.position)

    def take(self, length: int) -> bytes:
        data = self.peek(length)
        if len(data) != length:
            raise _damaged(self.path, self.position, f"{length} bytes")
        self.digest.update(data)
        self.position += length
        return data


@contextmanager
def _new_file(path: Path) -> Iterator[Callable[[bytes], None]]:
    """Gives a function that appends to a new file. The file is synced and closed at the end. Raises WriteError."""

    def append(data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(file, view) :]

    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            yield append
            os.fsync(file)
        finally:
            os.close(file)
    except OSError as error:
        raise WriteError(f"cannot write {path}: {error.strerror}") from error


@contextmanager
def _reading(path: Path) -> Iterator[int]:
    try:
        file = open_regular(path, os.O_RDONLY)
        try:
            yield file
        finally:
            os.close(file)
    except OSError as error:
        raise ReadError(f"cannot read the undo journal {path}: {error.strerror}") from error


def _clip(offset: int, length: int, size: int) -> int:
    """How many of `length` bytes from `offset` are before `size`."""
    return max(0, min(length, size - offset))


def _read_inside(device: BlockDevice, offset: int, length: int) -> bytes:
    """As many of `length` bytes from `offset` as the device has."""
    inside = _clip(offset, length, device.size)
    return device.read_at(offset, inside) if inside else b""


def _damaged(path: Path, position: int, expected: str) -> RefusedError:
    """The error for a journal that does not hold what it must; only one that is hot has its image half written."""
    follows = "the image may be partly written" if path.suffix == f".{HOT}" else "the image stays as it is"
    return RefusedError(f"the undo journal {path} is damaged at byte {position}: expected {expected}; {follows}")
