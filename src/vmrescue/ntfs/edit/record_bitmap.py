"""$MFT's bitmap: which file records are in use; taking and freeing a record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import in_volume
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.ntfs.structures.record import RecordFlag
from vmrescue.ntfs.structures.system_files import FIRST_USER, MFT, RESERVED

if TYPE_CHECKING:
    from vmrescue.ntfs.data import Stream
    from vmrescue.ntfs.store import FileStore
    from vmrescue.ntfs.structures.record import FileRecord

CHUNK = 4096  # bytes of the bitmap that are read at once
MAX_SEQUENCE = 0xFFFF


def take_record(store: FileStore, for_table: bool = False) -> FileRecord | None:
    """Takes an empty record; None if the table has no free one.

    `for_table`: the record is for an extension of $MFT's own record.
    """
    number = _free_number(store, for_table)
    if number is None:
        return None
    _flip(_bitmap(store), number, used=True)
    store.next_record = number + 1
    return store.mft.create(number)


def free_record(store: FileStore, record: FileRecord) -> None:
    """Frees a record and raises its sequence number, so that old references to it are recognised as stale."""
    _flip(_bitmap(store), record.number, used=False)
    record.flags &= ~RecordFlag.IN_USE
    record.sequence = record.sequence + 1 if record.sequence < MAX_SEQUENCE else 1
    store.next_record = min(store.next_record, record.number)


def _bitmap(store: FileStore) -> Stream:
    return store.file(MFT).stream(Kind.BITMAP)


def _free_number(store: FileStore, for_table: bool = False) -> int | None:
    """The number of a record that is free according to its bit and to the record itself; None if there is none."""
    places = RESERVED if for_table else range(max(store.next_record, FIRST_USER), store.mft.count)
    bitmap = _bitmap(store)
    for start in range(places.start // 8, min(-(-places.stop // 8), bitmap.size), CHUNK):
        chunk = bitmap.read_at(start, min(CHUNK, bitmap.size - start))
        bits = ~int.from_bytes(chunk, "little") & (1 << len(chunk) * 8) - 1
        bits &= -1 << max(0, places.start - start * 8)
        while bits:
            number = start * 8 + (bits & -bits).bit_length() - 1
            if number >= places.stop:
                return None
            if store.mft.is_free(number):
                return number
            bits &= bits - 1
    return None


def _flip(bitmap: Stream, number: int, used: bool) -> None:
    byte = bitmap.read_at(number // 8, 1)[0]
    bit = 1 << number % 8
    if bool(byte & bit) == used:
        at = bitmap.attribute.position
        raise in_volume("$MFT bitmap", at, f"record {number} {'free' if used else 'in use'}", "the opposite")
    bitmap.write_at(number // 8, bytes([byte ^ bit]))
