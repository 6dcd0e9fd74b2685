"""Containers that others make: VHDX, VMDK, QCOW2, VDI, E01 and raw images in pieces. They are read, never written.

The readers are those under dissect.target: dissect.hypervisor and dissect.evidence. They get open files and no paths,
so that an image cannot say which files of this machine are opened: further pieces are looked for in the image's own
folder only, by their plain names, and a disk that lies over a parent (a snapshot, a backing file) is not read at all.
"""

from __future__ import annotations

import re
import shlex
import struct
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any

from dissect.util.stream import AlignedStream

from vmrescue.device import check_range
from vmrescue.errors import FormatError, NotFoundError, RefusedError, UnsupportedError, VmRescueError, missing_extra
from vmrescue.image.containers.advice import EWF_ADVICE, QEMU_ADVICE
from vmrescue.image.containers.raw_pieces import ends_as_vhd, first_piece_of_vhd, join_advice, later_pieces
from vmrescue.image.containers.vmdk_pieces import DESCRIPTOR, refuse_piece, was_left_open
from vmrescue.image.transports.file import SECTOR, FileDevice
from vmrescue.image.virtual_disk import Container, Facts
from vmrescue.readers.foreign import (
    LONGEST_HEADER,
    bounded_ewf,
    bounded_sparse_disk,
    check_qcow2,
    unpacked,
)
from vmrescue.readers.stream import DeviceStream
from vmrescue.readers.vdi import check_vdi
from vmrescue.readers.vhdx import VhdxCopies, check_vhdx_block

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vmrescue.image.transports.file import Store

UNIT = 64 << 10  # bytes read ahead of a foreign reader, which asks for its tables field by field
NO_PARENT = b"ffffffff"
PARENT_CID = re.compile(rb'^[ \t]*+parentCID[ \t]*+=[ \t]*+"?([0-9a-fA-F]+)', re.MULTILINE)
VMDK_HEAD = 1 << 20  # bytes in which a VMDK's descriptor lies, be it the file or embedded in a sparse one
EWF_SECTION = struct.Struct("<16sQQ")  # libewf, "Expert Witness Compression Format", 3.2: type, next section, size
EWF_SECTION_SIZE = 76
EWF_HEADERS = (b"header", b"header2")  # the case's description, packed
EWF_ERRORS = b"error2"  # sectors that could not be read
EWF_FIRST_SECTION = 13
EWF_SEGMENT_NUMBER_AT = 9


@dataclass(frozen=True)
class Kind:
    """A container: what it is called, how it is recognised and opened, and what to do to write to it."""

    name: str
    open: Callable[[Pieces], Opened]
    advice: str = QEMU_ADVICE

    @property
    def described(self) -> str:
        """``a VHDX image``, ``an E01 image``."""
        return f"{'an' if self.name[0] in 'AEIOU' else 'a'} {self.name} image"


@dataclass(frozen=True)
class Opened:
    """A reader's disk: a seekable stream of `size` bytes.

    `step`: reads must not cross multiples of it; None where they may.
    """

    stream: Any
    size: int
    sector_size: int = SECTOR
    step: int | None = None
    warnings: tuple[str, ...] = ()


class Pieces:
    """The file of an image, and those beside it that belong to it; they are opened when they are asked for."""

    def __init__(self, store: Store, path: str | None) -> None:
        self.first = store
        self.path = path
        self._opened = ExitStack()
        self._opened.callback(store.close)

    @property
    def folder(self) -> Path | None:
        """Where further pieces are; None for an image that is no file on this machine."""
        return Path(self.path).parent if self.path and Path(self.path).is_file() else None

    def beside(self, name: str) -> Store:
        """A file in the image's own folder. Raises NotFoundError."""
        if self.folder is None:
            raise UnsupportedError(f"{self.path} has further pieces, and only those of a local file can be read")
        path = self.folder / PureWindowsPath(name).name
        if not path.is_file() or path.resolve().parent != self.folder.resolve():
            raise NotFoundError(f"{path}, a piece of {self.path}, is missing, or a link out of its folder")
        store = FileDevice(path)
        self._opened.callback(store.close)
        return store

    def close(self) -> None:
        self._opened.close()


