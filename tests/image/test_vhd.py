"""Fixed and dynamic VHDs, with QEMU and libvhdi as judges."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.vhd import libvhdi_content, qemu_content, qemu_vhd, qemu_write
from vmrescue.disk import open_disk
from vmrescue.errors import FormatError, RefusedError
from vmrescue.image.containers.vhd_create import create_differencing

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20
SUBFORMATS = ["fixed", "dynamic"]


def patch(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset if offset >= 0 else path.stat().st_size + offset)
        file.write(data)


@pytest.mark.parametrize("subformat", SUBFORMATS)
def test_what_qemu_wrote_is_read(tmp_path: Path, subformat: str) -> None:
    path = qemu_vhd(tmp_path / "disk", 9 * MIB + 512, subformat)
    qemu_write(path, 3 * MIB - 512, 2 * MIB, 0x41)

    disk = open_disk(path)

    assert (disk.format, disk.size, disk.sector_size, disk.warnings) == (f"{subformat} VHD", 9 * MIB + 512, 512, [])
    assert disk.unique_id is not None
    assert disk.unique_id in path.read_bytes()[-512:]
    assert disk.read_at(0, disk.size) == qemu_content(path)
    assert disk.read_at(3 * MIB - 513, 3) == b"\0AA"
    disk.close()


@pytest.mark.parametrize("subformat", SUBFORMATS)
def test_what_was_written_is_read_by_qemu_and_libvhdi(tmp_path: Path, subformat: str) -> None:
    path = qemu_vhd(tmp_path / "disk", 9 * MIB + 512, subformat)
    qemu_write(path, 0, 1024, 0x41)
    content = bytearray(qemu_content(path))
    chance = random.Random(subformat)

    disk = open_disk(path, writable=True)
    for length in [1, 511, 512, 513, 4096, 70000, 3 * MIB, 7, 600]:
        offset = chance.randrange(disk.size - length)
        data = chance.randbytes(length)
        disk.write_at(offset, data)
        content[offset : offset + length] = data
    disk.write_at(disk.size - 3, b"end")
    content[-3:] = b"end"
    assert disk.read_at(0, disk.size) == content
    disk.flush()
    disk.close()

    assert qemu_content(path) == content
    assert libvhdi_content(path) == content
    disk = open_disk(path)
    assert disk.read_at(0, disk.size) == content
    assert disk.warnings == []
    disk.close()


def test_a_dynamic_vhd_grows_by_a_block_only_when_something_is_written_there(tmp_path: Path) -> None:
    path = qemu_vhd(tmp_path / "disk", 64 * MIB, "dynamic")
    before = path.stat().st_size

    disk = open_disk(path, writable=True)
    disk.write_at(20 * MIB, bytes(5 * MIB))
    assert path.stat().st_size == before
    disk.write_at(20 * MIB, b"x")
    disk.write_at(21 * MIB, b"y")
    disk.close()

    assert path.stat().st_size == before + 512 + 2 * MIB


def new_disk(folder: Path, container: str, size: int) -> Path:
    """A disk that QEMU made, or a child of such a one."""
    path = folder / "disk"
    if container == "raw":
        path.write_bytes(bytes(size))
        return path
    if container != "differencing":
        return qemu_vhd(path, size, container)
    parent = qemu_vhd(folder / "parent.vhd", size, "dynamic")
    qemu_write(parent, MIB, 2 * MIB, 0x41)
    create_differencing(parent, path)
    return path


@settings(max_examples=40, deadline=None)
@given(data=st.data(), container=st.sampled_from(["raw", "fixed", "dynamic", "differencing"]))
def test_any_reads_and_writes_act_as_on_an_array_of_bytes(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, container: str
) -> None:
    size = 5 * MIB + 1024
    folder = tmp_path_factory.mktemp("vhd")
    path = new_disk(folder, container, size)
    disk = open_disk(path, writable=True)
    model = bytearray(disk.read_at(0, size))
    places = st.integers(0, size) | st.sampled_from([2 * MIB, 4 * MIB]).flatmap(lambda at: st.integers(at - 9, at + 9))
    for _ in range(data.draw(st.integers(1, 12))):
        offset = data.draw(places)
        length = min(data.draw(st.integers(0, 2000) | st.just(2 * MIB)), size - offset)
        fill = data.draw(st.sampled_from([0, 0x41]) | st.integers(0, 255))
        disk.write_at(offset, bytes([fill]) * length)
        model[offset : offset + length] = bytes([fill]) * length
        offset = data.draw(places)
        length = min(data.draw(st.integers(0, 2000) | st.just(2 * MIB)), size - offset)
        assert disk.read_at(offset, length) == model[offset : offset + length]
    disk.close()
    if container == "differencing":
        assert libvhdi_content(path, folder / "parent.vhd") == model
    elif container == "raw":
        assert path.read_bytes() == model
    else:
        assert qemu_content(path) == model
        assert libvhdi_content(path) == model


@pytest.mark.parametrize("subformat", SUBFORMATS)
def test_a_disk_is_made_longer_and_keeps_its_content(tmp_path: Path, subformat: str) -> None:
    path = qemu_vhd(tmp_path / "disk", 8 * MIB, subformat)
    qemu_write(path, 0, 8 * MIB, 0x41)

    disk = open_disk(path, writable=True)
    disk.resize(200 * MIB)
    disk.write_at(199 * MIB, b"far")
    disk.resize(300 * MIB)
    disk.close()

    disk = open_disk(path)
    assert disk.size == 300 * MIB
    assert disk.warnings == []
    assert disk.read_at(8 * MIB - 3, 6) == b"AAA\0\0\0"
    assert disk.read_at(199 * MIB, 3) == b"far"
    assert disk.read_at(disk.size - MIB, MIB) == bytes(MIB)
    disk.close()
    qemu_write(path, 299 * MIB, 512, 0x42)
    for content in (qemu_content(path), libvhdi_content(path)):
        assert len(content) == 300 * MIB
        assert content[: 8 * MIB] == b"A" * (8 * MIB)
        assert content[8 * MIB : 199 * MIB].count(0) == 191 * MIB
        assert content[199 * MIB :][:4] == b"far\0"
        assert content[299 * MIB :][:513] == b"B" * 512 + b"\0"


def test_a_disk_is_not_made_shorter(tmp_path: Path) -> None:
    disk = open_disk(qemu_vhd(tmp_path / "disk", 8 * MIB, "fixed"), writable=True)
    with pytest.raises(RefusedError, match="only longer"):
        disk.resize(4 * MIB)
    assert disk.size == 8 * MIB
    disk.close()


def test_a_disk_opened_for_reading_refuses_a_write(tmp_path: Path) -> None:
    disk = open_disk(qemu_vhd(tmp_path / "disk", 8 * MIB, "fixed"))
    with pytest.raises(RefusedError, match="for reading only"):
        disk.write_at(0, b"x")
    assert disk.read_at(0, 1) == b"\0"
    disk.close()


def test_the_copy_stands_in_for_a_broken_footer_of_a_dynamic_vhd(tmp_path: Path) -> None:
    path = qemu_vhd(tmp_path / "disk", 8 * MIB, "dynamic")
    qemu_write(path, 0, 8 * MIB, 0x41)
    patch(path, -512, b"garbage!")

    disk = open_disk(path)

    assert disk.read_at(0, disk.size) == b"A" * (8 * MIB)
    assert len(disk.warnings) == 1
    assert "its copy at byte 0 is used" in disk.warnings[0]
    disk.close()


def test_a_block_is_added_behind_a_dynamic_vhd_that_lost_its_footer(tmp_path: Path) -> None:
    path = qemu_vhd(tmp_path / "disk", 8 * MIB, "dynamic")
    qemu_write(path, 0, MIB, 0x41)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 512)

    disk = open_disk(path, writable=True)
    disk.write_at(5 * MIB, b"new")
    disk.close()

    assert libvhdi_content(path)[5 * MIB - 1 :][:4] == b"\0new"
    disk = open_disk(path)
    assert disk.warnings == []
    assert disk.read_at(MIB - 1, 2) == b"A\0"
    disk.close()


def test_a_fixed_footer_with_only_a_bad_checksum_is_used(tmp_path: Path) -> None:
    path = qemu_vhd(tmp_path / "disk", 8 * MIB, "fixed")
    patch(path, -512 + 64, b"\1\2\3\4")

    disk = open_disk(path)

    assert disk.size == 8 * MIB
    assert "expected the checksum" in disk.warnings[0]
    disk.close()


def test_a_dynamic_header_with_only_a_bad_checksum_is_used(tmp_path: Path) -> None:
    path = qemu_vhd(tmp_path / "disk", 8 * MIB, "dynamic")
    qemu_write(path, 0, MIB, 0x41)
    patch(path, 512 + 1000, b"x")

    disk = open_disk(path)

    assert disk.read_at(MIB - 1, 2) == b"A\0"
    assert "VHD dynamic header at byte 548 (0x224): expected the checksum" in disk.warnings[0]
    disk.close()


def test_a_footer_of_511_bytes_is_read_and_stays_readable_after_a_write(tmp_path: Path) -> None:
    path = qemu_vhd(tmp_path / "disk", 8 * MIB, "dynamic")
    qemu_write(path, 0, MIB, 0x41)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 1)

    disk = open_disk(path, writable=True)
    assert disk.warnings == []
    disk.write_at(5 * MIB, b"new")
    disk.close()

    assert libvhdi_content(path)[5 * MIB - 1 :][:4] == b"\0new"
    assert path.stat().st_size % 512 == 0


def test_a_saved_machine_is_warned_of(tmp_path: Path) -> None:
    path = qemu_vhd(tmp_path / "disk", 8 * MIB, "fixed")
    footer = bytearray(path.read_bytes()[-512:])
    footer[84] = 1
    footer[64:68] = (int.from_bytes(footer[64:68], "big") - 1).to_bytes(4, "big")
    patch(path, -512, bytes(footer))

    disk = open_disk(path)

    assert disk.warnings == ["the VHD's footer says that its virtual machine was saved, not shut down"]
    disk.close()


@pytest.mark.parametrize(
    ("subformat", "offset", "data", "message"),
    [
        ("dynamic", 512, b"x", r"VHD dynamic header at byte 512 .*the cookie 'cxsparse'"),
        ("dynamic", 512 + 32, b"\0\0\0\7", r"VHD dynamic header at byte 544 .*a block size that is a power of two"),
        ("dynamic", 512 + 28, b"\0\0\0\3", r"VHD dynamic header at byte 540 .*at least 4 table entries"),
        ("dynamic", 512 + 16, b"\1", r"VHD block allocation table at byte \d+ .* bytes inside its"),
        ("dynamic", 1536, b"\0\0\0\2", r"VHD block allocation table at byte 1536 .* block 0 inside the file"),
        ("dynamic", 1540, b"\0\x10\0\0", r"VHD block allocation table at byte 1540 .* block 1 inside the file"),
        ("dynamic", 1540, b"\0\0\0\5", r"VHD block allocation table at byte 15\d\d .*a block apart from the one"),
        ("fixed", -512 + 40 + 12, b"\0\1\0\0", r"VHD footer at byte \d+ .*the checksum"),
    ],
)
def test_a_broken_structure_is_named_with_its_position(
    tmp_path: Path, subformat: str, offset: int, data: bytes, message: str
) -> None:
    path = qemu_vhd(tmp_path / "disk", 8 * MIB, subformat)
    qemu_write(path, 0, MIB, 0x41)
    qemu_write(path, 6 * MIB, MIB, 0x41)
    patch(path, offset, data)
    with pytest.raises(FormatError, match=message) as caught:
        open_disk(path)
    assert caught.value.exit_status == 3


def test_a_dynamic_vhd_cut_short_is_refused_with_the_block_that_is_missing(tmp_path: Path) -> None:
    path = qemu_vhd(tmp_path / "disk", 8 * MIB, "dynamic")
    qemu_write(path, 0, 8 * MIB, 0x41)
    with path.open("r+b") as file:
        file.truncate(5 * MIB)

    with pytest.raises(FormatError, match=r"of block 3 inside the file, before byte 5242880"):
        open_disk(path)
