"""Which parts of a GPT are broken, and how they are written anew from the part that is sound.

A GPT has three parts: the protective MBR, the primary copy behind it, and the backup at the disk's end. One sound copy
is enough to write the others. Source: UEFI Specification 2.10, sections 5.2.3 and 5.3.2.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.errors import FormatError, RefusedError
from vmrescue.volume import gpt, mbr
from vmrescue.volume.gpt_edit import MOST_SECTORS, array_sectors, sealed, write_table
from vmrescue.volume.partition_types import GPT_PROTECTIVE

if TYPE_CHECKING:
    from vmrescue.device import BlockDevice
    from vmrescue.volume.partition import PartitionTable

PRIMARY_LBA, ENTRIES_LBA = 1, 2


class Part(StrEnum):
    """A part of a GPT; as a text, what it is called."""

    PROTECTIVE = "the protective MBR"
    PRIMARY = "the primary copy"
    BACKUP = "the backup"


@dataclass(frozen=True)
class GptState:
    """What is sound of a GPT.

    Attributes:
        sound: the copy that is gone by.
        broken: the parts that are missing or have wrong checksums.
        why: of each of these, what is wrong with it.
        differs: whether both copies are sound and say different things.
        hybrid: whether the MBR lists partitions beside the GPT.
    """

    sound: gpt.GptCopy
    broken: tuple[Part, ...]
    why: tuple[str, ...]
    differs: bool
    hybrid: bool

    @property
    def broken_text(self) -> str:
        return ", ".join(self.broken)


def state_of(device: BlockDevice, table: PartitionTable) -> GptState | None:
    """The state of a disk's GPT; None where it has none, or not one that `table` could be read from."""
    if table.style != "GPT":
        return None
    faults: dict[Part, str] = {}
    record = _record(device)
    protective = [entry for entry in record.entries if entry.type == GPT_PROTECTIVE] if record else []
    if not protective:
        faults[Part.PROTECTIVE] = "its place has no entry of the type ee"
    elif protective[0].start != PRIMARY_LBA:
        faults[Part.PROTECTIVE] = f"its entry begins at sector {protective[0].start}, not {PRIMARY_LBA}"
    protected = protective[0].start + protective[0].sectors - 1 if protective else None
    primary, fault = _copy(device, PRIMARY_LBA, table.sector_size)
    if primary is None:
        faults[Part.PRIMARY] = fault
        found = gpt.find_backup(device, table.sector_size, protected)
        if found is None:
            return None
        return GptState(found, tuple(faults), tuple(faults.values()), False, _is_hybrid(record))
    differs = False
    if _backup_is_beyond(device, primary):
        faults[Part.BACKUP] = f"it was at sector {primary.alternate_lba}, beyond the disk's end"
    else:
        backup, fault = _copy(device, primary.alternate_lba, table.sector_size)
        differs = backup is not None and not primary.describes_the_same(backup)
        if backup is None:
            faults[Part.BACKUP] = fault
    return GptState(primary, tuple(faults), tuple(faults.values()), differs, _is_hybrid(record))


def why_not_restored(device: BlockDevice, table: PartitionTable, state: GptState) -> str | None:
    """Why the broken parts are not written anew; None if they can be."""
    sound = state.sound
    if state.hybrid:
        return "the MBR lists partitions beside the GPT (a hybrid MBR)"
    if table.beyond or len(sound.partitions) != len(table.partitions):
        return "not all of its partitions lie on the disk, apart from each other"
    array = array_sectors(sound)
    first, last = ENTRIES_LBA + array, sound.last_usable_lba
    if Part.BACKUP in state.broken and _backup_is_beyond(device, sound):
        last = min(last, device.size // sound.sector_size - 2 - array)
    inside = (
        first * sound.sector_size <= part.start < part.end <= (last + 1) * sound.sector_size
        for part in table.partitions
    )
    if sound.first_usable_lba < first or not all(inside):
        return "a partition lies where the table's parts belong"
    if Part.BACKUP in state.broken and not _backup_is_beyond(device, sound):
        return None if sound.alternate_lba - array > last else "the backup's place is where partitions may lie"
    return None


def restore(device: BlockDevice, table: PartitionTable, state: GptState) -> None:
    """Writes the broken parts. Raises RefusedError where they cannot be."""
    if why := why_not_restored(device, table, state):
        raise RefusedError(f"the partition table is not written anew: {why}")
    sound = state.sound
    if Part.PROTECTIVE in state.broken:
        last = device.size // sound.sector_size - 1
        mbr.write_only_entry(device, GPT_PROTECTIVE, PRIMARY_LBA, min(last, MOST_SECTORS))
    if Part.PRIMARY in state.broken:
        _write(device, sound, PRIMARY_LBA, sound.my_lba, ENTRIES_LBA)
    if Part.BACKUP in state.broken and _backup_is_beyond(device, sound):
        write_table(device, sound.sector_size, {})
    elif Part.BACKUP in state.broken:
        _write(device, sound, sound.alternate_lba, PRIMARY_LBA, sound.alternate_lba - array_sectors(sound))


def _write(device: BlockDevice, sound: gpt.GptCopy, own: int, other: int, entries: int) -> None:
    """Writes what a sound copy says as the other copy, in sector `own`."""
    raw = device.read_at(sound.my_lba * sound.sector_size, sound.sector_size)
    places = {"my_lba": own, "alternate_lba": other, "entries_lba": entries}
    device.write_at(entries * sound.sector_size, sound.entries)
    device.write_at(own * sound.sector_size, sealed(raw, {**gpt.HEADER.parse(raw), **places}))


def _backup_is_beyond(device: BlockDevice, primary: gpt.GptCopy) -> bool:
    return (primary.alternate_lba + 1) * primary.sector_size > device.size


def _copy(device: BlockDevice, lba: int, sector_size: int) -> tuple[gpt.GptCopy | None, str]:
    try:
        return gpt.read_copy(device, lba, sector_size), ""
    except FormatError as error:
        return None, str(error)


def _record(device: BlockDevice) -> mbr.BootRecord | None:
    try:
        return mbr.read_boot_record(device, 0)
    except FormatError:
        return None


def _is_hybrid(record: mbr.BootRecord | None) -> bool:
    return record is not None and len(record.entries) > 1
