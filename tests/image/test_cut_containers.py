"""Containers whose files are cut short, or damaged at their end: that is said, and no zeros are read in its place."""

from __future__ import annotations

import struct
import subprocess
from typing import TYPE_CHECKING

import pytest

from image.test_foreign import MIB, SIZE, disk_with_holes, everything
from support.machine import need_tool, run
from vmrescue.disk import open_disk
from vmrescue.errors import FormatError

if TYPE_CHECKING:
    from pathlib import Path

SAID = r"; the file seems to be cut short: copy or download it again$"


def must_be_cut(image: Path, size: int) -> None:
    with image.open("r+b") as stream:
        stream.truncate(size)
    with pytest.raises(FormatError, match=SAID) as found:
        open_disk(image)
    assert found.value.exit_status == 3


@pytest.mark.parametrize("kind", ["parallels", "qed", "qcow"])
def test_what_qemu_reads_as_zeros_is_said_to_be_cut_short(kind: str, tmp_path: Path) -> None:
    data = disk_with_holes(tmp_path / "disk.raw")
    image = tmp_path / "image"
    run("qemu-img", "convert", "-O", kind, tmp_path / "disk.raw", image)
    disk = open_disk(image)
    assert everything(disk) == data
    disk.close()
    size = image.stat().st_size
    must_be_cut(image, size - 512)
    for part in (0.95, 0.6, 0.3, 0.02):
        must_be_cut(image, int(size * part))
        if kind != "qed" and part == 0.3:  # QEMU reads zeros
            run("qemu-img", "convert", "-f", kind, "-O", "raw", image, tmp_path / "again.raw")
            assert (tmp_path / "again.raw").read_bytes() != data


def test_a_packed_qcow_is_whole_where_its_last_cluster_is(tmp_path: Path) -> None:
    (tmp_path / "disk.raw").write_bytes(b"a" * 8 * MIB)
    image = tmp_path / "image"
    run("qemu-img", "convert", "-c", "-O", "qcow", tmp_path / "disk.raw", image, ok=(0, 1))  # as QEMU 7.2 ends
    disk = open_disk(image)
    assert everything(disk) == b"a" * 8 * MIB
    disk.close()
    must_be_cut(image, image.stat().st_size - 1)


# -- SESparse, as VMware makes it of a snapshot of a large disk; QEMU reads it. Source: QEMU, block/vmdk.c


def se_sparse(folder: Path, grains: dict[int, bytes]) -> Path:
    """A disk of 32 MiB in grains of 4 KiB: these are there, and the others are zero."""
    table, start = 64, 512 + 128  # sectors of a grain table, and where the grains begin
    fields = [0xCAFEBABE, 2 << 32 | 1, 65536, 8, table, 0, 0, 0, 0, 0]
    fields += [1, 1, 2, 2, 4, 4, 8, 1, 512, 128, 16, 1, 17, 1, start, 8 * len(grains)]
    head = struct.pack("<26Q", *fields).ljust(512, b"\0")
    volatile = struct.pack("<4Q", 0xCAFECAFE, 0, 0, 0).ljust(512, b"\0")
    tables = [[0] * 4096, [0] * 4096]
    for place, number in enumerate(grains):
        tables[number // 4096][number % 4096] = 3 << 60 | (place & 0xFFF) << 48 | place >> 12
    directory = struct.pack("<2Q", 1 << 60, 1 << 60 | 1).ljust(512, b"\0")
    body = bytearray((head + volatile).ljust(8 * 512, b"\0") + directory)
    body = body.ljust(512 * 512, b"\0") + b"".join(struct.pack("<4096Q", *each) for each in tables)
    (folder / "disk-sesparse.vmdk").write_bytes(bytes(body) + b"".join(grains.values()))
    descriptor = folder / "disk.vmdk"
    descriptor.write_text(
        "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\n"
        'createType="seSparse"\nRW 65536 SESPARSE "disk-sesparse.vmdk"\n'
    )
    return descriptor


def test_an_extent_of_sesparse_that_is_cut_short_is_said_to_be(tmp_path: Path) -> None:
    image = se_sparse(tmp_path, {5: b"a" * 4096, 4097: b"b" * 4096, 8191: b"c" * 4096})
    run("qemu-img", "convert", "-f", "vmdk", "-O", "raw", image, tmp_path / "disk.raw")
    disk = open_disk(image)
    assert everything(disk) == (tmp_path / "disk.raw").read_bytes()
    assert disk.read_at(8191 * 4096, 4096) == b"c" * 4096
    disk.close()
    extent = tmp_path / "disk-sesparse.vmdk"
    for size in (extent.stat().st_size - 4096, extent.stat().st_size - 3 * 4096, 600 * 512):
        with extent.open("r+b") as stream:
            stream.truncate(size)
        with pytest.raises(FormatError, match=SAID):
            open_disk(image)


# -- E01


@pytest.mark.parametrize("packed", ["none", "best"])
def test_a_last_chunk_that_is_damaged_keeps_nothing_else_from_being_read(packed: str, tmp_path: Path) -> None:
    data = disk_with_holes(tmp_path / "disk.raw")
    data = data[:-20000] + bytes(range(256)) * 78 + data[-32:]
    (tmp_path / "disk.raw").write_bytes(data)
    command = [need_tool("ewfacquire"), "-u", "-c", packed, "-t", "case", "disk.raw"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=120)
    image = tmp_path / "case.E01"
    whole = image.read_bytes()
    at, end = 13, 0
    while end == 0:
        kind, following, size = struct.unpack_from("<16sQQ", whole, at)
        end = at + size if kind.startswith(b"sectors") else 0
        at = following
    for back in (3, 60):  # in its checksum, and in its data
        image.write_bytes(whole[: end - back] + bytes([whole[end - back] ^ 0xFF]) + whole[end - back + 1 :])
        disk = open_disk(image)
        assert disk.size == SIZE
        before = SIZE - 32768
        assert disk.read_at(0, before) == data[:before]
        with pytest.raises(FormatError, match="E01 chunk"):
            disk.read_at(before, 512)
        disk.close()
