"""Announces where files lie on a volume that is read over a network, so that they are asked for side by side.

On a disk with few files, or where the folders of Windows were made first, names that are looked up are in the first
records of $MFT. These are read in one request, and tell the way to files without a look at any index. The way to other
files is walked for all of them at once: it takes requests one after another for each level of folders, not for each
file. Nothing relies on what is found here: files are then read as always, and what was announced wrongly was only
transferred in vain.
Source: linux-ntfs documentation, "File record", "$FILE_NAME", "$INDEX_ALLOCATION".
"""

from __future__ import annotations

import struct
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dissect.ntfs.util import apply_fixup

from vmrescue import file_path
from vmrescue.device import prefetch
from vmrescue.readers.ntfs.head import DATA, runs_in
from vmrescue.readers.ntfs.index import NAME_AT, NAME_LENGTH_AT, NUMBER_MASK
from vmrescue.readers.ntfs.layout import ATTRIBUTE, CLUSTERS, VALUE
from vmrescue.readers.ntfs.volume import END
from vmrescue.upcase import upper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vmrescue.device import BlockDevice, Range
    from vmrescue.readers.file_system import Wanted
    from vmrescue.readers.ntfs.index import DirectoryIndex, IndexEntry
    from vmrescue.readers.ntfs.volume import BoundedNtfs

    Find = Callable[[Any, str], tuple[DirectoryIndex, IndexEntry] | None]

FIRST_RECORDS = 256 << 10  # bytes of $MFT
INDEX = 64 << 10  # bytes of a folder's index; a folder with more names is read node by node
FILE_NAME, INDEX_ALLOCATION = 0x30, 0xA0
ROOT = 5  # record of the root directory
IN_USE = 1  # a record's flag; one of zeros lacks it

_RECORD = struct.Struct("<20xHH")  # first attribute's offset, flags


