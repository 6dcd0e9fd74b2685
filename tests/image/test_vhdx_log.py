"""A VHDX whose log was left: made by recipe, replayed by us in memory and by QEMU in the file, and read as the same."""

from __future__ import annotations

import random
import shutil
import struct
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from support.machine import run
from support.vhd import qemu_content
from support.vhdx import (
    BAT,
    HEADERS,
    MIB,
    SECTOR,
    Data,
    Zeros,
    edit_file,
    log_entry,
    make_vhdx,
    newest,
    put_log,
    qemu_replays,
    region,
)
from vmrescue.disk import EditSession, open_disk, undo
from vmrescue.errors import FormatError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIZE = 16 * MIB
GUID = bytes(range(1, 17))
OTHER = bytes(range(2, 18))


class Recipe:
    """An image of 16 blocks, of which the table in the file has none yet: the log brings them, entry after entry."""

    def __init__(self, path: Path, log: int = MIB) -> None:
        self.path = make_vhdx(path, SIZE, "block_size=1M", f"log_size={log}")
        self.log = log
        run("qemu-io", "-f", "vhdx", *(w for at in range(16) for w in ("-c", f"write -P {at + 1} {at}M 1M")), path)
        self.raw = bytearray(path.read_bytes())
        self.table, _ = region(self.raw, BAT)
        self.size = len(self.raw)
        self.entries = struct.unpack_from("<16Q", self.raw, self.table)
        self.raw[self.table : self.table + SECTOR] = bytes(SECTOR)

    def sector(self, blocks: int) -> Data:
        """The table with the first `blocks` of its entries, in another order with each turn."""
        turn, count = divmod(blocks, 17)
        chosen = [entry if number < count else 0 for number, entry in enumerate(self.entries)]
        chosen = chosen[turn % 16 :] + chosen[: turn % 16]
        return Data(self.table, struct.pack("<16Q", *chosen).ljust(SECTOR, b"\0"))

    def ring(self, count: int, start: int = 0, first: int = 5) -> dict[int, bytes]:
        """A sequence of `count` entries, from the place `start` in the log on."""
        return {
            (start + number * 2 * SECTOR) % self.log: log_entry(
                GUID, first + number, start, [self.sector(number + 1)], self.size, self.size
            )
            for number in range(count)
        }

    def write(self, ring: dict[int, bytes], guid: bytes = GUID) -> Path:
        put_log(self.raw, guid, ring)
        self.path.write_bytes(self.raw)
        return self.path


def content(path: Path) -> bytes:
    with closing(open_disk(path)) as disk:
        return disk.read_at(0, disk.size)


def must_be_as_qemu_replays(path: Path) -> bytes:
    """What we read; the file stays as it is. QEMU, which replays the log in a copy of the file, must see the same."""
    before = path.read_bytes()
    found = content(path)
    assert path.read_bytes() == before
    copy = path.with_name("replayed.vhdx")
    shutil.copyfile(path, copy)
    qemu_replays(copy)
    assert found == qemu_content(copy, "vhdx") == content(copy)
    copy.unlink()
    return found


def blocks_of(found: bytes) -> list[int]:
    """The byte with which each block is filled."""
    return [found[at] for at in range(0, len(found), MIB)]


@pytest.mark.parametrize(("count", "start"), [(1, 0), (3, 40 * SECTOR), (100, 200 * SECTOR), (200, 300 * SECTOR)])
def test_a_log_is_replayed_as_qemu_replays_it(count: int, start: int, quick_folder: Path) -> None:
    recipe = Recipe(quick_folder / "disk.vhdx", MIB if count <= 100 else 2 * MIB)  # the last two wrap
    found = must_be_as_qemu_replays(recipe.write(recipe.ring(count, start)))
    present = struct.unpack_from("<16Q", recipe.sector(count).content)
    assert [byte != 0 for byte in blocks_of(found)] == [entry != 0 for entry in present]
    with closing(open_disk(recipe.path)) as disk:
        assert any(f"its log has {count} entr" in note for note in disk.warnings)


@pytest.mark.parametrize("count", [100, 300])
def test_an_entry_with_many_descriptors_and_zeros_is_replayed(count: int, quick_folder: Path) -> None:
    recipe = Recipe(quick_folder / "disk.vhdx", 2 * MIB)
    recipe.raw[recipe.table : recipe.table + 3 * SECTOR] = b"\7" * 3 * SECTOR
    chance = random.Random(1)
    places = [recipe.table + number % 200 * SECTOR for number in range(10, count)]
    writes: list[Data | Zeros] = [Data(place, chance.randbytes(SECTOR)) for place in places]
    writes += [recipe.sector(9), Zeros(recipe.table + SECTOR, 199 * SECTOR)]
    entry = log_entry(GUID, 1 << 33, 0, writes, recipe.size, recipe.size + 3 * MIB)
    path = recipe.write({0: entry})
    found = content(path) if count > 126 else must_be_as_qemu_replays(path)  # QEMU 7.2 takes no more than 126
    assert blocks_of(found) == [*range(1, 10), *[0] * 7]


def torn(ring: dict[int, bytes]) -> dict[int, bytes]:
    """The newest entry's last sector did not arrive."""
    *_, last = ring
    return {**ring, last: ring[last][:-SECTOR] + bytes(SECTOR)}


def older_sequence(ring: dict[int, bytes]) -> dict[int, bytes]:
    """Behind it an older sequence, whose entries are sound too."""
    end = max(ring) + 4 * SECTOR
    return {**ring, end: log_entry(GUID, 2, end, [], MIB, MIB)}


