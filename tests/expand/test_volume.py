"""NTFS volumes made as long as what they lie on: of every cluster size, by odd lengths, and such that Windows made."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntfs.volumes import MIB, cloud_volume, format_volume, formatted, opened, size_for, windows_volume, write_sparse
from support.machine import run
from support.memory_device import MemoryDevice
from support.ntfs_judges import all_judges, dissect_tree, mounted, structure_judges
from vmrescue.errors import FormatError, RefusedError, VmRescueError
from vmrescue.image.transports.file import FileDevice
from vmrescue.ntfs.edit.growth import grow

if TYPE_CHECKING:
    from pathlib import Path


RECORD = 1024  # bytes of a file record


def lengthen(path: Path, more: int, filler: int = 0) -> None:
    """Makes the file longer, by bytes that need not be zero, and the volume in it as long."""
    with path.open("ab") as stream:
        if filler:
            stream.write(bytes([filler]) * more)
        else:
            stream.truncate(path.stat().st_size + more)
    device = FileDevice(path, writable=True)
    try:
        grow(device)
    finally:
        device.close()


@pytest.mark.parametrize("cluster", [512, 1024, 4096, 65536])
def test_a_volume_grows_and_can_be_filled(tmp_path: Path, cluster: int) -> None:
    path = format_volume(tmp_path / "volume.img", size_for(cluster), cluster)
    with mounted(path, writable=True) as root:
        (root / "before.bin").write_bytes(random.Random(1).randbytes(2 * MIB))
    before = all_judges(path)

    lengthen(path, 5 * size_for(cluster), filler=0xA5)

    assert all_judges(path) == before
    with opened(path) as volume:
        assert volume.state.name == "clean"
        free = volume.free_clusters * cluster
    content = random.Random(2).randbytes(free - 2 * MIB if cluster < 65536 else free // 2)
    with mounted(path, writable=True) as root:
        (root / "new.bin").write_bytes(content)
    structure_judges(path)


def test_a_volume_grows_by_every_odd_length(tmp_path: Path) -> None:
    """Bits of $Bitmap are added in the midst of a byte, of a group of eight bytes, of a cluster."""
    path = format_volume(tmp_path / "volume.img")
    for more in (4096, 3 * 4096, 8 * 4096, 61 * 4096 + 512, 64 * 4096, 1000 * 4096 - 512, 40 * MIB, 130 * MIB):
        with opened(path) as volume:
            clusters, free = volume.cluster_count, volume.free_clusters
        lengthen(path, more)
        structure_judges(path)
        with opened(path) as volume:
            grown = volume.cluster_count - clusters
            assert grown == more // 4096 or grown == -(-more // 4096)
            assert 0 <= grown - (volume.free_clusters - free) <= 2  # what $Bitmap took


def test_the_volume_that_windows_made_grows(tmp_path: Path) -> None:
    path = write_sparse(windows_volume(), tmp_path / "volume.img")
    run("truncate", "-s", str(len(windows_volume())), path)
    before = dissect_tree(path)
    lengthen(path, 300 * MIB)
    structure_judges(path)
    assert dissect_tree(path) == before


def test_a_volume_with_a_pending_log_is_refused_and_grows_once_that_is_replayed(tmp_path: Path) -> None:
    path = cloud_volume(tmp_path / "volume.img")
    content = path.stat().st_size
    with pytest.raises(RefusedError, match="log has work to redo"):
        lengthen(path, 64 * MIB)
    run("truncate", "-s", str(content), path)
    run("ntfsrecover", "-k", path)
    lengthen(path, 4096 * MIB)
    structure_judges(path)


def test_a_volume_as_long_as_its_partition_is_refused(tmp_path: Path) -> None:
    path = format_volume(tmp_path / "volume.img")
    before = path.read_bytes()
    with pytest.raises(RefusedError, match="all that its partition has room for"):
        lengthen(path, 0)
    assert path.read_bytes() == before


@given(st.data())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_damaged_structures_are_refused_or_grown_and_a_refusal_has_written_nothing(data: st.DataObject) -> None:
    """Bytes of the boot sector and of the records that growing reads: $MFT, $Volume, $Bitmap, $BadClus."""
    device = MemoryDevice(formatted() + bytes(4 * MIB))
    places = [0, *(device.data.index(b"FILE") + number * RECORD for number in (0, 3, 6, 8))]
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.sampled_from(places)) + data.draw(st.integers(0, 600))
        device.data[at] = data.draw(st.sampled_from([0, 0x7F, 0x80, 0xFF, 0x90]))
    before = bytes(device.data)
    try:
        grow(device)
    except VmRescueError:
        assert bytes(device.data) == before


def test_what_fails_has_written_nothing(tmp_path: Path) -> None:
    """A volume whose $BadClus is broken: that is found after $Bitmap was worked out."""
    path = format_volume(tmp_path / "volume.img")
    with path.open("r+b") as stream:
        data = stream.read()
        name = data.index("$BadClus".encode("utf-16-le"))
        record = data.rindex(b"FILE", 0, name)
        attribute = data.index("$Bad".encode("utf-16-le"), name + 16)
        stream.seek(record + (attribute - record) // 8 * 8)
        stream.write("$XXX".encode("utf-16-le"))
    before = path.read_bytes()
    with pytest.raises(FormatError, match="attribute of type 0x80"):
        lengthen(path, 8 * MIB)
    assert path.read_bytes()[: len(before)] == before