@contextmanager
def _reading(structure: str, position: int | None) -> Iterator[None]:
    """Names what was read in place of a reader's own exception: damaged input makes them raise almost anything."""
    try:
        yield
    except VmRescueError:
        raise
    except ImportError as error:
        raise missing_extra(f"{structure}s are read with dissect's readers", "foreign") from error
    except Exception as error:
        found = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise FormatError(structure, position, "an intact structure", found) from error


class ForeignDisk(Container):
    """A disk in a container that vmrescue reads and does not write."""

    def __init__(self, kind: Kind, pieces: Pieces) -> None:
        super().__init__(Facts(f"{kind.name} image", refusal=str(refusal(kind, pieces.path))))
        self.store = pieces.first
        self._pieces = pieces
        with _reading(self.format, None):
            self._opened = kind.open(pieces)
        self.size = int(self._opened.size)  # dissect's may be a number of its own type, which no pickle takes
        self.sector_size = int(self._opened.sector_size)
        self.learn(notes=tuple(self._opened.warnings))
        if self.size <= 0:
            raise FormatError(self.format, None, "a disk of some size", f"{self.size} bytes")

    def read_at(self, offset: int, length: int) -> bytes:
        check_range(self.format, offset, length, self.size)
        parts = []
        end = offset + length
        step = self._opened.step
        with _reading(self.format, offset):
            while offset < end:
                count = end - offset if step is None else min(end - offset, step - offset % step)
                self._opened.stream.seek(offset)
                part = self._opened.stream.read(count)
                if len(part) != count:
                    raise FormatError(self.format, offset, f"{count} bytes of the disk", f"{len(part)}")
                parts.append(bytes(part))
                offset += count
        return b"".join(parts)

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        raise RefusedError(str(self.refusal))

    def resize(self, size: int) -> None:
        raise RefusedError(str(self.refusal))

    def flush(self) -> None:
        """Nothing was written."""

    def close(self) -> None:
        self._pieces.close()


def _open_vhdx(pieces: Pieces) -> Opened:
    from dissect.hypervisor import vhdx

    sound = VhdxCopies(pieces.first)
    try:
        disk = vhdx.VHDX(DeviceStream(sound, UNIT))
    except AttributeError as error:
        if error.name != "parent":  # of the path, which is not told
            raise
        raise UnsupportedError(f"{pieces.path} is a differencing VHDX: merge it with its parent first") from error
    check_vhdx_block(disk.block_size, disk.sector_size)
    # dissect.hypervisor 3.21 reads on behind a block in the file, whatever lies there
    return Opened(disk, disk.size, disk.sector_size, disk.block_size, tuple(sound.warnings))


def _open_qcow2(pieces: Pieces) -> Opened:
    from dissect.hypervisor.disk.qcow2 import QCow2

    warnings = check_qcow2(pieces.first)
    disk = QCow2(DeviceStream(pieces.first, UNIT), allow_no_backing_file=True, allow_no_data_file=True)
    if disk.needs_backing_file or disk.needs_data_file:
        other = disk.auto_backing_file or disk.image_data_file
        raise UnsupportedError(f"{pieces.path} lies over another file ({other}): {_advice(QCOW2, pieces.path)}")
    if disk.has_subclusters:  # dissect.hypervisor 3.21 takes a table entry for its bitmap, and may never come to an end
        raise UnsupportedError(f"{pieces.path} is a QCOW2 with subclusters: {_advice(QCOW2, pieces.path)}")
    return Opened(disk.open(), disk.size, warnings=warnings)


def _open_vdi(pieces: Pieces) -> Opened:
    from dissect.hypervisor.disk.vdi import VDI

    block_size, warnings = check_vdi(pieces.first, pieces.path)
    disk = VDI(DeviceStream(pieces.first, UNIT))
    # dissect.hypervisor 3.21 takes a read of several blocks from where the first of them lies
    return Opened(disk.open(), disk.size, step=block_size, warnings=warnings)


