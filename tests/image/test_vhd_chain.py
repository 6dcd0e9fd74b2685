"""Differencing VHDs over their parents, with libvhdi as judge."""

from __future__ import annotations

import os
import random
import shutil
from typing import TYPE_CHECKING

import pytest

from support.machine import run
from support.real_data import corpus
from support.vhd import libvhdi_content, qemu_content, qemu_vhd, qemu_write
from vmrescue.disk import EditSession, open_disk, undo
from vmrescue.errors import FormatError, NotFoundError, RefusedError, UnsupportedError
from vmrescue.image.containers.vhd_create import create_differencing, create_dynamic, create_fixed
from vmrescue.image.containers.vhd_layout import HEADER_CHECKSUM_AT, sealed

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20


def read_all(path: Path, parent_folder: Path | None = None) -> bytes:
    disk = open_disk(path, parent_folder=parent_folder)
    data = disk.read_at(0, disk.size)
    disk.close()
    return data


def write(path: Path, offset: int, data: bytes) -> None:
    disk = open_disk(path, writable=True)
    disk.write_at(offset, data)
    disk.close()


def warnings(path: Path) -> list[str]:
    disk = open_disk(path)
    disk.close()
    return disk.warnings


def edit_header(path: Path, position: int, data: bytes) -> None:
    """Changes the dynamic header, and makes its checksum right again."""
    raw = bytearray(path.read_bytes())
    header = bytearray(raw[512 : 512 + 1024])
    header[position : position + len(data)] = data
    raw[512 : 512 + 1024] = sealed(bytes(header), HEADER_CHECKSUM_AT)
    path.write_bytes(raw)


def parent_and_child(folder: Path) -> tuple[Path, Path]:
    """A parent of 5 MiB with `A` in its second and third, and a child with 100 bytes of `b` across the end of these."""
    parent = qemu_vhd(folder / "parent.vhd", 5 * MIB, "dynamic")
    qemu_write(parent, MIB, 2 * MIB, 0x41)
    child = folder / "child.vhd"
    create_differencing(parent, child)
    write(child, 3 * MIB - 50, b"b" * 100)
    return parent, child


def test_the_corpus_child_opens_over_its_parent_as_libvhdi_sees_it(tmp_path: Path) -> None:
    parent, child = tmp_path / "image.vhd", tmp_path / "image-differential.vhd"
    parent.write_bytes(corpus("vhd/image.vhd"))
    child.write_bytes(corpus("vhd/image-differential.vhd"))

    disk = open_disk(child)

    assert (disk.format, disk.size, disk.parents) == ("differencing VHD", 104448, [str(parent)])
    assert disk.unique_id is not None
    assert disk.unique_id.hex() == "40d56d369ab84fe4a31a121fe2bf15eb"
    assert disk.read_at(0, disk.size) == libvhdi_content(child, parent)
    assert disk.read_at(0x438, 2) == b"\x53\xef"  # an ext2 superblock's magic
    assert len([warning for warning in disk.warnings if "expected the checksum" in warning]) == 3  # made by hand
    disk.close()


def test_what_is_written_to_a_corpus_child_is_read_by_libvhdi_over_the_parent(tmp_path: Path) -> None:
    parent, child = tmp_path / "image.vhd", tmp_path / "image-differential.vhd"
    parent.write_bytes(corpus("vhd/image.vhd"))
    child.write_bytes(corpus("vhd/image-differential.vhd"))
    model = bytearray(read_all(child))

    write(child, 1000, b"repaired")
    model[1000:1008] = b"repaired"

    assert libvhdi_content(child, parent) == model
    assert read_all(child) == model
    assert parent.read_bytes() == corpus("vhd/image.vhd")


@pytest.mark.parametrize("subformat", ["fixed", "dynamic"])
def test_a_child_shows_its_parent_until_it_is_written_to(tmp_path: Path, subformat: str) -> None:
    parent = qemu_vhd(tmp_path / "parent.vhd", 9 * MIB + 512, subformat)
    qemu_write(parent, 3 * MIB, 3 * MIB, 0x41)
    before = parent.read_bytes()
    model = bytearray(read_all(parent))
    child = tmp_path / "child.vhd"

    create_differencing(parent, child)

    assert child.stat().st_size < 8192
    assert read_all(child) == model
    assert libvhdi_content(child, parent) == model
    assert warnings(child) == []
    chance = random.Random(subformat)
    for length in (1, 511, 512, 513, 4096, 70000, 3 * MIB, 600):
        offset = chance.randrange(len(model) - length)
        data = chance.randbytes(length)
        write(child, offset, data)
        model[offset : offset + length] = data
    assert read_all(child) == model
    assert libvhdi_content(child, parent) == model
    assert parent.read_bytes() == before
    assert "Differential" in run("vhdiinfo", child)


