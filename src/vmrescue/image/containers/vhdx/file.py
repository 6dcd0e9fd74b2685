"""A VHDX file opened: its log replayed in memory, its tables read and checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.device import prefetch
from vmrescue.errors import FormatError, bytes_text
from vmrescue.image.containers.vhdx.bat import Bat
from vmrescue.image.containers.vhdx.header import Current, read_current
from vmrescue.image.containers.vhdx.layout import (
    BITMAP_BLOCK,
    ENTRY_SIZE,
    FIRST_REGION_AT,
    HEADERS_AT,
    METADATA_TABLE_SIZE,
    REGION_TABLE_SIZE,
    REGION_TABLES_AT,
    SECTOR,
    SIGNATURE,
)
from vmrescue.image.containers.vhdx.log import replayed
from vmrescue.image.containers.vhdx.metadata import Metadata, read_metadata
from vmrescue.image.containers.vhdx.regions import Regions, read_regions
from vmrescue.units import counted

AHEAD = 64 << 10  # bytes of the block allocation table that are announced: 256 GiB in blocks of 32 MiB

if TYPE_CHECKING:
    from contextlib import ExitStack

    from vmrescue.image.overlay import Overlay
    from vmrescue.image.transports.file import ImageStore


@dataclass(frozen=True)
class VhdxFile:
    """The parts of a VHDX file.

    Attributes:
        store: the file.
        replayed: the file as it is once its log is replayed; None if the log is empty.
        notes: what is odd about the file.
    """

    store: ImageStore
    replayed: Overlay | None
    current: Current
    regions: Regions
    metadata: Metadata
    bat: Bat
    notes: tuple[str, ...]

    @property
    def seen(self) -> ImageStore:
        """The bytes that count: those of the file, with its log replayed."""
        return self.replayed or self.store

    @property
    def others(self) -> list[tuple[int, int, str]]:
        """(begin, end, name) of all structures of the file but its blocks."""
        header = self.current.header
        found = [(0, FIRST_REGION_AT, "the headers")]
        if header.log_length:
            found.append((header.log_offset, header.log_offset + header.log_length, "the log"))
        return [*found, *((each.offset, each.offset + each.length, "a region") for each in self.regions.all)]

    @property
    def metadata_ranges(self) -> list[tuple[int, int]]:
        """(offset, length) of what is only written through the log, in no order."""
        return [
            *((at, REGION_TABLE_SIZE) for at in REGION_TABLES_AT),
            *((each.offset, each.length) for each in self.regions.all),
            *((place, BITMAP_BLOCK) for place in self.bat.bitmaps()),
        ]


def read_file(store: ImageStore, opened: ExitStack) -> VhdxFile:
    """Reads and checks the tables of a VHDX. The file is not written to; its replayed log is closed with `opened`.

    Raises:
        FormatError: it is damaged.
        UnsupportedError: it is of a later version, or has a required part that is not known.
    """
    if not store.size or store.read_at(0, min(len(SIGNATURE), store.size)) != SIGNATURE:
        raise FormatError("VHDX file", None, f"the signature {bytes_text(SIGNATURE)} at its start")
    prefetch(store, [*((at, SECTOR) for at in HEADERS_AT), *((at, REGION_TABLE_SIZE) for at in REGION_TABLES_AT)])
    current = read_current(store)
    notes = list(current.notes)
    view = None
    if current.has_log:
        view, count = replayed(store, current.header)
        opened.callback(view.close)
        notes.append(
            f"the VHDX was not closed cleanly: its log has {counted(count, 'entry')}; what is"
            " read is as after their replay"
        )
    seen: ImageStore = view or store
    regions = read_regions(seen)
    table = regions.metadata.offset
    prefetch(store, [(table, METADATA_TABLE_SIZE + SECTOR), (regions.bat.offset, AHEAD)])
    metadata = read_metadata(seen, regions.metadata)
    if metadata.entries * ENTRY_SIZE > regions.bat.length:
        expected = f"a block allocation table of {metadata.entries} entries, for {metadata.size} bytes"
        raise FormatError("VHDX region table", None, expected, f"one of {regions.bat.length} bytes")
    bat = Bat(seen, regions.bat.offset, metadata)
    file = VhdxFile(store, view, current, regions, metadata, bat, (*notes, *regions.notes))
    bat.check(file.others)
    return file