def foreign(ring: dict[int, bytes]) -> dict[int, bytes]:
    """Behind it an entry of another session, with the next number."""
    end = max(ring) + 2 * SECTOR
    return {**ring, end: log_entry(OTHER, 5 + len(ring), 0, [], MIB, MIB)}


@pytest.mark.parametrize(("spoil", "counted"), [(torn, 5), (older_sequence, 6), (foreign, 6)])
def test_only_the_newest_whole_sequence_of_this_log_counts(
    spoil: Callable[[dict[int, bytes]], dict[int, bytes]], counted: int, quick_folder: Path
) -> None:
    recipe = Recipe(quick_folder / "disk.vhdx")
    found = must_be_as_qemu_replays(recipe.write(spoil(recipe.ring(6))))
    assert blocks_of(found) == [*range(1, counted + 1), *[0] * (16 - counted)]


def test_entries_before_the_oldest_that_counts_are_not_replayed(quick_folder: Path) -> None:
    recipe = Recipe(quick_folder / "disk.vhdx")
    ring = recipe.ring(3)
    place = 6 * SECTOR
    other = Data(recipe.table + SECTOR, bytes(SECTOR))
    ring[place] = log_entry(GUID, 8, place, [other], recipe.size, recipe.size)  # it says that those before it arrived
    assert blocks_of(content(recipe.write(ring))) == [0] * 16


def test_a_padded_entry_is_sound(quick_folder: Path) -> None:
    recipe = Recipe(quick_folder / "disk.vhdx")
    entry = log_entry(GUID, 1, 0, [recipe.sector(4)], recipe.size, recipe.size, padding=6)
    assert blocks_of(content(recipe.write({0: entry})))[:5] == [1, 2, 3, 4, 0]


@pytest.mark.parametrize("way", ["no entry", "another session", "torn", "its oldest entry is lost"])
def test_a_log_that_has_no_whole_sequence_is_an_error(way: str, quick_folder: Path) -> None:
    recipe = Recipe(quick_folder / "disk.vhdx")
    ring = recipe.ring(2)
    if way == "no entry":
        ring = {}
    elif way == "another session":
        ring = {0: log_entry(OTHER, 1, 0, [recipe.sector(3)], recipe.size, recipe.size)}
    elif way == "torn":
        ring = torn(recipe.ring(1))
    else:
        ring[0] = bytes(2 * SECTOR)
    with pytest.raises(FormatError, match="VHDX log"):
        open_disk(recipe.write(ring))


def test_a_file_that_was_cut_short_is_an_error_as_for_qemu(quick_folder: Path) -> None:
    recipe = Recipe(quick_folder / "disk.vhdx")
    entry = log_entry(GUID, 1, 0, [recipe.sector(4)], recipe.size + MIB, recipe.size + MIB)
    with pytest.raises(FormatError, match="cut short"):
        open_disk(recipe.write({0: entry}))
    assert "Could not open" in run("qemu-img", "check", "-r", "all", "-f", "vhdx", recipe.path, ok=(1,))


def test_a_log_asks_for_nothing_that_no_log_may(quick_folder: Path) -> None:
    recipe = Recipe(quick_folder / "disk.vhdx")
    header = log_entry(GUID, 1, 0, [Data(HEADERS[0], bytes(SECTOR))], recipe.size, recipe.size)
    with pytest.raises(FormatError, match="writes behind the headers"):
        open_disk(recipe.write({0: header}))
    far = log_entry(GUID, 1, 0, [Zeros(1 << 60, SECTOR)], recipe.size, recipe.size)
    with pytest.raises(FormatError, match="writes behind the headers"):
        open_disk(recipe.write({0: far}))
    edit_file(recipe.path, newest(recipe.path), {64: b"\1\0"})
    with pytest.raises(UnsupportedError, match="log is of version 1"):
        open_disk(recipe.path)


def test_a_log_that_claims_long_entries_everywhere_takes_no_longer(quick_folder: Path) -> None:
    recipe = Recipe(quick_folder / "disk.vhdx")
    head = log_entry(GUID, 1, 0, [], recipe.size, recipe.size)
    long = head[:8] + struct.pack("<I", MIB) + head[12:]
    with pytest.raises(FormatError, match="entries that do not overlap"):
        open_disk(recipe.write(dict.fromkeys(range(0, MIB, SECTOR), long)))


def test_an_edit_replays_the_log_and_its_undo_gives_it_back(quick_folder: Path) -> None:
    recipe = Recipe(quick_folder / "disk.vhdx")
    path = recipe.write(recipe.ring(6))
    old = path.read_bytes()
    with EditSession(path) as session:
        assert session.changed_ranges() == []
        assert session.commit() is None  # nothing was edited: the log stays
        assert path.read_bytes() == old
        session.disk.write_at(5 * MIB + 100, b"in a block that the log brought")
        session.disk.write_at(14 * MIB + 5, b"in a new block")
        session.commit()
    raw = path.read_bytes()
    assert raw[newest(path) + 48 : newest(path) + 64] == bytes(16)
    expected = bytearray(b"".join(bytes([byte]) * MIB for byte in [*range(1, 7), *[0] * 10]))
    for at, data in ((5 * MIB + 100, b"in a block that the log brought"), (14 * MIB + 5, b"in a new block")):
        expected[at : at + len(data)] = data
    run("qemu-img", "check", "-f", "vhdx", path)
    assert content(path) == qemu_content(path, "vhdx") == expected
    undo(path)
    assert path.read_bytes() == old