def test_bytes_equal_to_the_parents_take_no_room_in_the_child(tmp_path: Path) -> None:
    parent, child = parent_and_child(tmp_path)
    size = child.stat().st_size

    write(child, MIB, b"A" * MIB)

    assert child.stat().st_size == size
    assert read_all(child)[MIB : 2 * MIB] == b"A" * MIB
    assert read_all(parent)[MIB : 2 * MIB] == b"A" * MIB


def test_a_repair_of_a_child_leaves_its_parent_alone_and_is_undone_exactly(tmp_path: Path) -> None:
    parent, child = parent_and_child(tmp_path)
    before = parent.read_bytes(), child.read_bytes()

    with EditSession(child) as session:
        assert session.disk.parents == [str(parent)]
        session.disk.write_at(100, b"repaired")
        session.commit()

    assert libvhdi_content(child, parent)[100:108] == b"repaired"
    assert parent.read_bytes() == before[0]
    undo(child)
    assert (parent.read_bytes(), child.read_bytes()) == before


def test_a_chain_of_three_is_read_through(tmp_path: Path) -> None:
    parent, child = parent_and_child(tmp_path)
    grandchild = tmp_path / "grandchild.vhd"
    create_differencing(child, grandchild)
    write(grandchild, 0, b"third")

    disk = open_disk(grandchild)
    assert disk.parents == [str(child), str(parent)]
    data = disk.read_at(0, disk.size)
    disk.close()

    assert data[:6] == b"third\0"
    assert data[MIB] == 0x41
    assert data[3 * MIB - 51 : 3 * MIB + 51] == b"A" + b"b" * 100 + b"\0"


def test_locators_give_the_parents_place_relatively_and_absolutely(tmp_path: Path) -> None:
    parent, child = parent_and_child(tmp_path)

    raw = child.read_bytes()

    assert ".\\parent.vhd".encode("utf-16-le") in raw
    assert str(parent).replace("/", "\\").encode("utf-16-le") in raw
    assert "parent.vhd".encode("utf-16-be") in raw[512:1536]


def test_a_parent_is_found_beside_a_child_that_moved_with_it_or_in_the_folder_that_is_named(tmp_path: Path) -> None:
    parent, child = parent_and_child(tmp_path)
    data = read_all(child)
    together, apart = tmp_path / "together", tmp_path / "apart"
    together.mkdir()
    apart.mkdir()
    shutil.move(child, together / "child.vhd")
    shutil.copy2(parent, together / "PARENT.VHD")

    assert read_all(together / "child.vhd") == data
    shutil.move(together / "PARENT.VHD", apart / "parent.vhd")
    parent.unlink()
    with pytest.raises(NotFoundError, match=r"is missing: no parent\.vhd in .*together") as caught:
        open_disk(together / "child.vhd")
    assert caught.value.exit_status == 3
    assert read_all(together / "child.vhd", parent_folder=apart) == data


def test_a_parent_outside_the_folder_is_opened_only_where_it_is_the_very_one_that_the_child_knows(
    tmp_path: Path,
) -> None:
    folder, away = tmp_path / "folder", tmp_path / "away"
    folder.mkdir()
    away.mkdir()
    parent, child = parent_and_child(tmp_path)
    data, stamp = read_all(child), parent.stat().st_mtime_ns
    moved = folder / "child.vhd"
    shutil.move(child, moved)  # its absolute locator still leads to the parent
    assert read_all(moved) == data

    os.utime(parent, ns=(stamp, stamp - 60 * 10**9))  # as of another file
    with pytest.raises(NotFoundError, match=r"no parent\.vhd in .*folder, nor, as it was, where the child says"):
        open_disk(moved)
    os.utime(parent, ns=(stamp, stamp))
    parent.rename(away / "parent.vhd")
    qemu_vhd(parent, 5 * MIB, "dynamic")  # another disk, with an id of its own
    os.utime(parent, ns=(stamp, stamp))
    with pytest.raises(NotFoundError, match="is missing"):
        open_disk(moved)
    edit_header(moved, 64, "..\\away\\parent.vhd".encode("utf-16-be"))  # what the header itself says
    assert read_all(moved) == data


def test_another_disk_in_the_parents_place_is_refused_with_both_ids(tmp_path: Path) -> None:
    parent, child = parent_and_child(tmp_path)
    known = parent.read_bytes()[-512 + 68 :][:16].hex()
    parent.unlink()
    qemu_vhd(parent, 5 * MIB, "dynamic")
    new = parent.read_bytes()[-512 + 68 :][:16].hex()

    with pytest.raises(FormatError, match=rf"at byte 552 .*unique id of the parent .*{new}, found {known}"):
        open_disk(child)


