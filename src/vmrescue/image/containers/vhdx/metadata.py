"""The metadata of a VHDX: sizes, the disk's id, and where its parent is ([MS-VHDX] 2.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from vmrescue.dataclass import dataclass
from vmrescue.errors import FormatError, UnsupportedError, bytes_text
from vmrescue.image.containers.vhdx.layout import (
    BIGGEST,
    BLOCK_SIZES,
    DISK_ID,
    DISK_SIZE,
    FILE_PARAMETERS,
    HAS_PARENT,
    IS_REQUIRED,
    IS_USER,
    IS_VIRTUAL_DISK,
    LEAVE_ALLOCATED,
    LOCATOR_ENTRY,
    LOCATOR_HEAD,
    LOGICAL_SECTOR,
    METADATA_ENTRY,
    METADATA_HEAD,
    METADATA_SIGNATURE,
    METADATA_TABLE_SIZE,
    MIB,
    MOST_ENTRIES,
    NUMBER,
    PARAMETERS,
    PARENT_LOCATOR,
    PHYSICAL_SECTOR,
    SECTOR_SIZES,
    SIZE,
    VHDX_PARENT,
    Region,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vmrescue.device import Readable

LENGTHS = {FILE_PARAMETERS: 8, DISK_SIZE: 8, DISK_ID: 16, LOGICAL_SECTOR: 4, PHYSICAL_SECTOR: 4}  # bytes
NAMES = {
    FILE_PARAMETERS: "file parameters",
    DISK_SIZE: "virtual disk size",
    DISK_ID: "virtual disk id",
    LOGICAL_SECTOR: "logical sector size",
    PHYSICAL_SECTOR: "physical sector size",
    PARENT_LOCATOR: "parent locator",
}
MOST_KEYS = 64  # of a parent locator; the specification defines five
ITEMS_AT = METADATA_TABLE_SIZE  # where the first item is put, in bytes of the region


@dataclass(frozen=True)
class Metadata:
    """What the metadata say; sizes in bytes.

    Attributes:
        leave_allocated: whether all blocks are meant to stay in the file (a fixed disk).
        parent: the entries of the parent locator, key -> value; None for a disk without a parent.
        size_at: where in the file the disk's size is stored.
        further: (item, flags, bytes) of items that belong to the disk and that the format does not define: a child gets
            them too (2.6.1.2).
    """

    block_size: int
    leave_allocated: bool
    size: int
    disk_id: bytes
    sector_size: int
    physical_sector_size: int
    parent: Mapping[str, str] | None
    size_at: int = 0
    further: tuple[tuple[bytes, int, bytes], ...] = ()

    @property
    def blocks_of_chunk(self) -> int:
        """Blocks whose sectors one sector bitmap block describes: the chunk ratio."""
        return (self.sector_size << 23) // self.block_size

    @property
    def blocks(self) -> int:
        """Payload blocks of the disk."""
        return -(-self.size // self.block_size)

    @property
    def entries(self) -> int:
        """Entries of the block allocation table that the disk needs (2.5)."""
        if self.parent is None:
            return self.blocks + (self.blocks - 1) // self.blocks_of_chunk
        return -(-self.blocks // self.blocks_of_chunk) * (self.blocks_of_chunk + 1)


def read_metadata(store: Readable, region: Region) -> Metadata:
    """Reads the items that the format defines.

    Raises:
        FormatError: an item is missing, or says what the format does not allow.
        UnsupportedError: an item is required and not known, or the parent is not a VHDX.
    """
    found, further = _items(store, region)
    places = {item: region.offset + offset for item, (offset, _) in found.items()}

    def item(kind: bytes) -> bytes:
        if kind not in found or found[kind][1] < LENGTHS[kind]:
            what = f"the {NAMES[kind]}, of {LENGTHS[kind]} bytes"
            raise FormatError("VHDX metadata table", region.offset, what, "none" if kind not in found else "less")
        return store.read_at(places[kind], LENGTHS[kind])

    block_size, flags = PARAMETERS.unpack(item(FILE_PARAMETERS))
    (sector_size,) = NUMBER.unpack(item(LOGICAL_SECTOR))
    (physical,) = NUMBER.unpack(item(PHYSICAL_SECTOR)) if PHYSICAL_SECTOR in found else (sector_size,)
    (size,) = SIZE.unpack(item(DISK_SIZE))
    if block_size not in BLOCK_SIZES:
        raise FormatError("VHDX metadata", places[FILE_PARAMETERS], "blocks of 1, 2, 4, … 256 MiB", block_size)
    if sector_size not in SECTOR_SIZES:
        raise FormatError("VHDX metadata", places[LOGICAL_SECTOR], "sectors of 512 or 4096 bytes", sector_size)
    if not 0 < size <= BIGGEST or size % sector_size:
        raise FormatError("VHDX metadata", places[DISK_SIZE], "a size of whole sectors, up to 64 TiB", size)
    parent = None
    if flags & HAS_PARENT:
        if PARENT_LOCATOR not in found:
            raise FormatError("VHDX metadata table", region.offset, "a parent locator", "none")
        parent = _parent(store.read_at(places[PARENT_LOCATOR], found[PARENT_LOCATOR][1]), places[PARENT_LOCATOR])
    return Metadata(
        block_size=block_size,
        leave_allocated=bool(flags & LEAVE_ALLOCATED),
        size=size,
        disk_id=item(DISK_ID),
        sector_size=sector_size,
        physical_sector_size=physical,
        parent=parent,
        size_at=places[DISK_SIZE],
        further=tuple((item, flags, store.read_at(at, length)) for item, flags, at, length in further),
    )


def _items(store: Readable, region: Region) -> tuple[dict[bytes, tuple[int, int]], list[tuple[bytes, int, int, int]]]:
    """Item -> (offset in the region, length), of the items that the format defines; and of others that belong to the
    disk (item, flags, position in the file, length).
    """
    signature, count = METADATA_HEAD.unpack(store.read_at(region.offset, METADATA_HEAD.size))
    if signature != METADATA_SIGNATURE:
        raise FormatError(
            "VHDX metadata table", region.offset, f"the signature {bytes_text(METADATA_SIGNATURE)}", signature
        )
    if count > MOST_ENTRIES:
        raise FormatError("VHDX metadata table", region.offset + 10, f"at most {MOST_ENTRIES} entries", count)
    raw = store.read_at(region.offset + METADATA_HEAD.size, count * METADATA_ENTRY.size)
    found: dict[bytes, tuple[int, int]] = {}
    further: list[tuple[bytes, int, int, int]] = []
    for number, (item, offset, length, flags) in enumerate(METADATA_ENTRY.iter_unpack(raw)):
        at = region.offset + METADATA_HEAD.size + number * METADATA_ENTRY.size
        if (flags & IS_USER or item not in NAMES) and flags & IS_REQUIRED:
            raise UnsupportedError(
                f"the VHDX has an item {UUID(bytes_le=item)} in its metadata that must be understood, and is not known"
            )
        if length and not (offset >= ITEMS_AT and length <= MIB and offset + length <= region.length):
            raise FormatError("VHDX metadata table", at + 16, "an item inside the region", f"{length} at {offset}")
        if flags & IS_USER or item not in NAMES:
            if flags & IS_VIRTUAL_DISK:
                further.append((item, flags, region.offset + offset, length))
            continue
        if item in found:
            raise FormatError("VHDX metadata table", at, "each item once", f"{UUID(bytes_le=item)} twice")
        found[item] = offset, length
    if sum(length for *_, length in further) > region.length:
        raise FormatError("VHDX metadata table", region.offset, "items that do not overlap")
    return found, further


def _parent(raw: bytes, position: int) -> dict[str, str]:
    """The entries of a parent locator."""
    if len(raw) < LOCATOR_HEAD.size:
        raise FormatError("VHDX parent locator", position, f"{LOCATOR_HEAD.size} bytes", len(raw))
    kind, count = LOCATOR_HEAD.unpack_from(raw)
    if kind != VHDX_PARENT:
        raise UnsupportedError(f"the parent of the VHDX is of a kind that is not known, {UUID(bytes_le=kind)}")
    if count > MOST_KEYS or LOCATOR_HEAD.size + count * LOCATOR_ENTRY.size > len(raw):
        raise FormatError("VHDX parent locator", position + 18, "as many entries as it has room for", count)
    found = {}
    for number in range(count):
        at = LOCATOR_HEAD.size + number * LOCATOR_ENTRY.size
        key_at, value_at, key, value = LOCATOR_ENTRY.unpack_from(raw, at)
        if max(key_at + key, value_at + value) > len(raw):
            raise FormatError("VHDX parent locator", position + at, "a key and a value inside it", "one outside")
        name = raw[key_at : key_at + key].decode("utf-16-le", "replace")
        found[name] = raw[value_at : value_at + value].decode("utf-16-le", "replace").partition("\0")[0]
    return found


def build_metadata(metadata: Metadata) -> bytes:
    """The beginning of a metadata region: the table and its items."""
    flags = LEAVE_ALLOCATED * metadata.leave_allocated | HAS_PARENT * (metadata.parent is not None)
    system = {
        FILE_PARAMETERS: (IS_REQUIRED, PARAMETERS.pack(metadata.block_size, flags)),
        DISK_SIZE: (IS_REQUIRED | IS_VIRTUAL_DISK, SIZE.pack(metadata.size)),
        DISK_ID: (IS_REQUIRED | IS_VIRTUAL_DISK, metadata.disk_id),
        LOGICAL_SECTOR: (IS_REQUIRED | IS_VIRTUAL_DISK, NUMBER.pack(metadata.sector_size)),
        PHYSICAL_SECTOR: (IS_REQUIRED | IS_VIRTUAL_DISK, NUMBER.pack(metadata.physical_sector_size)),
    }
    if metadata.parent is not None:
        system[PARENT_LOCATOR] = IS_REQUIRED, _build_locator(metadata.parent)
    items = [*((item, *row) for item, row in system.items()), *metadata.further]
    table, content = METADATA_HEAD.pack(METADATA_SIGNATURE, len(items)), b""
    for item, flags, data in items:
        table += METADATA_ENTRY.pack(item, ITEMS_AT + len(content) if data else 0, len(data), flags)
        content += data
    return table.ljust(ITEMS_AT, b"\0") + content


def _build_locator(entries: Mapping[str, str]) -> bytes:
    head = LOCATOR_HEAD.pack(VHDX_PARENT, len(entries))
    at = len(head) + len(entries) * LOCATOR_ENTRY.size
    texts = b""
    for key, value in entries.items():
        name, content = key.encode("utf-16-le"), value.encode("utf-16-le", "surrogatepass")
        start = at + len(texts)
        head += LOCATOR_ENTRY.pack(start, start + len(name), len(name), len(content))
        texts += name + content
    return head + texts
