"""Files that are only a piece of a VMDK: finds the descriptor that names them, which is to be opened instead.

A VMDK is one file with its descriptor in it, or a descriptor file and extents: sparse ones (``disk-s001.vmdk``), flat
ones (``disk-flat.vmdk``, ``disk-f001.vmdk``), or those of a snapshot (``disk-000001-delta.vmdk``). An extent opened by
itself looks like a disk with the rest missing. Source: VMware, "Virtual Disk Format 5.0".
"""

from __future__ import annotations

import re
import struct
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.errors import UnsupportedError
from vmrescue.files import open_untouched
from vmrescue.image.containers.foreign.kinds import VMDK_COWD, VMDK_DESCRIPTOR, VMDK_SPARSE
from vmrescue.image.containers.parents import files_of
from vmrescue.image.transports.file import SECTOR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.device import BlockDevice

SE_SPARSE = b"\xbe\xba\xfe\xca\0\0\0\0"  # ESXi 6.5 and later, of snapshots
LONGEST_DESCRIPTOR = 1 << 20
MOST_FILES = 1000  # most files of a folder that are read to find the descriptor
HEADER = struct.Struct("<12xQQQQ28xB")  # capacity, grain size, position and size of the descriptor, unclean shutdown
FLAGS_AT, COMPRESSED = 8, 1 << 16
EXTENT = re.compile(
    rb"^[ \t]*+(?P<line>(?:RW|RDONLY|NOACCESS)[ \t]++(?P<sectors>\d{1,15})[ \t]++(?P<kind>\w++)"
    rb'(?:[ \t]++"(?P<name>[^"\r\n]*+)"(?:[ \t]++(?P<start>\d{1,15}))?)?[^\r\n]*+)',
    re.MULTILINE,
)
NUMBERED = re.compile(r"(?P<stem>.+)-[sf]\d{3,}\.vmdk", re.IGNORECASE)
NAMED = re.compile(r"(?P<stem>.+?)-(?:[sf]\d{3,}|flat|delta|sesparse)\.vmdk", re.IGNORECASE)


@dataclass(frozen=True)
class Extent:
    """A part of the disk, from a line of a descriptor.

    Attributes:
        sectors: its length, in sectors of 512 bytes.
        kind: ``FLAT``, ``SPARSE``, …
        name: its file, without folders; None if the line names none.
        start: the sector of the file at which it begins.
        line: the line as written in the descriptor.
    """

    sectors: int
    kind: str
    name: str | None
    start: int
    line: str


def extents_of(descriptor: bytes) -> list[Extent]:
    """The extents that a descriptor lists."""
    return [
        Extent(
            int(found["sectors"]),
            found["kind"].decode(),
            None if found["name"] is None else PureWindowsPath(found["name"].decode("utf-8", "replace")).name,
            int(found["start"] or 0),
            found["line"].decode("utf-8", "replace").strip(),
        )
        for found in EXTENT.finditer(descriptor)
    ]


def refuse_piece(store: BlockDevice, path: str | None) -> None:
    """Raises UnsupportedError if `store`, a sparse extent, is not a whole disk.

    The caller has checked the signature.
    """
    if store.read_at(0, len(VMDK_COWD)) == VMDK_COWD:
        raise _piece(path, "a sparse extent of ESX")
    capacity, _, place, size, _ = HEADER.unpack(store.read_at(0, HEADER.size))
    length = min(size * SECTOR, LONGEST_DESCRIPTOR, max(0, store.size - place * SECTOR))
    own = store.read_at(place * SECTOR, length) if place and length else b""
    if VMDK_DESCRIPTOR not in own:  # QEMU leaves room for a descriptor in each extent without writing one
        raise _piece(path, "a sparse extent without a descriptor")
    extents = extents_of(own)
    if len(extents) > 1 or sum(extent.sectors for extent in extents) > capacity:
        others = ", ".join(dict.fromkeys(extent.name or "zeros" for extent in extents))
        raise UnsupportedError(f"{path} is a piece of a disk that consists of {others}: convert it with VMware's tools")


def was_left_open(store: BlockDevice) -> bool:
    """Whether a sparse extent's header says that it was not closed."""
    return store.read_at(0, 4) == VMDK_SPARSE and bool(HEADER.unpack(store.read_at(0, HEADER.size))[-1])


def is_compressed(store: BlockDevice) -> bool:
    """Whether the grains of a sparse extent are compressed, as in a stream-optimised VMDK."""
    return store.read_at(0, 4) == VMDK_SPARSE and bool(
        int.from_bytes(store.read_at(FLAGS_AT, 4), "little") & COMPRESSED
    )


def refuse_flat_piece(store: BlockDevice, path: str | None) -> None:
    """Raises UnsupportedError for a file that looks like a raw image but is an extent of a larger disk."""
    if path is None or not path.lower().endswith(".vmdk"):
        return
    if store.read_at(0, min(len(SE_SPARSE), store.size)) == SE_SPARSE:
        raise _piece(path, "an extent of a snapshot")
    if owner := _owner(path):
        _, extents = owner
        whole = len(extents) == 1 and not extents[0].start and extents[0].sectors * SECTOR == store.size
        if not whole:
            raise _piece(path, "an extent")
    elif NUMBERED.fullmatch(Path(path).name):
        raise _piece(path, "an extent, by its name,")


def _piece(path: str | None, what: str) -> UnsupportedError:
    owner = _owner(path) if path else None
    if owner:
        advice = f"name the descriptor, {owner[0]}"
    else:
        match = NAMED.fullmatch(Path(path or "").name)
        name = f", such as {match['stem']}.vmdk," if match else ""
        advice = f"name the descriptor{name} which is not beside it"
    return UnsupportedError(f"{path} is {what} of a VMDK, a piece and not the disk: {advice}")


def _owner(path: str) -> tuple[Path, list[Extent]] | None:
    """The descriptor, in the file's folder, that names the file as an extent; and all extents in it. None if none."""
    own = Path(path)
    for each in _beside(own):
        try:
            with open(each, "rb", opener=open_untouched) as stream:
                head = stream.read(LONGEST_DESCRIPTOR) if stream.read(len(VMDK_DESCRIPTOR)) == VMDK_DESCRIPTOR else b""
        except OSError:
            continue
        extents = extents_of(head)
        if any((extent.name or "").lower() == own.name.lower() for extent in extents):
            return each, extents
    return None


def _beside(own: Path) -> Iterator[Path]:
    """Files that may be the descriptor, likeliest first."""
    if not own.is_file():
        return
    try:
        files = [each for each in files_of(own.parent) if each.suffix.lower() == ".vmdk" and each.name != own.name]
    except OSError:
        return
    match = NAMED.fullmatch(own.name)
    likely = f"{match['stem']}.vmdk".lower() if match else ""
    yield from sorted(files, key=lambda each: each.name.lower() != likely)[:MOST_FILES]