def test_a_parent_that_is_no_vhd_is_named(tmp_path: Path) -> None:
    parent, child = parent_and_child(tmp_path)
    parent.write_bytes(bytes(MIB))

    with pytest.raises(FormatError, match=r"parent\.vhd: VHD footer at byte 1048064 .*the cookie 'conectix'"):
        open_disk(child)


def test_a_parent_that_was_changed_since_is_warned_of(tmp_path: Path) -> None:
    parent = qemu_vhd(tmp_path / "parent.vhd", MIB, "dynamic")
    os.utime(parent, (1_500_000_000, 1_500_000_000))
    child = tmp_path / "child.vhd"
    create_differencing(parent, child)
    assert warnings(child) == []

    qemu_write(parent, 0, 512, 0x41)

    assert "parent.vhd was changed or copied after" in warnings(child)[0]


def test_a_child_that_is_its_own_parent_is_refused(tmp_path: Path) -> None:
    parent, child = parent_and_child(tmp_path)
    parent.unlink()
    shutil.copy(child, parent)

    with pytest.raises(FormatError, match="unique id"):
        open_disk(child)
    edit_header(parent, 40, child.read_bytes()[68:84])
    edit_header(child, 40, child.read_bytes()[68:84])
    with pytest.raises(FormatError, match="a parent that isn't its own child"):
        open_disk(child)


def test_a_chain_that_is_too_long_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "0.vhd"
    create_dynamic(path, MIB)
    for number in range(1, 65):
        child = tmp_path / f"{number}.vhd"
        create_differencing(path, child)
        if number == 63:
            assert len(read_all(child)) == MIB
        path = child

    with pytest.raises(UnsupportedError, match="more than 63 parents"):
        open_disk(path)


def test_only_a_vhd_can_be_a_parent(tmp_path: Path) -> None:
    raw = tmp_path / "raw.img"
    raw.write_bytes(bytes(MIB))

    with pytest.raises(UnsupportedError, match="raw image: only a VHD can be the parent"):
        create_differencing(raw, tmp_path / "child.vhd")

    assert not (tmp_path / "child.vhd").exists()


@pytest.mark.parametrize("size", [512, 3 * MIB, 127 << 30, 2040 << 30])
@pytest.mark.parametrize("create", [create_fixed, create_dynamic])
def test_a_new_vhd_has_its_exact_size_for_qemu_and_libvhdi(tmp_path: Path, create: type, size: int) -> None:
    path = tmp_path / "new.vhd"

    create(path, size)

    assert f'"virtual-size": {size},' in run("qemu-img", "info", "-f", "vpc", "--output", "json", path)
    assert f"({size} bytes)" in run("vhdiinfo", path) or f": {size} bytes" in run("vhdiinfo", path)
    disk = open_disk(path)
    assert (disk.size, disk.warnings) == (size, [])
    assert disk.read_at(size - 512, 512) == bytes(512)
    disk.close()
    assert path.stat().st_blocks * 512 < 9 * MIB


def test_a_new_vhd_is_written_by_qemu_and_read_again(tmp_path: Path) -> None:
    for create in (create_fixed, create_dynamic):
        path = tmp_path / create.__name__
        create(path, 10 * MIB)
        qemu_write(path, 4 * MIB + 512, MIB, 0x41)
        assert read_all(path) == qemu_content(path)
        assert read_all(path)[4 * MIB + 511 :][:2] == b"\0A"


def test_a_new_vhd_never_replaces_a_file_and_has_a_size_that_a_vhd_can_have(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_bytes(b"precious")
    with pytest.raises(RefusedError, match="exists already"):
        create_fixed(path, MIB)
    assert path.read_bytes() == b"precious"
    for size in (0, 100, (2040 << 30) + 512):
        with pytest.raises(RefusedError, match="can't have"):
            create_dynamic(tmp_path / "new", size)
    assert not (tmp_path / "new").exists()


def test_libvhdi_asks_no_parent_for_what_follows_a_sector_of_the_child_in_a_byte_of_the_bitmap(tmp_path: Path) -> None:
    parent, child = tmp_path / "parent.vhd", tmp_path / "child.vhd"
    create_fixed(parent, MIB)
    write(parent, 0, b"p" * MIB)
    create_differencing(parent, child)
    write(child, 16 * 512, b"c" * 8 * 512)  # we write whole bytes of the bitmap; others, single sectors:
    raw = bytearray(child.read_bytes())
    at = raw.index(b"c" * 512)
    raw[at : at + 8 * 512] = b"c" * 512 + bytes(7 * 512)
    raw[at - 17 * 512 + 2] = 0b1000_0000
    child.write_bytes(raw)

    assert read_all(child) == b"p" * 16 * 512 + b"c" * 512 + b"p" * (MIB - 17 * 512)
    assert libvhdi_content(child, parent) == (
        b"p" * 16 * 512 + b"c" * 512 + bytes(7 * 512) + b"p" * (MIB - 24 * 512)  # wrong: docs/readers.md
    )
