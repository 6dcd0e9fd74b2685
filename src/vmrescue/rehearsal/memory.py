"""Memory for a disk in memory: what bad memory, limits and the machine's size leave in one piece, against its file.

A WIM that is started from (Windows RE, Setup) is read into one run of physical memory. Sources: Microsoft, "Windows
stop error - Status No Memory", "Boot Options Identifiers" (badmemorylist, truncatememory), "Windows Recovery
Environment (Windows RE)".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.bcd import objects
from vmrescue.dataclass import dataclass
from vmrescue.rehearsal import endings
from vmrescue.rehearsal.about import Withheld
from vmrescue.rehearsal.boot_manager import RECOVERY, RECOVERY_ENABLED, STATUS_POLICY
from vmrescue.rehearsal.stage import Fact, odd, stop, unknown
from vmrescue.rehearsal.way import BOOT_SEQUENCE, DEVICE
from vmrescue.units import size_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from vmrescue.bcd import BcdObject, Element
    from vmrescue.rehearsal.way import Way

BAD_MEMORY, BAD_ACCESS, TRUNCATE, REMOVE = 0x1700000A, 0x1600000B, 0x15000007, 0x25000031
PAGE = 4096
MOST_TRIED = 8  # limits, and lists, one below the other: an image may have any number
HOLE = 3 << 30, 4 << 30  # below 4 GiB a machine keeps addresses for devices; of what is above 3 GiB nothing is taken


@dataclass(frozen=True)
class Use:
    """A disk in memory that a start needs.

    Attributes:
        entry: who is started from it.
        path: its file.
        size: bytes of that.
        first: whether the next start leads there; else one after two that failed.
    """

    entry: BcdObject
    path: str
    size: int
    first: bool


def memory(way: Way) -> Iterator[Fact]:
    """The stage's facts."""
    uses = list(_uses(way))
    if not uses:
        yield Fact("disks in memory", "no start needs one")
    for use in uses:
        yield from _fits(way, use)


def _uses(way: Way) -> Iterator[Use]:
    first = [found for _, found in way.objects(way.manager, BOOT_SEQUENCE) if found][:1] or [way.entry]
    for entry in first:
        yield from _use(way, entry, first=True)
    entry = way.entry
    if way.number(entry, RECOVERY_ENABLED) != 0 and way.number(entry, STATUS_POLICY) != 1:
        for _, found in way.objects(entry, RECOVERY):
            if found is not None:
                yield from _use(way, found, first=False)


def _use(way: Way, entry: BcdObject, first: bool) -> Iterator[Use]:
    place = way.place(entry, DEVICE)
    if place.ramdisk is not None and place.volume is not None and place.volume.readable:
        size = place.volume.files.size_of(place.ramdisk)
        if size is not None:
            yield Use(entry, place.ramdisk, size, first)


def _fits(way: Way, use: Use) -> Iterator[Fact]:
    what = f"memory for {use.path} ({size_text(use.size)})"
    limit = way.number(use.entry, TRUNCATE)
    limit = way.number(way.manager, TRUNCATE) if limit is None else limit
    if way.ram is None and limit is None:
        yield Fact(what, "the machine's memory was not told")
        return
    bad = () if way.number(use.entry, BAD_ACCESS) else _pages(use.entry.inherited(BAD_MEMORY))
    longest = longest_run(way.ram, limit, bad)
    said = f"the longest piece of memory that is left has {size_text(longest)}"
    if longest >= use.size:
        yield Fact(what, said)
    elif use.first:
        yield stop(what, said, endings.NO_MEMORY, _withheld(way, use, limit, bad))
    else:
        name = objects.identifier_of(use.entry.guid)
        told = f"{said}: after two starts that fail, {name} would end with {endings.NO_MEMORY.code}"
        yield odd(what, told, use, later=endings.NO_MEMORY)
    if way.number(use.entry, REMOVE):
        yield unknown("removememory", "whether it binds the boot manager too is not known")


def _withheld(way: Way, use: Use, limit: int | None, bad: Sequence[int]) -> Withheld:
    """The elements without which there is room: any that is enough alone, or else the fewest that are together.

    Below a limit that goes another may come into force, of an object that is inherited or of the boot manager; and so
    it is with the bad memory lists.
    """
    family = [use.entry, *use.entry.ancestors()]
    limits = _elements([*family, way.manager, *way.manager.ancestors()], TRUNCATE)
    while limits and limits[0].sound_value != limit:
        del limits[0]  # of no effect
    limits = [each for each in limits if isinstance(each.sound_value, int)]
    lists = _elements(family, BAD_MEMORY) if bad else []
    if max(len(limits), len(lists)) > MOST_TRIED:
        return Withheld(())
    ways: list[list[Element]] = []
    for gone in range(len(limits) + 1):
        rest = limits[gone].sound_value if gone < len(limits) else None
        below = rest if isinstance(rest, int) else None
        for cleared in range(len(lists) + 1):
            left = bad if not cleared else _pages(lists[cleared] if cleared < len(lists) else None)
            if longest_run(way.ram, below, left) >= use.size:
                ways.append([*limits[:gone], *lists[:cleared]])
    fewest = min(map(len, ways), default=0)
    found = [each for each in ways if len(each) == fewest]
    elements = found[0] if fewest > 1 else [one for each in found for one in each]
    return Withheld(tuple((each.object.guid, each.id) for each in elements), fewest > 1)


def _elements(owners: Iterable[BcdObject], number: int) -> list[Element]:
    """An element of each object that has it, in the order in which they take effect."""
    found = {owner.guid: element for owner in owners if (element := owner.element(number)) is not None}
    return list(found.values())


def _pages(bad: Element | None) -> list[int]:
    value = bad.sound_value if bad else None
    return [page for page in value if isinstance(page, int)] if isinstance(value, tuple) else []


def longest_run(ram: int | None, limit: int | None, bad_pages: Iterable[int]) -> int:
    """Bytes of the longest run of memory below a limit, without the bad pages and the addresses of devices.

    Args:
        ram: bytes; None counts as all that there could be.
        limit: an address; pages that are not wholly below it are not used.
    """
    low = HOLE[0] if ram is None else min(ram, HOLE[0])
    high = None if ram is None else HOLE[1] + max(ram - HOLE[0], 0)
    ends = [(1 << 20, low), (HOLE[1], high if high is not None else 1 << 52)]  # the first MiB is the firmware's
    runs = [(start, min(end, limit // PAGE * PAGE) if limit is not None else end) for start, end in ends]
    longest = 0
    marks = sorted({page * PAGE for page in bad_pages if 0 <= page < 1 << 40})
    for start, end in runs:
        at = start
        for mark in marks:
            if at <= mark < end:
                longest, at = max(longest, mark - at), mark + PAGE
        longest = max(longest, end - at)
    return longest
