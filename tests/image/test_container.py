"""An image's container is recognised by its signature; errors for images that cannot be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.machine import need_root, run
from support.vhd import qemu_vhd
from vmrescue.disk import open_disk
from vmrescue.errors import FormatError, ReadError, RefusedError, UnsupportedError, VmRescueError

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20


def test_a_vhd_is_known_by_its_signature_whatever_its_name(tmp_path: Path) -> None:
    for subformat in ("fixed", "dynamic"):
        disk = open_disk(qemu_vhd(tmp_path / f"{subformat}.img", 4 * MIB, subformat))
        assert disk.format == f"{subformat} VHD"
        disk.close()


def test_what_has_no_signature_is_a_raw_image(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    path.write_bytes(b"A" * MIB)

    disk = open_disk(path)

    assert (disk.format, disk.size, disk.sector_size, disk.unique_id) == ("raw image", MIB, 512, None)
    assert (disk.parents, disk.warnings) == ([], [])
    assert disk.read_at(MIB - 2, 2) == b"AA"
    disk.close()


def test_a_raw_image_that_is_named_as_a_vhd_comes_with_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "os.VHD"
    path.write_bytes(bytes(MIB))

    disk = open_disk(path)

    assert disk.format == "raw image"
    assert "no VHD footer at its end" in disk.warnings[0]
    disk.close()


def test_a_gpt_header_at_byte_4096_shows_a_disk_of_4096_byte_sectors(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(4096) + b"EFI PART" + bytes(MIB - 4104))

    disk = open_disk(path)

    assert disk.sector_size == 4096
    disk.close()


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (b"", FormatError, "disk image: expected a disk, found an empty file"),
        (b"hello\n", FormatError, "raw image: .* whole sectors of 512 bytes, found 6 bytes"),
        (b"conectix", FormatError, "raw image: .* whole sectors"),
        (b"conectix" + bytes(504), FormatError, "VHD footer at byte 60 .*: expected the disk type"),
        (b"EVF2\r\n\x81\0" + bytes(1000), UnsupportedError, r"EnCase \(Ex01\).*ewfexport"),
        (b"\x1f\x8b\x08" + bytes(1000), UnsupportedError, "gzip-compressed.*unpack it first"),
    ],
)
def test_what_is_no_disk_is_said_in_one_sentence(
    tmp_path: Path, content: bytes, error: type[VmRescueError], message: str
) -> None:
    path = tmp_path / "thing"
    path.write_bytes(content)

    with pytest.raises(error, match=message) as caught:
        open_disk(path)

    assert caught.value.exit_status == 3
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == content


def test_what_can_not_be_opened_is_said_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for name, message in [("absent", "No such file"), ("folder", "is a directory"), ("folder/x", "No such file")]:
        with pytest.raises(ReadError, match=message):
            open_disk(tmp_path / name)
    with pytest.raises(ReadError, match="neither a file nor a block device"):
        open_disk("/dev/null")


def test_an_image_on_a_read_only_file_system_is_read_but_refused_for_writing(tmp_path: Path) -> None:
    need_root()
    path = tmp_path / "mnt" / "disk.img"
    path.parent.mkdir()
    run("mount", "-t", "tmpfs", "none", path.parent)
    try:
        path.write_bytes(bytes(MIB))
        run("mount", "-o", "remount,ro", path.parent)

        with pytest.raises(RefusedError, match=r"may not be written: Read-only file system") as caught:
            open_disk(path, writable=True)

        assert caught.value.exit_status == 4
        disk = open_disk(path)
        assert disk.read_at(0, 4) == bytes(4)
        disk.close()
    finally:
        run("umount", path.parent)


@pytest.mark.parametrize("sector_size", [512, 4096])
def test_a_block_device_is_read_and_written_in_whole_sectors(tmp_path: Path, sector_size: int) -> None:
    need_root()
    path = tmp_path / "disk.img"
    path.write_bytes(b"A" * 4 * MIB)
    device = run("losetup", "--find", "--show", "--sector-size", str(sector_size), path).strip()
    try:
        disk = open_disk(device, writable=True)
        assert (disk.format, disk.size, disk.sector_size) == ("block device", 4 * MIB, sector_size)
        disk.write_at(sector_size - 3, b"across")
        disk.write_at(4 * MIB - 1, b"z")
        with pytest.raises(RefusedError, match="block device"):
            disk.resize(8 * MIB)
        disk.flush()
        assert disk.read_at(sector_size - 4, 8) == b"AacrossA"
        disk.close()
    finally:
        run("losetup", "--detach", device)
    content = path.read_bytes()
    assert content[sector_size - 4 :][:8] == b"AacrossA"
    assert content[-2:] == b"Az"
    assert len(content) == 4 * MIB


def test_a_mounted_block_device_is_refused_for_writing(tmp_path: Path) -> None:
    need_root()
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(8 * MIB))
    run("mkfs.ext4", "-q", path)
    device = run("losetup", "--find", "--show", path).strip()
    mount = tmp_path / "mnt"
    mount.mkdir()
    try:
        run("mount", device, mount)
        with pytest.raises(RefusedError, match=f"{device} is mounted on {mount}") as caught:
            open_disk(device, writable=True)
        assert caught.value.exit_status == 4
        run("umount", mount)
        disk = open_disk(device, writable=True)
        assert disk.size == 8 * MIB
        disk.close()
    finally:
        run("umount", mount, ok=(0, 32))
        run("losetup", "--detach", device)
