"""VHDX: made by QEMU and read by us, made by us and read by QEMU, libvhdi and dissect; damaged ones are refused."""

from __future__ import annotations

import random
import struct
from contextlib import closing
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
import pyvhdi

from support.machine import run
from support.vhd import qemu_content
from support.vhdx import (
    BAT,
    FILE_PARAMETERS,
    HEADERS,
    METADATA,
    MIB,
    REGION_TABLES,
    edit,
    edit_file,
    make_vhdx,
    metadata_item,
    newest,
    region,
)
from vmrescue.disk import EditSession, create_vhdx, create_vhdx_child, open_disk
from vmrescue.errors import FormatError, NotFoundError, RefusedError, UnsupportedError

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 12 * MIB
ROW = struct.Struct("<16sQII")  # of a region table


def content(path: Path) -> bytes:
    with closing(open_disk(path)) as disk:
        return disk.read_at(0, disk.size)


def notes(path: Path) -> list[str]:
    with closing(open_disk(path)) as disk:
        return disk.warnings


def table_of(raw: bytes | bytearray, count: int) -> list[int]:
    """The first entries of the block allocation table."""
    return list(struct.unpack_from(f"<{count}Q", raw, region(raw, BAT)[0]))


def set_entry(image: Path, index: int, entry: int) -> None:
    raw = bytearray(image.read_bytes())
    struct.pack_into("<Q", raw, region(raw, BAT)[0] + 8 * index, entry)
    image.write_bytes(raw)


def libvhdi(path: Path, *parents: Path) -> bytes:
    """The disk as libvhdi reads it, over its parents, nearest first."""
    files = [pyvhdi.file() for _ in (path, *parents)]
    for file, each in zip(files, (path, *parents), strict=True):
        file.open(str(each))
    for child, parent in pairwise(files):
        child.set_parent(parent)
    size = files[0].get_media_size()
    found = b"".join(files[0].read_buffer_at_offset(min(MIB, size - at), at) for at in range(0, size, MIB))
    for file in files:
        file.close()
    return found


