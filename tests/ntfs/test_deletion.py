"""A deleted file leaves nothing behind: no entry, no cluster, no record, no index of the system that names it."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

import pytest

from ntfs.volumes import (
    MIB,
    CountingDevice,
    cloud_volume,
    format_volume,
    new_volume,
    opened,
    windows_tree,
    windows_volume,
    write_sparse,
)
from support.machine import run
from support.memory_device import MemoryDevice
from support.ntfs_judges import all_judges, mounted, structure_judges, view_keys
from vmrescue.errors import NotFoundError, RefusedError
from vmrescue.ntfs import NtfsVolume

if TYPE_CHECKING:
    from pathlib import Path


def test_a_page_file_is_deleted_and_its_clusters_are_free(tmp_path: Path) -> None:
    path = format_volume(tmp_path / "volume.img", 32 * MIB)
    with mounted(path, writable=True) as folder:
        (folder / "pagefile.sys").write_bytes(b"page" * MIB)
        (folder / "other").write_bytes(b"other")
    with opened(path, writable=True) as volume:
        free = volume.free_clusters
        volume.delete("pagefile.sys")
        assert volume.free_clusters == free + 4 * MIB // 4096
        assert not volume.exists("pagefile.sys")
    assert set(all_judges(path)) == {"other"}


def test_a_compressed_file_of_windows_is_deleted_and_one_with_an_object_id(tmp_path: Path) -> None:
    path = write_sparse(windows_volume(), tmp_path / "volume.img")
    before = windows_tree()
    ids = view_keys(path, "$Extend/$ObjId", "$O")
    names = ["Large.txt", "Random.bin", "File.txt"]
    assert [name for name in names if "$OBJECT_ID" in run("ntfsinfo", "-F", name, path)] == ["File.txt"]

    with opened(path, writable=True) as volume:
        free = volume.free_clusters
        for name in names:
            volume.delete(name)
        assert volume.free_clusters > free + 128

    assert all_judges(path) == {name: content for name, content in before.items() if name not in names}
    left = view_keys(path, "$Extend/$ObjId", "$O")
    assert len(left) == len(ids) - 1
    assert set(left) < set(ids)


def test_many_files_are_deleted_by_one_edit_or_none_of_them_is(tmp_path: Path) -> None:
    """With two links of one file, a folder and what was in it, and names in two folders among them."""
    path = format_volume(tmp_path / "volume.img", 32 * MIB)
    with mounted(path, writable=True) as folder:
        (folder / "a" / "b").mkdir(parents=True)
        (folder / "c").mkdir()
        for number in range(300):
            (folder / "c" / f"a file with a long name, number {number}").write_bytes(bytes([number % 256]) * 9000)
        (folder / "a" / "b" / "only").write_bytes(b"only")
        (folder / "linked").write_bytes(b"linked")
        os.link(folder / "linked", folder / "a" / "linked too")
        os.link(folder / "linked", folder / "c" / "linked as well")
        (folder / "stays").write_bytes(b"stays")
    before = path.read_bytes()
    names = [f"c\\a file with a long name, number {number}" for number in range(300)]
    gone = [r"a\linked too", *names[:200], r"a\b\only", r"a\b", "linked", *names[200:]]

    with opened(path, writable=True) as volume:
        free = volume.free_clusters
        for wrong in (r"c\nothing", r"a\b\only", "$Bitmap", "c"):
            with pytest.raises((NotFoundError, RefusedError)):
                volume.delete(*gone, wrong)
        assert path.read_bytes() == before
        volume.delete(*gone)
        assert volume.free_clusters >= free + 300 * 3
        assert volume.check() == []

    structure_judges(path)
    with mounted(path) as folder:
        assert {str(found.relative_to(folder)) for found in folder.rglob("*")} == {
            "a",
            "c",
            "c/linked as well",
            "stays",
        }
        assert (folder / "c" / "linked as well").read_bytes() == b"linked"


def test_a_reparse_point_leaves_the_index_of_reparse_points(tmp_path: Path) -> None:
    path = format_volume(tmp_path / "volume.img")
    with mounted(path, writable=True) as folder:
        for name in ("junction", "stays"):
            (folder / name).mkdir()
            os.setxattr(folder / name, "system.ntfs_reparse_data", mount_point(r"\??\C:\target"))
    assert len(view_keys(path, "$Extend/$Reparse", "$R")) == 2
    with opened(path, writable=True) as volume:
        assert volume.stat("junction").is_reparse_point
        record = volume.stat("stays").record
        volume.delete("junction")
    (key,) = view_keys(path, "$Extend/$Reparse", "$R")
    assert key[4:8] == struct.pack("<I", record)
    assert all_judges(path, beside="stays") == {}


def mount_point(target: str) -> bytes:
    """Reparse data of a junction (MS-FSCC 2.1.2.5)."""
    name = target.encode("utf-16-le")
    data = struct.pack("<HHHH", 0, len(name), len(name) + 2, 0) + name + bytes(4)
    return struct.pack("<IHH", 0xA0000003, len(data), 0) + data


def test_a_reparse_point_that_is_not_understood_is_not_deleted(tmp_path: Path) -> None:
    path = cloud_volume(tmp_path / "volume.img")
    run("ntfsrecover", "--kill-fast-restart", path)
    changed = path.stat().st_mtime_ns
    with opened(path, writable=True) as volume, pytest.raises(RefusedError, match="0x9000601a"):
        volume.delete("OneDrive/example.txt")
    assert path.stat().st_mtime_ns == changed


def test_a_file_with_another_name_stays(tmp_path: Path) -> None:
    path = format_volume(tmp_path / "volume.img")
    with mounted(path, writable=True) as folder:
        (folder / "D").mkdir()
        (folder / "one").write_bytes(b"x" * 9000)
        for number in range(30):  # more names than one record holds
            (folder / f"D/another name of the same file {number}").hardlink_to(folder / "one")
    with opened(path, writable=True) as volume:
        volume.delete("one")
        for number in range(29):
            volume.delete(f"D/another name of the same file {number}")
        last = "D/another name of the same file 29"
        assert volume.read_file(last) == b"x" * 9000
        assert "Number of Hard Links:	 1 " in run("ntfsinfo", "-F", last, path)
        free = volume.free_clusters
        volume.delete(last)
        assert volume.free_clusters >= free + 3
    assert set(all_judges(path)) == {"D"}


def test_named_streams_go_with_their_file(tmp_path: Path) -> None:
    path = format_volume(tmp_path / "volume.img")
    with mounted(path, writable=True) as folder:
        (folder / "file").write_bytes(b"main")
    (tmp_path / "stream").write_bytes(b"s" * 20000)
    run("ntfscp", "-N", "stream", path, tmp_path / "stream", "file")
    with opened(path, writable=True) as volume:
        free = volume.free_clusters
        volume.delete("file")
        assert volume.free_clusters == free + 5
    assert all_judges(path) == {}


def test_a_directory_is_deleted_when_it_is_empty() -> None:
    _, volume = new_volume()
    volume.create_directory("D")
    for number in range(100):
        volume.create_file(f"D/a file with a fairly long name {number}", b"")
    assert volume.file_extents("D")
    with pytest.raises(RefusedError, match="not empty"):
        volume.delete("D")
    for number in range(100):
        volume.delete(f"D/a file with a fairly long name {number}")
    assert volume.file_extents("D") == []
    volume.delete("D")
    assert not volume.exists("D")


@pytest.mark.parametrize("path", ["$MFT", "$Extend", "$Extend/$ObjId", "$Extend/$RmMetadata/$TxfLog/$Tops"])
def test_the_systems_own_files_are_not_deleted(path: str) -> None:
    device = MemoryDevice(windows_volume())
    volume = NtfsVolume(device)
    assert volume.exists(path)
    with pytest.raises(RefusedError, match="NTFS's own"):
        volume.delete(path)
    assert device.writes == []


def test_the_root_and_what_is_not_there_are_not_deleted() -> None:
    device, volume = new_volume()
    for path in ("", "missing", "missing/file"):
        with pytest.raises(NotFoundError):
            volume.delete(path)
    assert device.writes == []


def test_a_deleted_files_record_gets_another_sequence_number() -> None:
    _, volume = new_volume()
    volume.create_file("file", b"")
    first = volume._store.file(volume.stat("file").record).reference
    volume.delete("file")
    volume.create_file("file", b"")
    second = volume._store.file(volume.stat("file").record).reference
    assert second == first + (1 << 48)


def test_where_quotas_are_kept_windows_is_asked_to_count_again(tmp_path: Path) -> None:
    data = bytearray(windows_volume())
    volume = NtfsVolume(MemoryDevice(data))
    record = volume.cluster_offset(volume.file_extents("$MFT")[0][1]) + volume.stat("$Extend/$Quota").record * 1024
    entry = data.index(struct.pack("<II", 2, 1), record, record + 1024)  # version 2, flags 1: nothing is counted
    data[entry + 4] |= 0x10
    path = write_sparse(data, tmp_path / "volume.img")
    with opened(path, writable=True) as volume:
        volume.delete("File.txt")
    assert path.read_bytes()[entry + 4 : entry + 8] == struct.pack("<I", 0x211)
    structure_judges(path)


def test_deleting_a_large_file_writes_little(tmp_path: Path) -> None:
    path = format_volume(tmp_path / "volume.img", 1024 * MIB)
    with opened(path, writable=True) as volume:
        volume.create_file("pagefile.sys", bytes(512 * MIB))
    device = CountingDevice(path, writable=True)
    NtfsVolume(device).delete("pagefile.sys")
    device.close()
    assert 0 < device.written < 40_000


def test_a_freed_record_keeps_its_other_flags() -> None:
    device, volume = new_volume()
    volume.create_directory("D")
    record = volume._store.mft.position(volume.stat("D").record)
    device.data[record + 0x16] |= 0x08
    NtfsVolume(device).delete("D")
    assert device.data[record + 0x16] == 0x08 | 0x02
