"""The region table of a VHDX: where the block allocation table and the metadata are ([MS-VHDX] 2.2.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from vmrescue.dataclass import dataclass
from vmrescue.device import check_range
from vmrescue.errors import FormatError, UnsupportedError
from vmrescue.image.containers.vhdx.layout import (
    BAT_REGION,
    METADATA_REGION,
    MIB,
    MOST_ENTRIES,
    REGION,
    REGION_HEAD,
    REGION_SIGNATURE,
    REGION_TABLE_SIZE,
    REGION_TABLES_AT,
    Region,
    is_sound,
    sealed,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmrescue.device import Readable


@dataclass(frozen=True)
class Regions:
    """The regions of a file, and what is odd about the table's copies."""

    all: tuple[Region, ...]
    notes: tuple[str, ...]

    @property
    def bat(self) -> Region:
        return next(region for region in self.all if region.kind == BAT_REGION)

    @property
    def metadata(self) -> Region:
        return next(region for region in self.all if region.kind == METADATA_REGION)


def read_regions(store: Readable) -> Regions:
    """Reads the first sound copy of the table.

    Raises:
        FormatError: no copy is sound, or two sound ones differ, or a region is not where one may be.
        UnsupportedError: a region is required and not known.
    """
    check_range("VHDX file", REGION_TABLES_AT[1], REGION_TABLE_SIZE, store.size)
    tables = [(at, store.read_at(at, REGION_TABLE_SIZE)) for at in REGION_TABLES_AT]
    sound = [(at, raw) for at, raw in tables if is_sound(raw, REGION_SIGNATURE)]
    if not sound:
        expected = f"a sound table there or at byte {REGION_TABLES_AT[1]}"
        raise FormatError("VHDX region table", REGION_TABLES_AT[0], expected, tables[0][1][:4])
    found = [_parse(at, raw) for at, raw in sound]
    if found[0] != found[-1]:
        raise FormatError("VHDX region table", REGION_TABLES_AT[1], "the same regions as in the first", "others")
    lost = set(REGION_TABLES_AT) - {at for at, _ in sound}
    notes = tuple(f"the VHDX's region table at byte {at} is damaged: its copy is read" for at in sorted(lost))
    _check(found[0], sound[0][0], store.size)
    return Regions(found[0], notes)


def _parse(at: int, raw: bytes) -> tuple[Region, ...]:
    _, _, count = REGION_HEAD.unpack_from(raw)
    if count > MOST_ENTRIES:
        raise FormatError("VHDX region table", at + 8, f"at most {MOST_ENTRIES} entries", count)
    return tuple(Region(*REGION.unpack_from(raw, REGION_HEAD.size + number * REGION.size)) for number in range(count))


def _check(regions: tuple[Region, ...], at: int, size: int) -> None:
    for region in regions:
        if region.kind not in (BAT_REGION, METADATA_REGION) and region.required & 1:
            raise UnsupportedError(
                f"the VHDX has a region {UUID(bytes_le=region.kind)} that must be understood, and is not known"
            )
    for kind, name in ((BAT_REGION, "block allocation table"), (METADATA_REGION, "metadata region")):
        found = [region for region in regions if region.kind == kind]
        if len(found) != 1:
            raise FormatError("VHDX region table", at, f"one {name}", len(found))
        region = found[0]
        if region.offset % MIB or region.length % MIB or region.offset < MIB or not region.length:
            where = f"{region.length} bytes at {region.offset}"
            raise FormatError("VHDX region table", at, f"a {name} of whole MiB at a whole MiB", where)
        check_range(f"VHDX {name}", region.offset, region.length, size)


def build_regions(regions: Iterable[Region]) -> bytes:
    """The bytes of a region table."""
    entries = [REGION.pack(*region) for region in regions]
    head = REGION_HEAD.pack(REGION_SIGNATURE, 0, len(entries))
    return sealed((head + b"".join(entries)).ljust(REGION_TABLE_SIZE, b"\0"))
