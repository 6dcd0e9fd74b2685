"""Copies for Azure: fixed VHDs of whole MiB, with the holes that the original had."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from image.images import CONTAINERS, content, make_image, tree
from support.machine import need_root, run
from support.vhd import libvhdi_content, qemu_content
from vmrescue.disk import open_disk
from vmrescue.errors import RefusedError, UnsupportedError, VmRescueError
from vmrescue.image.copy import content_of, copy_to_fixed

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_copy_is_a_fixed_vhd_of_whole_mib_with_the_same_bytes(tmp_path: Path, container: str) -> None:
    path = make_image(tmp_path, container)
    before = tree(tmp_path)
    out = tmp_path / "out" / "copy.vhd"
    out.parent.mkdir()
    steps: list[tuple[int, int]] = []

    disk = open_disk(path)
    data = disk.read_at(0, disk.size)
    copied = copy_to_fixed(disk, out, lambda done, total: steps.append((done, total)))
    disk.close()

    assert qemu_content(out) == libvhdi_content(out) == data.ljust(MIB, b"\0")
    assert copied.size == MIB
    assert hashlib.sha256(data).hexdigest() == content(path)
    assert copied.content == content_of(None, len(data), lambda offset, length: data[offset : offset + length])
    assert copied.sha256 is None
    assert out.stat().st_size == MIB + 512
    assert steps[-1] == (len(data), len(data))
    assert {name: data for name, data in tree(tmp_path).items() if not name.startswith("out")} == before


def test_holes_stay_holes(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    with path.open("wb") as file:
        file.truncate(300 * MIB - 512)
        file.seek(70 * MIB)
        file.write(b"data")

    disk = open_disk(path)
    copied = copy_to_fixed(disk, tmp_path / "copy.vhd")
    disk.close()

    assert copied.size == 300 * MIB
    assert (tmp_path / "copy.vhd").stat().st_blocks * 512 < MIB
    disk = open_disk(tmp_path / "copy.vhd")
    assert (disk.format, disk.size, disk.warnings) == ("fixed VHD", 300 * MIB, [])
    assert disk.read_at(70 * MIB - 1, 6) == b"\0data\0"
    disk.close()


def test_a_copy_never_replaces_a_file(tmp_path: Path) -> None:
    path = make_image(tmp_path, "raw")
    disk = open_disk(path)
    before = tree(tmp_path)

    with pytest.raises(RefusedError, match="exists already"):
        copy_to_fixed(disk, path)

    disk.close()
    assert tree(tmp_path) == before


def test_a_disk_of_4096_byte_sectors_is_not_copied_to_a_vhd(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(4096) + b"EFI PART" + bytes(MIB - 4104))
    disk = open_disk(path)

    with pytest.raises(UnsupportedError, match="sectors of 4096 bytes"):
        copy_to_fixed(disk, tmp_path / "copy.vhd")

    disk.close()
    assert not (tmp_path / "copy.vhd").exists()


def test_a_copy_for_which_there_is_no_room_leaves_nothing_behind(tmp_path: Path) -> None:
    need_root()
    path = make_image(tmp_path, "raw")
    mount = tmp_path / "mnt"
    mount.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=64k", "none", mount)
    try:
        disk = open_disk(path)
        with pytest.raises(VmRescueError, match="No space left on device") as caught:
            copy_to_fixed(disk, mount / "copy.vhd")
        disk.close()
        assert caught.value.exit_status == 5
        assert list(mount.iterdir()) == []
    finally:
        run("umount", mount)