def dissect(path: Path) -> bytes:
    """The disk as dissect reads it, from block to block: 3.21 reads several as if they lay after the first one, and of
    what begins within a byte of a bitmap nothing.
    """
    from dissect.hypervisor.disk.vhdx import VHDX

    disk = VHDX(path)
    layers = [disk]
    while layers[-1].parent is not None:
        layers.append(layers[-1].parent)
    found = []
    for at in range(0, disk.size, MIB):
        sectors = min(MIB, disk.size - at) // disk.sector_size
        found.append(disk.read_sectors(at // disk.sector_size, sectors))
    for layer in layers:
        layer.fh.close()
    return b"".join(found)


# -- reading


@pytest.mark.parametrize("options", [(), ("subformat=fixed",), ("block_size=1M",), ("block_size=256M", "log_size=3M")])
def test_what_qemu_wrote_is_read_as_qemu_reads_it(options: tuple[str, ...], quick_folder: Path) -> None:
    image = make_vhdx(quick_folder / "disk.vhdx", SIZE + 512 * 7, *options)
    order = list(range(0, 12, 2))
    random.Random(5).shuffle(order)  # blocks lie out of order in the file
    run(
        "qemu-io", "-f", "vhdx", *(w for at in order for w in ("-c", f"write -P {at + 1} {at * MIB + 512} 700k")), image
    )
    whole = qemu_content(image, "vhdx")
    with closing(open_disk(image)) as disk:
        assert disk.format == ("fixed VHDX" if "subformat=fixed" in options else "dynamic VHDX")
        assert (disk.size, disk.warnings) == (SIZE + 512 * 7, [])
        assert disk.read_at(0, disk.size) == whole
        chance = random.Random(6)
        for _ in range(30):
            start = chance.randrange(disk.size)
            length = min(chance.randrange(3 * MIB), disk.size - start)
            assert disk.read_at(start, length) == whole[start : start + length]
        at = 0
        while at < disk.size:  # what is skipped as a hole is zero
            following = disk.next_data(at)
            assert not any(whole[at:following])
            at = following + 4096
        with pytest.raises(FormatError):
            disk.read_at(disk.size - 1, 2)


@pytest.mark.parametrize("size", ["4G", "64T"])
def test_disks_of_any_size_are_read(size: str, quick_folder: Path) -> None:
    image = make_vhdx(quick_folder / "disk.vhdx", size)
    last = {"4G": 4 << 30, "64T": 64 << 40}[size] - MIB
    places = (0, last // 2, last)
    run("qemu-io", "-f", "vhdx", *(w for at in places for w in ("-c", f"write -P 7 {at} 1M")), image)
    with closing(open_disk(image)) as disk:
        assert disk.size == last + MIB
        assert [disk.next_data(at) for at in (0, MIB, last // 2 + MIB)] == list(places)
        assert all(disk.read_at(at, MIB) == b"\7" * MIB for at in places)


@pytest.mark.parametrize("state", [0, 1, 2, 3, 5])
def test_blocks_that_are_not_present_are_zeros_as_for_qemu(state: int, quick_folder: Path) -> None:
    image = make_vhdx(quick_folder / "disk.vhdx", SIZE, "block_size=1M")
    run("qemu-io", "-f", "vhdx", "-c", "write -P 7 0 4M", image)
    entry = table_of(image.read_bytes(), 3)[2]
    set_entry(image, 2, entry & ~7 | state)  # the place stays named, as it may
    whole = content(image)
    assert whole == qemu_content(image, "vhdx")
    assert whole[: 5 * MIB] == b"\7" * 2 * MIB + bytes(MIB) + b"\7" * MIB + bytes(MIB)


@pytest.mark.parametrize("sector", [512, 4096])
@pytest.mark.parametrize("fixed", [False, True])
def test_what_we_make_and_write_is_what_others_read(sector: int, fixed: bool, quick_folder: Path) -> None:
    image, child = quick_folder / "disk.vhdx", quick_folder / "child.avhdx"
    create_vhdx(image, SIZE, MIB, sector, fixed)
    twin = scribble(image, bytes(SIZE), 1)
    assert content(image) == libvhdi(image) == dissect(image) == twin
    if sector == 512:  # QEMU knows no others
        run("qemu-img", "check", "-f", "vhdx", image)
        assert qemu_content(image, "vhdx") == twin
    create_vhdx_child(image, child, MIB)
    assert content(child) == twin
    over = scribble(child, twin, 2)
    assert content(child) == libvhdi(child, image) == dissect(child) == over
    with closing(open_disk(child)) as disk:
        assert (disk.format, disk.sector_size, disk.parents) == ("differencing VHDX", sector, [str(image)])
    grandchild = quick_folder / "grandchild.avhdx"
    create_vhdx_child(child, grandchild, 2 * MIB)
    top = scribble(grandchild, over, 3)
    assert content(grandchild) == libvhdi(grandchild, child, image) == top
    assert content(image) == twin


def scribble(image: Path, twin: bytes, seed: int) -> bytes:
    """Writes here and there; returns what the disk must hold then."""
    chance, expected = random.Random(seed), bytearray(twin)
    with closing(open_disk(image, writable=True)) as disk:
        for _ in range(30):
            length = chance.choice((1, 511, 512, 4096, 70_000, MIB))
            start = chance.randrange(len(twin) - length)
            data = chance.choice((chance.randbytes(length), bytes(length)))
            disk.write_at(start, data)
            expected[start : start + length] = data
    return bytes(expected)


def test_blocks_of_a_child_that_are_zero_or_unmapped_hide_the_parent(quick_folder: Path) -> None:
    image, child = quick_folder / "disk.vhdx", quick_folder / "child.vhdx"
    create_vhdx(image, 8 * MIB, MIB)
    scribbled = b"\7" * 8 * MIB
    with closing(open_disk(image, writable=True)) as disk:
        disk.write_at(0, scribbled)
    create_vhdx_child(image, child, MIB)
    for block, state in enumerate((0, 1, 2, 3)):
        set_entry(child, block, state)
    expected = b"\7" * MIB + bytes(3 * MIB) + b"\7" * 4 * MIB
    assert content(child) == dissect(child) == expected
    with closing(open_disk(child)) as disk:
        assert disk.next_data(MIB) == 4 * MIB
    with closing(open_disk(child, writable=True)) as disk:
        disk.write_at(2 * MIB + 5000, b"new")
    assert content(child) == dissect(child) == expected[: 2 * MIB + 5000] + b"new" + expected[2 * MIB + 5003 :]


def test_libvhdi_takes_the_first_bytes_of_a_child_without_a_bitmap_for_one(quick_folder: Path) -> None:
    """So nothing is asked of it there: what it confirms was written, and lies where there is a bitmap."""
    parent, child = quick_folder / "parent.vhdx", quick_folder / "child.avhdx"
    create_vhdx(parent, 4 * MIB, 2 * MIB)
    create_vhdx_child(parent, child, 2 * MIB)
    assert dissect(child) == content(child) == bytes(4 * MIB) != libvhdi(child, parent)
    with closing(open_disk(child, writable=True)) as disk:
        disk.write_at(3 * MIB, b"x")
    assert dissect(child) == content(child) == libvhdi(child, parent)


def test_what_belongs_to_the_disk_goes_to_its_child_too(quick_folder: Path) -> None:
    image, child = quick_folder / "disk.vhdx", quick_folder / "child.vhdx"
    create_vhdx(image, SIZE, MIB)
    raw = bytearray(image.read_bytes())
    start, _ = region(raw, METADATA)
    (count,) = struct.unpack_from("<H", raw, start + 10)
    struct.pack_into("<H", raw, start + 10, count + 2)
    for number, flags in ((0, 3), (1, 1)):  # the user's; the disk's or the file's
        row = bytes([7 + number]) * 16, (128 << 10) + 8 * number, 8, flags
        struct.pack_into("<16sIII", raw, start + 32 + 32 * (count + number), *row)
    raw[start + (128 << 10) : start + (128 << 10) + 8] = b"the disk"
    image.write_bytes(raw)
    create_vhdx_child(image, child, MIB)
    made = child.read_bytes()
    assert made[metadata_item(made, b"\7" * 16)[0] :][:8] == b"the disk"
    with pytest.raises(AssertionError, match="no such item"):
        metadata_item(made, b"\x08" * 16)
    with closing(open_disk(image)) as parent, closing(open_disk(child)) as disk:
        assert disk.unique_id == parent.unique_id


# -- parents


def test_a_parent_is_found_and_is_the_one_that_the_child_was_made_over(quick_folder: Path) -> None:
    home, away = quick_folder / "home", quick_folder / "away"
    home.mkdir()
    away.mkdir()
    image, child = home / "disk.vhdx", away / "child.avhdx"
    create_vhdx(image, 8 * MIB, MIB)
    create_vhdx_child(image, child)
    assert content(child) == bytes(8 * MIB)  # by the path in the child
    moved = image.rename(quick_folder / "disk.vhdx")
    with pytest.raises(NotFoundError, match=r"no disk\.vhdx in .*--parent-dir"):
        open_disk(child)
    with closing(open_disk(child, parent_folder=quick_folder)) as disk:
        assert disk.parents == [str(moved)]
    other = away / "disk.vhdx"
    create_vhdx(other, 8 * MIB, MIB)  # another disk of that name, beside the child
    with pytest.raises(FormatError, match="VHDX parent locator"):
        open_disk(child)
    other.unlink()
    with closing(open_disk(moved, writable=True)) as disk:
        disk.write_at(0, b"changed")
    with closing(open_disk(child, parent_folder=quick_folder)) as disk:
        assert [risk.name for risk in disk.risks] == ["although-parent-changed"]
        assert any("was written to after" in note for note in disk.warnings)


def test_a_path_in_the_child_leads_to_no_file_but_its_parent(quick_folder: Path) -> None:
    home, away = quick_folder / "home", quick_folder / "away"
    home.mkdir()
    away.mkdir()
    image = home / "disk.vhdx"
    create_vhdx(image, 8 * MIB, MIB)
    create_vhdx_child(image, away / "child.vhdx")
    with closing(open_disk(image, writable=True)) as disk:
        disk.write_at(0, b"another state: the id of its last write is another")
    with pytest.raises(NotFoundError) as refused:
        open_disk(away / "child.vhdx")
    assert str(home) not in str(refused.value)


def test_a_chain_that_leads_in_a_circle_is_an_error(quick_folder: Path) -> None:
    create_vhdx(quick_folder / "a.vhdx", 8 * MIB, MIB)
    create_vhdx_child(quick_folder / "a.vhdx", quick_folder / "b.vhdx")
    (quick_folder / "a.vhdx").write_bytes((quick_folder / "b.vhdx").read_bytes())
    with pytest.raises(FormatError, match="a parent that isn't its own child"):
        open_disk(quick_folder / "b.vhdx")


# -- headers and tables


def test_the_newer_sound_header_decides(quick_folder: Path) -> None:
    image = make_vhdx(quick_folder / "disk.vhdx", SIZE)
    current = newest(image)
    older = next(at for at in HEADERS if at != current)
    edit_file(image, older, {66: b"\2\0"})  # of version 2, and not looked at
    assert notes(image) == []
    raw = bytearray(image.read_bytes())
    raw[current + 100] ^= 1  # its checksum is no longer right: the older one counts
    image.write_bytes(raw)
    with pytest.raises(UnsupportedError, match="version 2"):
        open_disk(image)
    edit_file(image, older, {66: b"\1\0"})
    assert [f"header at byte {current} is damaged" in note for note in notes(image)] == [True]
    raw = bytearray(image.read_bytes())
    raw[older + 100] ^= 1
    image.write_bytes(raw)
    with pytest.raises(FormatError, match="VHDX header"):
        open_disk(image)


def test_headers_that_no_higher_number_can_follow_are_not_edited(quick_folder: Path) -> None:
    image = make_vhdx(quick_folder / "disk.vhdx", SIZE)
    edit_file(image, newest(image), {8: b"\xff" * 8})
    before = image.read_bytes()
    with EditSession(image) as session, pytest.raises(RefusedError, match="sequence numbers"):
        session.disk.write_at(0, b"x")
    assert image.read_bytes() == before


def test_two_headers_of_one_number_that_differ_are_refused(quick_folder: Path) -> None:
    image = make_vhdx(quick_folder / "disk.vhdx", SIZE)
    for at, mark in zip(HEADERS, (b"\1", b"\2"), strict=True):
        edit_file(image, at, {8: struct.pack("<Q", 9), 16: mark})
    with pytest.raises(FormatError, match="VHDX header"):
        open_disk(image)


def test_the_region_table_that_is_sound_counts(quick_folder: Path) -> None:
    image = make_vhdx(quick_folder / "disk.vhdx", SIZE)
    run("qemu-io", "-f", "vhdx", "-c", "write -P 7 0 4M", image)
    whole = qemu_content(image, "vhdx")
    first, second = REGION_TABLES
    raw = bytearray(image.read_bytes())
    for at in (first + 16, first + 48):  # both lead elsewhere, and no checksum says so
        kind, place, length, required = ROW.unpack_from(raw, at)
        ROW.pack_into(raw, at, kind, place + MIB, length, required)
    image.write_bytes(raw)
    run("qemu-img", "info", image, ok=(1,))  # QEMU looks at the first only, and refuses it
    assert any(f"byte {first} is damaged: its copy is read" in note for note in notes(image))
    assert content(image) == whole
    raw[second + 20] ^= 1
    image.write_bytes(raw)
    with pytest.raises(FormatError, match=f"VHDX region table at byte {first}"):
        open_disk(image)


def test_tables_that_differ_or_name_what_must_be_understood_are_refused(quick_folder: Path) -> None:
    image = make_vhdx(quick_folder / "disk.vhdx", SIZE)
    first, second = REGION_TABLES
    unknown = {8: struct.pack("<I", 3), 16 + 2 * 32: ROW.pack(b"\7" * 16, 8 * MIB, MIB, 1)}
    edit_file(image, second, unknown, 64 << 10)
    with pytest.raises(FormatError, match=f"VHDX region table at byte {second}"):
        open_disk(image)
    edit_file(image, first, unknown, 64 << 10)
    run("qemu-img", "info", image, ok=(1,))
    with pytest.raises(UnsupportedError, match="must be understood, and is not known"):
        open_disk(image)


def test_an_item_of_the_metadata_that_must_be_understood_is_refused(quick_folder: Path) -> None:
    image = make_vhdx(quick_folder / "disk.vhdx", SIZE)
    raw = bytearray(image.read_bytes())
    start, _ = region(raw, METADATA)
    (count,) = struct.unpack_from("<H", raw, start + 10)
    struct.pack_into("<H", raw, start + 10, count + 1)
    struct.pack_into("<16sIII", raw, start + 32 + 32 * count, b"\7" * 16, 128 << 10, 8, 0)
    image.write_bytes(raw)
    assert notes(image) == []  # not required
    struct.pack_into("<I", raw, start + 32 + 32 * count + 24, 4)
    image.write_bytes(raw)
    with pytest.raises(UnsupportedError, match="must be understood, and is not known"):
        open_disk(image)


@pytest.mark.parametrize(
    ("place", "form", "value", "said"), [(0, "<I", 3 * MIB, "blocks"), (4, "<I", 2, "a parent locator")]
)
def test_metadata_that_say_what_the_format_does_not_allow_are_errors(
    place: int, form: str, value: int, said: str, quick_folder: Path
) -> None:
    image = make_vhdx(quick_folder / "disk.vhdx", SIZE)
    raw = bytearray(image.read_bytes())
    at, _ = metadata_item(raw, FILE_PARAMETERS)
    struct.pack_into("<I", raw, at + place, value)
    image.write_bytes(raw)
    with pytest.raises(FormatError, match=said):
        open_disk(image)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (100 << 20 | 6, "inside the file"),
        (0 << 20 | 6, "block allocation table|VHDX"),
        (1 << 20 | 6, "the log|a region|VHDX"),
    ],
)
def test_blocks_outside_the_file_or_over_other_structures_are_errors(entry: int, said: str, quick_folder: Path) -> None:
    image = make_vhdx(quick_folder / "disk.vhdx", SIZE, "block_size=1M")
    run("qemu-io", "-f", "vhdx", "-c", "write -P 7 0 4M", image)
    set_entry(image, 2, entry)
    with pytest.raises(FormatError, match=said):
        open_disk(image)


def test_two_blocks_in_one_place_are_an_error(quick_folder: Path) -> None:
    image = make_vhdx(quick_folder / "disk.vhdx", SIZE, "block_size=1M")
    run("qemu-io", "-f", "vhdx", "-c", "write -P 7 0 4M", image)
    set_entry(image, 2, table_of(image.read_bytes(), 1)[0])
    with pytest.raises(FormatError, match=r"VHDX block allocation table .*apart"):
        open_disk(image)


def test_a_file_that_begins_as_a_vhdx_and_ends_as_a_vhd_is_neither(quick_folder: Path) -> None:
    image = make_vhdx(quick_folder / "disk.vhdx", SIZE, "subformat=fixed")
    footer = run_footer(quick_folder)
    with image.open("r+b") as stream:
        stream.seek(-512, 2)
        stream.write(footer)
    with pytest.raises(UnsupportedError, match="begins as a VHDX and ends as a VHD"):
        open_disk(image)


def run_footer(folder: Path) -> bytes:
    run("qemu-img", "create", "-q", "-f", "vpc", "-o", "subformat=fixed,force_size", folder / "some.vhd", "1M")
    return (folder / "some.vhd").read_bytes()[-512:]


def test_the_list_of_a_shared_vhd_set_is_no_disk(quick_folder: Path) -> None:
    image = make_vhdx(quick_folder / "shared.vhds", SIZE)
    with pytest.raises(UnsupportedError, match=r"shared VHD set, not a disk: the disk is the \.avhdx"):
        open_disk(image)


def test_every_byte_of_the_tables_may_be_wrong(quick_folder: Path) -> None:
    """With right checksums, so that they are looked at: any answer, but no error that is not ours."""
    image = make_vhdx(quick_folder / "disk.vhdx", SIZE, "block_size=1M")
    run("qemu-io", "-f", "vhdx", "-c", "write -P 7 0 4M", image)
    sound = image.read_bytes()
    chance = random.Random(7)
    damaged = quick_folder / "damaged.vhdx"
    outcomes: set[int | str] = set()
    for _ in range(60):
        raw = bytearray(sound)
        at, size, used = chance.choice(((HEADERS[0], 4096, 80), (HEADERS[1], 4096, 80), (REGION_TABLES[0], 65536, 80)))
        edit(raw, at, size, {chance.randrange(8, used): bytes([chance.choice((0, 1, 0x7F, 0xFF))])})
        damaged.write_bytes(raw)
        try:
            outcomes.add(len(content(damaged)))
        except (FormatError, UnsupportedError) as error:
            outcomes.add(type(error).__name__)
    assert {SIZE, "FormatError"} <= outcomes
