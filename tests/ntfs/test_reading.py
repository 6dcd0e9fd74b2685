"""vmrescue reads the same from an NTFS volume as other readers; opening a volume reads little."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ntfs.volumes import (
    MIB,
    CountingDevice,
    cloud_volume,
    format_volume,
    formatted,
    new_volume,
    opened,
    size_for,
    tree_of,
    windows_tree,
    windows_volume,
)
from support.machine import run
from support.memory_device import MemoryDevice
from support.ntfs_judges import digest, dissect_tree, mounted
from vmrescue.errors import FormatError, NotFoundError, RefusedError, UnsupportedError
from vmrescue.ntfs import NtfsVolume

if TYPE_CHECKING:
    from pathlib import Path

CLUSTERS = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072, 2 * MIB]
VARIANTS = [(cluster, sector) for cluster in CLUSTERS for sector in (512, 4096) if cluster >= sector]


def test_files_that_windows_wrote_read_as_the_judges_read_them() -> None:
    volume = NtfsVolume(MemoryDevice(windows_volume()))
    expected = windows_tree()
    compressed = {path for path in expected if path in ("Large.txt", "Random.bin")}

    found = {}
    for path, content in expected.items():
        if path not in compressed:
            found[path] = None if volume.stat(path).is_directory else digest(volume.read_file(path))
            assert (content is None) == volume.stat(path).is_directory

    assert len(found) > 2000
    assert found == {path: content for path, content in expected.items() if path not in compressed}


@pytest.mark.parametrize("path", ["Large.txt", "Random.bin"])
def test_a_compressed_file_is_not_read_but_named(path: str) -> None:
    volume = NtfsVolume(MemoryDevice(windows_volume()))
    assert volume.stat(path).is_compressed
    with pytest.raises(UnsupportedError, match="compressed"):
        volume.read_file(path)


def test_files_in_the_cloud_are_named_as_reparse_points(tmp_path: Path) -> None:
    with opened(cloud_volume(tmp_path / "volume.img")) as volume:
        assert volume.label == "Example Volume"
        assert volume.stat("OneDrive/example.txt").is_reparse_point
        with pytest.raises(UnsupportedError, match="9000601a"):
            volume.read_file("OneDrive/example.txt")


@pytest.mark.parametrize(("cluster", "sector"), VARIANTS)
def test_files_that_ntfs_3g_wrote_are_read_whatever_the_cluster_size(tmp_path: Path, cluster: int, sector: int) -> None:
    path = format_volume(tmp_path / "volume.img", size_for(cluster), cluster, sector)
    contents = {
        "small.txt": b"small",
        "large.bin": bytes(range(256)) * 1000,
        "d\u00e9j\u00e0 vu \u4e2d.txt": b"",
        "A/b/C.d": b"x" * 5000,
    }
    with mounted(path, writable=True) as folder:
        (folder / "A/b").mkdir(parents=True)
        for name, content in contents.items():
            (folder / name).write_bytes(content)
        for number in range(200):
            (folder / "A" / f"file number {number}").touch()

    with opened(path) as volume:
        assert volume.cluster_size == cluster
        assert {name: volume.read_file(name.upper()) for name in contents} == contents
        assert tree_of(volume) == dissect_tree(path)


def test_free_clusters_are_those_that_ntfsinfo_counts(tmp_path: Path) -> None:
    path = format_volume(tmp_path / "volume.img")
    said = run("ntfsinfo", "-m", path)
    volume = NtfsVolume(MemoryDevice(formatted()))
    assert f"Free Clusters: {volume.free_clusters} " in said
    assert f"Volume Size in Clusters: {volume.cluster_count}\n" in said


def test_extents_are_where_the_content_lies(tmp_path: Path) -> None:
    path = format_volume(tmp_path / "volume.img")
    content = bytes(range(256)) * 100
    with mounted(path, writable=True) as folder:
        (folder / "file").write_bytes(content)
        (folder / "small").write_bytes(b"small")
    data = path.read_bytes()
    volume = NtfsVolume(MemoryDevice(data))

    extents = volume.file_extents("file")

    size = volume.cluster_size
    assert [vcn for vcn, _, _ in extents] == [sum(count for _, _, count in extents[:at]) for at in range(len(extents))]
    stored = b"".join(data[lcn * size : (lcn + count) * size] for _, lcn, count in extents)
    assert stored[: len(content)] == content
    assert volume.file_extents("small") == []


def test_opening_a_volume_reads_two_kibibytes_and_its_state_forty(tmp_path: Path) -> None:
    device = CountingDevice(cloud_volume(tmp_path / "volume.img"))
    volume = NtfsVolume(device)
    assert device.read <= 2048
    assert volume.state.name == "log pending"
    assert device.read <= 40 << 10
    device.close()


def test_what_is_not_there_is_said_not_to_be_there() -> None:
    _, volume = new_volume()
    assert not volume.exists("nothing")
    assert volume.exists("$MFT")
    assert volume.exists("")
    for path in ("nothing", "nothing/below", "$MFT/below"):
        with pytest.raises(NotFoundError, match=r"there is no|is a file"):
            volume.read_file(path)
    with pytest.raises(RefusedError, match="directory"):
        volume.read_file("$Extend")


@pytest.mark.parametrize(("position", "raw"), [(3, b"EXFAT   "), (0x0B, b"\0\0"), (0x0D, b"\x03"), (0x40, b"\x80")])
def test_a_broken_boot_sector_is_named_with_its_byte(position: int, raw: bytes) -> None:
    data = bytearray(formatted())
    data[position : position + len(raw)] = raw
    with pytest.raises(FormatError, match=f"NTFS boot sector at byte {position} "):
        NtfsVolume(MemoryDevice(data))


def test_a_volume_longer_than_its_device_is_refused() -> None:
    with pytest.raises(FormatError, match="a volume within"):
        NtfsVolume(MemoryDevice(formatted()[: 4 * MIB]))