def _open_vmdk(pieces: Pieces) -> Opened:
    head = pieces.first.read_at(0, min(VMDK_HEAD, pieces.first.size))
    parent = PARENT_CID.search(head)
    if parent and parent[1].lower() != NO_PARENT:
        raise UnsupportedError(f"{pieces.path} is a VMDK snapshot, which lies over another: consolidate it first")
    if not head.startswith(DESCRIPTOR):
        refuse_piece(pieces.first, pieces.path)
        extent = _sparse_extent(pieces.first)
        return Opened(_Joined([extent]), extent.size, warnings=_left_open([pieces.first]))
    stores: list[Store] = []
    joined = _Joined(_vmdk_extents(pieces, head, stores))
    return Opened(joined, joined.size, warnings=_left_open(stores))


def _left_open(stores: list[Store]) -> tuple[str, ...]:
    said = "the VMDK was not closed cleanly: what was written last may be missing"
    return (said,) if any(map(was_left_open, stores)) else ()


def _vmdk_extents(pieces: Pieces, descriptor: bytes, stores: list[Store]) -> list[_Extent]:
    from dissect.hypervisor.disk.vmdk import DiskDescriptor

    extents = []
    for extent in DiskDescriptor.parse(descriptor.decode("utf-8", "replace")).extents:
        flat = extent.type in ("FLAT", "VMFS")
        sparse = extent.type in ("SPARSE", "VMFSSPARSE", "SESPARSE")
        if extent.filename is None or not (flat or sparse) or (flat and extent.start_sector):
            raise UnsupportedError(f"{pieces.path} has an extent that is not read: {extent.raw}")
        store = pieces.beside(extent.filename)
        if sparse:
            stores.append(store)
        extents.append(_flat_extent(store, extent.sectors * SECTOR) if flat else _sparse_extent(store))
    if not extents:
        raise FormatError("VMDK descriptor", None, "at least one extent")
    return extents


def _flat_extent(store: Store, size: int) -> _Extent:
    check_range("VMDK extent", 0, size, store.size)
    return _Extent(size, store.read_at)


