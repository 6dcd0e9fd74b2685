"""The names that records have, and the entries in directories that lead to them.

Of a plain record each name is kept as one number: a hash of all that its entry has to say too, so that any number of
files takes little memory. It is Python's own hash of bytes (SipHash, 64 bits), whose key is drawn for each process
unless PYTHONHASHSEED is set: nobody can make two names that it takes for the same one.
Memory: 8 bytes for each record and 8 for each name of a plain record.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, NamedTuple

from vmrescue.ntfs.plain_record import NAME_LENGTH_AT
from vmrescue.ntfs.structures.file_name import HEADER, Space
from vmrescue.ntfs.structures.record import NUMBER_MASK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.ntfs.plain_record import PlainRecord

PAGE_BITS = 12
PAGE = 1 << PAGE_BITS  # records
MOST = 0xFFFF  # names or entries of one record that are counted
NO_SIZES = bytes(16)
SPACE_AT = 0x41  # of a $FILE_NAME
DOS = int(Space.DOS)  # comparing with an enumeration takes twice the time


class Page(NamedTuple):
    """For each of `PAGE` records: how many names it has, how many entries lead to it, and its first name's hash.

    `first`: its index in `Names.hashes`; negative where its entries' sizes are not compared, 0 if it is not plain.
    """

    named: array[int]
    entered: array[int]
    first: array[int]


class Names:
    def __init__(self) -> None:
        self.pages: dict[int, Page] = {}
        self.hashes = array("q", [0])

    def add(self, record: PlainRecord, records: bytes) -> None:
        """Takes the names of a plain record, which was read from `records`."""
        reference, _, _, _, places, _, _, size, allocated = record  # at once, which is quicker than one by one
        hashes, number = self.hashes, reference & NUMBER_MASK
        if not places:
            return
        if len(places) == 1:
            is_sized = records[places[0] + SPACE_AT] != DOS
        else:
            is_sized = sum([records[place + SPACE_AT] != DOS for place in places]) == 1
        named, _, first = self.pages.get(number >> PAGE_BITS) or self.page(number)
        named[number % PAGE] = len(places)
        first[number % PAGE] = len(hashes) if is_sized else -len(hashes)
        sizes = size << 128 | allocated << 64 if is_sized else 0
        known = (sizes | reference).to_bytes(24, "little")  # reference, allocated and size of 8 bytes each
        for place in places:
            tail = place + NAME_LENGTH_AT
            hashes.append(hash(known + records[place : place + 8] + records[tail : place + HEADER + 2 * records[tail]]))

    def count_names(self, number: int, count: int) -> None:
        """Takes how many names a record has whose entries are compared one by one."""
        self.page(number).named[number % PAGE] = min(count, MOST)

    def count_entry(self, number: int) -> None:
        entered, index = self.page(number).entered, number % PAGE
        entered[index] = min(entered[index] + 1, MOST)

    def page(self, number: int) -> Page:
        """The page of a record."""
        page = self.pages.get(number >> PAGE_BITS)
        if page is None:
            page = Page(*(array(code, [0]) * PAGE for code in "HHi"))
            self.pages[number >> PAGE_BITS] = page
        return page

    def without_entries(self) -> Iterator[tuple[int, int, int]]:
        """The records that have more names than entries lead to them: (number, names, entries)."""
        for start, page in sorted(self.pages.items()):
            if page.named != page.entered:
                for index, (named, entered) in enumerate(zip(page.named, page.entered, strict=True)):
                    if named > entered:
                        yield (start << PAGE_BITS) + index, named, entered