class Ahead:
    """The places of a volume's files. `find`: looks a name up in a directory's record."""

    def __init__(self, device: BlockDevice, ntfs: BoundedNtfs, find: Find) -> None:
        self._device = device
        self._ntfs = ntfs
        self._find = find

    def announce(self, wanted: Iterable[Wanted]) -> None:
        """Announces what is wanted of files, and the indexes on the way to them."""
        unknown: list[tuple[list[str], Wanted]] = []
        ranges: list[Range] = []
        for each in wanted:
            names = file_path.split(each.path)
            way = list(self._known_way(names))
            for number in way[:-1]:
                ranges += self._index(number)
            if len(way) <= len(names):
                unknown.append((names, each))
            else:
                ranges += self._index(way[-1]) or self._wanted(each, self._places.get((way[-1], DATA), []))
        prefetch(self._device, ranges)
        if unknown:
            self._walk(unknown)

    def announce_content(self, record: Any, ranges: Iterable[Range]) -> bool:
        """Announces ranges of the content of a file, given by its record. True: see `device.Far`."""
        places = self._stored(record, DATA)
        wanted: list[Range] = []
        for offset, length in ranges:
            before = 0
            for start, count in places:
                low, high = max(offset, before), min(offset + length, before + count)
                if low < high:
                    wanted.append((start + low - before, high - low))
                before += count
        return prefetch(self._device, wanted)

    # -- by the first records

    @cached_property
    def _first(self) -> bytes:
        table = self._ntfs.mft.fh
        table.seek(0)
        return bytes(table.read(FIRST_RECORDS))

    @cached_property
    def _places(self) -> dict[tuple[int, int], list[Range]]:
        """(record number, attribute's type) -> its clusters, in bytes of the volume; for content and indexes."""
        return {(number, kind): place for number, kind, place in self._attributes() if kind != FILE_NAME}

    @cached_property
    def _names(self) -> dict[tuple[int, str], int]:
        """(directory's record number, name in capitals) -> record number."""
        return {name: number for number, kind, name in self._attributes() if kind == FILE_NAME}

    def _attributes(self) -> Iterator[tuple[int, int, Any]]:
        size = self._ntfs._record_size
        for number in range(len(self._first) // size):
            with suppress(ValueError, IndexError, struct.error):
                record = self._first[number * size : (number + 1) * size]
                yield from ((number, *each) for each in self._attributes_of(bytes(apply_fixup(record))))

    def _attributes_of(self, record: bytes) -> Iterator[tuple[int, Any]]:
        at, flags = _RECORD.unpack_from(record)
        while flags & IN_USE and at + ATTRIBUTE.size <= len(record):
            kind, length, in_clusters, named, _, _ = ATTRIBUTE.unpack_from(record, at)
            if kind == END or length < ATTRIBUTE.size:
                return
            body = record[at : at + length]
            if kind == FILE_NAME and not in_clusters:
                size, place = VALUE.unpack_from(body)
                key = body[place : place + size]
                name = key[NAME_AT : NAME_AT + 2 * key[NAME_LENGTH_AT]].decode("utf-16-le", "surrogatepass")
                yield kind, (int.from_bytes(key[:6], "little"), upper(name))
            elif in_clusters and (kind == INDEX_ALLOCATION or (kind == DATA and not named)):
                _, place, _, _ = CLUSTERS.unpack_from(body)
                unit = self._ntfs.cluster_size
                yield kind, [(start * unit, count * unit) for start, count in runs_in(body[place:]) if count]
            at += length

    def _known_way(self, names: list[str]) -> Iterator[int]:
        """The records on the way to a file, the root's first, as far as the first records tell."""
        number: int | None = ROOT
        yield ROOT
        for name in names:
            number = self._names.get((number or 0, upper(name)))
            if number is None:
                return
            yield number

    def _index(self, number: int) -> list[Range]:
        return self._part(self._places.get((number, INDEX_ALLOCATION), []), INDEX)

    def _wanted(self, wanted: Wanted, places: list[Range]) -> list[Range]:
        is_whole = sum(length for _, length in places) <= wanted.whole
        return places if is_whole else self._part(places, wanted.length)

    @staticmethod
    def _part(places: Iterable[Range], length: int) -> list[Range]:
        """The first `length` bytes of what lies in these places."""
        found = []
        for at, count in places:
            if length > 0:
                found.append((at, min(count, length)))
            length -= count
        return found

    # -- folder by folder

    def _walk(self, wanted: list[tuple[list[str], Wanted]]) -> None:
        found: dict[tuple[str, ...], Any] = {(): self._ntfs.mft.root}
        for depth in range(max(len(names) for names, _ in wanted)):
            ways = {tuple(names[: depth + 1]) for names, _ in wanted if len(names) > depth}
            folders = {way[:-1] for way in ways if way[:-1] in found}
            prefetch(self._device, [part for way in folders for part in self._index_of(found[way])])
            entries = {way: self._find(found[way[:-1]], way[-1]) for way in sorted(ways) if way[:-1] in found}
            there = {way: entry for way, entry in entries.items() if entry is not None}
            numbers = [entry.reference & NUMBER_MASK for _, entry in there.values()]
            prefetch(self._device, [place for number in numbers for place in self._record(number)])
            found |= {way: index.target_of(entry) for way, (index, entry) in there.items()}
        ranges: list[Range] = []
        for names, each in wanted:
            if (record := found.get(tuple(names))) is not None:
                ranges += self._index_of(record) or self._wanted(each, self._stored(record, DATA))
        prefetch(self._device, ranges)

    def _index_of(self, record: Any) -> list[Range]:
        places = self._stored(record, INDEX_ALLOCATION)
        return places if sum(length for _, length in places) <= INDEX else []

    def _stored(self, record: Any, wanted: int) -> list[Range]:
        return [place for kind, places in self._attributes_of(record.data) if kind == wanted for place in places]

    def _record(self, number: int) -> list[Range]:
        """Where a file record lies."""
        size, places = self._ntfs._record_size, self._places.get((0, DATA), [])
        at = number * size
        for start, length in places:
            if at < length:
                return [(start + at, size)]
            at -= length
        return []