def _sparse_extent(store: Store) -> _Extent:
    disk = bounded_sparse_disk()(DeviceStream(store, UNIT))
    return _Extent(disk.size, lambda offset, length: disk.read_sectors(offset // SECTOR, length // SECTOR))


def _open_ewf(pieces: Pieces) -> Opened:
    segments = [pieces.first]
    found: list[bytes] = []
    _refuse_later_segment(pieces)
    while (last := _check_ewf_segment(segments[-1], len(segments), found)) == b"next":
        segments.append(pieces.beside(_ewf_name(pieces.path or "", len(segments) + 1)))
    if last != b"done":
        raise FormatError("E01 image", None, "a last section 'done' or 'next'", last)
    disk = bounded_ewf()([DeviceStream(segment, UNIT) for segment in segments])
    if len(disk._segments) != min(len(segments), 128):  # it leaves out segments that it cannot parse
        raise FormatError("E01 image", None, f"{len(segments)} sound segments", f"{len(disk._segments)}")
    said = "the disk could not be read everywhere when this E01 image was acquired: such places are zero in it"
    return Opened(disk.open(), disk.size, disk.volume.sector_size, warnings=(said,) if EWF_ERRORS in found else ())


def _refuse_later_segment(pieces: Pieces) -> None:
    """A later segment by itself: which file is to be named instead."""
    number = int.from_bytes(pieces.first.read_at(EWF_SEGMENT_NUMBER_AT, 2), "little")
    if number > 1 and pieces.path:
        own = Path(pieces.path)
        first = own.with_name(f"{own.name[:-2]}01") if number <= 99 else own.with_suffix(f".{own.suffix[1:2]}01")
        raise FormatError(
            "E01 segment",
            EWF_SEGMENT_NUMBER_AT,
            "segment number 1",
            f"{number}: it is a later piece of an image; name the first one, {first}",
        )


def _check_ewf_segment(store: Store, number: int, seen: list[bytes]) -> bytes:
    """The type of a segment's last section; those that tell of errors are added to `seen`.

    The chain of sections must lead on: the reader would follow a circle.
    """
    found = int.from_bytes(store.read_at(EWF_SEGMENT_NUMBER_AT, 2), "little")
    if found != number:
        raise FormatError("E01 segment", EWF_SEGMENT_NUMBER_AT, f"segment number {number}", found)
    offset = EWF_FIRST_SECTION
    while True:
        raw = store.read_at(offset, EWF_SECTION_SIZE)
        kind, following, size = EWF_SECTION.unpack_from(raw)
        kind = kind.rstrip(b"\0")
        if kind == EWF_ERRORS:
            seen.append(kind)
        if kind in EWF_HEADERS:
            start = offset + EWF_SECTION_SIZE
            packed = store.read_at(start, min(size, store.size - start))
            unpacked(packed, LONGEST_HEADER, "E01 header", start)
        if kind in (b"done", b"next"):
            return bytes(kind)
        if following < offset + EWF_SECTION_SIZE:
            raise FormatError("E01 section", offset + 16, f"a next section after byte {offset}", following)
        offset = following


def _ewf_name(path: str, number: int) -> str:
    """The name of a further segment: E01 … E99, EAA … EZZ, FAA … (libewf, 2.1)."""
    stem, letter = Path(path).name[:-3], Path(path).name[-3:-2]
    if number <= 99:
        return f"{stem}{letter}{number:02}"
    index = number - 100
    first = "A" if letter.isupper() else "a"
    letters = (ord(letter) + index // 676, ord(first) + index // 26 % 26, ord(first) + index % 26)
    return stem + "".join(map(chr, letters))


@dataclass(frozen=True)
class _Extent:
    """A part of a disk; it is read in whole sectors."""

    size: int
    read_at: Callable[[int, int], bytes]


class _Joined(AlignedStream):  # type: ignore[misc]
    """Parts of a disk one after the other."""

    def __init__(self, extents: list[_Extent]) -> None:
        super().__init__(size=sum(extent.size for extent in extents), align=SECTOR)
        self._extents = extents

    def _read(self, offset: int, length: int) -> bytes:
        parts = []
        for extent in self._extents:
            if length > 0 and offset < extent.size:
                count = min(length, extent.size - offset)
                parts.append(extent.read_at(offset, count))
                offset, length = offset + count, length - count
            offset -= extent.size
        return b"".join(parts)


def _open_split(pieces: Pieces) -> Opened:
    stores = [pieces.first, *map(pieces.beside, later_pieces(pieces.path))]
    if ends_as_vhd(stores[-1]):
        raise first_piece_of_vhd(pieces.path)
    joined = _Joined([_Extent(store.size, store.read_at) for store in stores])
    return Opened(joined, joined.size)


QCOW2 = Kind("QCOW2", _open_qcow2)
SPLIT = Kind("split raw", _open_split)
KINDS = {
    kind.name: kind
    for kind in (
        Kind("VHDX", _open_vhdx),
        QCOW2,
        Kind("VMDK", _open_vmdk),
        Kind("VDI", _open_vdi),
        Kind("E01", _open_ewf, EWF_ADVICE),
        SPLIT,
    )
}


def open_foreign(kind: Kind, store: Store, path: str | None) -> ForeignDisk:
    """The disk in a foreign container, for reading; closing it closes `store`.

    Raises:
        FormatError: it is damaged.
        NotFoundError: a piece of it is missing.
        UnsupportedError: it lies over another image, or its reader is not installed.
    """
    pieces = Pieces(store, path)
    try:
        return ForeignDisk(kind, pieces)
    except BaseException:
        pieces.close()
        raise


def refusal(kind: Kind, path: str | None) -> RefusedError:
    """What whoever wants to write to such an image is told."""
    name = path or "the image"
    return RefusedError(f"{name} is {kind.described}, which is read and not written: {_advice(kind, path)}")


def _advice(kind: Kind, path: str | None) -> str:
    """What makes a disk of such an image that can be written to, as a command for a shell."""
    return join_advice(path) if kind is SPLIT and path else kind.advice.format(path=shlex.quote(path or "IMAGE"))
