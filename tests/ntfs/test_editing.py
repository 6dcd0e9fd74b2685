"""Files grow, shrink, appear and change their names; all judges see what was meant, and nothing else."""

from __future__ import annotations

import os
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from ntfs.volumes import (
    MIB,
    cloud_volume,
    format_volume,
    new_volume,
    opened,
    size_for,
    tree_of,
    windows_tree,
    windows_volume,
    write_sparse,
)
from support.machine import run
from support.memory_device import MemoryDevice
from support.ntfs_judges import all_judges, digest, mounted, structure_judges
from vmrescue.errors import NotFoundError, RefusedError, UsageError
from vmrescue.ntfs import NtfsVolume

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.ntfs_judges import Tree

SIZES = [0, 1, 300, 700, 1000, 4096, 4097, 70000, 3 * MIB]
VARIANTS = [(512, 512), (4096, 512), (4096, 4096), (65536, 512), (65536, 4096), (2 * MIB, 512), (2 * MIB, 4096)]


def content(size: int, seed: int = 1) -> bytes:
    return bytes((seed + at * at // 7) % 256 for at in range(min(size, 5000))).ljust(size, bytes([seed]))


@contextmanager
def edited(path: Path) -> Iterator[NtfsVolume]:
    """A volume to edit; afterwards the judges agree with each other, and with what vmrescue sees."""
    with opened(path, writable=True) as volume:
        yield volume
        expected = tree_of(volume)
    assert all_judges(path) == expected


@pytest.mark.parametrize(("cluster", "sector"), VARIANTS)
def test_a_file_of_any_size_is_created_and_rewritten_to_any_other(tmp_path: Path, cluster: int, sector: int) -> None:
    path = format_volume(tmp_path / "volume.img", max(size_for(cluster), 16 * MIB), cluster, sector)
    with edited(path) as volume:
        volume.create_directory("D")
        free = volume.free_clusters
        for size in SIZES:
            volume.create_file(f"D/{size}", content(size))
        for at, size in enumerate(SIZES):
            volume.write_file(f"D/{size}", content(SIZES[at - 3], 2))
        for at, size in enumerate(SIZES):
            assert volume.read_file(f"D/{size}") == content(SIZES[at - 3], 2)
            assert volume.stat(f"D/{size}").size == SIZES[at - 3]
        used = [volume.stat(f"D/{size}").allocated_size for size in SIZES if volume.file_extents(f"D/{size}")]
        assert free - volume.free_clusters >= sum(used) // cluster
    with edited(path) as volume:
        for size in SIZES:
            volume.delete(f"D/{size}")
        volume.delete("D")


def test_a_new_file_is_whole_and_dated_now_and_its_directory_too() -> None:
    _, volume = new_volume()
    volume.create_directory("D")
    before = datetime.now(UTC) - timedelta(seconds=1)
    volume.create_file("D/new", b"content")
    for info in (volume.stat("D/new"), volume.list("D")[0]):
        assert info.name == "new"
        assert info.size == 7
        assert info.attributes & 0x20
        for moment in (info.created, info.modified, info.changed, info.accessed):
            assert moment is not None
            assert before <= moment <= datetime.now(UTC)
    directory = volume.stat("D")
    assert directory.modified is not None
    assert directory.modified >= before
    assert volume.list("")[-1].modified == directory.modified


def test_a_changed_size_is_in_the_record_and_in_every_directory_that_names_the_file(tmp_path: Path) -> None:
    path = format_volume(tmp_path / "volume.img")
    with mounted(path, writable=True) as folder:
        (folder / "A").mkdir()
        (folder / "A/one").write_bytes(b"1")
        (folder / "two").hardlink_to(folder / "A/one")
    with edited(path) as volume:
        volume.write_file("two", b"x" * 10000)
        for info in (volume.stat("A/one"), volume.list("A")[0], volume.stat("two"), volume.list("")[-1]):
            assert (info.size, info.allocated_size) == (10000, 12288)


def test_content_of_the_same_size_in_a_record_changes_no_time() -> None:
    _, volume = new_volume()
    volume.create_file("small", b"old")
    before = volume.stat("small")
    volume.write_file("small", b"new")
    assert volume.read_file("small") == b"new"
    assert volume.stat("small") == before


def test_a_grown_file_goes_on_where_it_ended() -> None:
    _, volume = new_volume()
    volume.create_file("file", bytes(10 * 4096))
    volume.write_file("file", bytes(30 * 4096))
    assert len(volume.file_extents("file")) == 1


def test_the_space_that_windows_keeps_for_the_file_table_is_used_last() -> None:
    _, volume = new_volume()
    (_, lcn, count), *_ = volume.file_extents("$MFT")
    zone = range(lcn + count, lcn + count + volume.cluster_count // 8)
    size = (volume.free_clusters - len(zone) - 16) * volume.cluster_size

    volume.create_file("big", bytes(size))
    assert not any(lcn in zone or lcn + count - 1 in zone for _, lcn, count in volume.file_extents("big"))
    volume.create_file("more", bytes(60 * volume.cluster_size))
    assert any(lcn in zone or lcn + count - 1 in zone for _, lcn, count in volume.file_extents("more"))


def test_an_edit_for_which_there_is_no_room_writes_nothing() -> None:
    device, volume = new_volume()
    volume.create_file("file", b"x" * 5000)
    device.writes.clear()
    for edit, name in ((volume.create_file, "big"), (volume.write_file, "file")):
        with pytest.raises(RefusedError, match="no room for"):
            edit(name, bytes(8 * MIB))
        assert device.writes == []
    volume.create_file("after", b"y" * 5000)
    assert volume.read_file("file") == b"x" * 5000


def test_the_file_table_grows_when_it_has_no_free_record(tmp_path: Path) -> None:
    path = format_volume(tmp_path / "volume.img")
    with edited(path) as volume:
        before = volume.stat("$MFT").size
        for number in range(300):
            volume.create_file(f"{number}", b"")
        assert volume.stat("$MFT").size > before


def test_the_first_metadata_edit_leaves_the_log_empty(tmp_path: Path) -> None:
    path = write_sparse(windows_volume(), tmp_path / "volume.img")
    with opened(path, writable=True) as volume:
        assert volume.read_file("$LogFile")[:4] == b"RSTR"
        volume.create_file("new", b"new")
        assert set(volume.read_file("$LogFile")) == {0xFF}
    with opened(path) as volume:
        assert volume.state.name == "clean"
    structure_judges(path)


@contextmanager
def edited_windows(path: Path, before: Tree, *changed: str) -> Iterator[NtfsVolume]:
    """A volume of Windows to edit; the judges agree afterwards, and all but the `changed` files are as before."""
    with opened(path, writable=True) as volume:
        yield volume
    after = all_judges(path, beside="OneDrive")
    same = {name for name in before if name.split("/")[0] not in changed and name not in changed}
    assert {name: after.get(name) for name in same} == {name: before[name] for name in same}


def test_files_are_made_and_changed_on_a_volume_of_windows(tmp_path: Path) -> None:
    path = write_sparse(windows_volume(), tmp_path / "volume.img")
    with edited_windows(path, windows_tree(), "Directory") as volume:
        for number in range(20):
            volume.create_file(f"Large Directory/new {number}", content(number * 100))
        volume.create_directory("Large Directory/Directory 10/below")
        volume.rename("Directory", "Renamed")
    with opened(path) as volume:
        assert volume.read_file("Large Directory/new 19") == content(1900)
        assert volume.exists("Renamed/File 1.txt")


def test_files_are_made_on_a_volume_whose_log_was_replayed(tmp_path: Path) -> None:
    path = cloud_volume(tmp_path / "volume.img")
    run("ntfsrecover", "--kill-fast-restart", path)
    before = all_judges(path, beside="OneDrive")
    with edited_windows(path, before, "System Volume Information/tracking.log") as volume:
        volume.create_file("pagefile.sys", bytes(3 * MIB))
        volume.write_file("System Volume Information/tracking.log", b"short")
        volume.delete("pagefile.sys")
        volume.create_file("new", b"new")
    assert all_judges(path, beside="OneDrive")["new"] == digest(b"new")


def test_a_file_is_renamed_in_its_directory(tmp_path: Path) -> None:
    path = format_volume(tmp_path / "volume.img")
    with edited(path) as volume:
        volume.create_directory("D")
        volume.create_file("D/old", b"content")
        volume.create_file("D/other", b"other")
        created = volume.stat("D/old").created
        volume.rename("D/old", "a much longer name than it had before")
        volume.rename("d/OTHER", "Other")
        assert [info.name for info in volume.list("D")] == ["a much longer name than it had before", "Other"]
        assert volume.stat("D/a much longer name than it had before").created == created
        with pytest.raises(RefusedError, match="there already is"):
            volume.rename("D/Other", "A MUCH longer name than it had before")
        volume.rename("D", "E")
        assert volume.read_file("E/other") == b"other"


def test_a_short_name_finds_the_file_and_goes_with_the_long_one(tmp_path: Path) -> None:
    path = format_volume(tmp_path / "volume.img")
    with mounted(path, writable=True) as folder:
        for name in ("a long name.text", "another long name.text"):
            (folder / name).write_bytes(name.encode())
        os.setxattr(folder / "a long name.text", "system.ntfs_dos_name", b"ALONGN~1.TEX")
        os.setxattr(folder / "another long name.text", "system.ntfs_dos_name", b"ANOTHE~1.TEX")
    with edited(path) as volume:
        info = volume.stat("alongn~1.tex")
        assert (info.name, info.short_name) == ("a long name.text", "ALONGN~1.TEX")
        assert volume.read_file("ALONGN~1.TEX") == b"a long name.text"
        volume.rename("a long name.text", "new name")
        volume.delete("ANOTHE~1.TEX")
        assert not volume.exists("ALONGN~1.TEX")
        assert [info.name for info in volume.list("") if not info.name.startswith("$")] == ["new name"]


@pytest.mark.parametrize("name", ["", "a?", "a:b", "a*", "end.", "end ", "tab\t", "x" * 256])
def test_a_name_that_windows_could_not_open_is_refused(name: str) -> None:
    device, volume = new_volume()
    with pytest.raises(UsageError, match="name"):
        volume.create_file(name, b"")
    assert device.writes == []


def test_what_is_there_is_not_created_again_nor_where_no_directory_is() -> None:
    device, volume = new_volume()
    volume.create_file("file", b"")
    device.writes.clear()
    for path, error, said in (
        ("FILE", RefusedError, "there already is"),
        ("missing/file", NotFoundError, "there is no"),
        ("file/file", NotFoundError, "is a file"),
        ("$Extend/file", RefusedError, "NTFS's own"),
    ):
        with pytest.raises(error, match=said):
            volume.create_file(path, b"")
        with pytest.raises(error, match=said):
            volume.create_directory(path)
    assert device.writes == []


@pytest.mark.parametrize("path", ["$MFT", "$Bitmap", "$LogFile", "$Boot", "$UpCase"])
def test_the_systems_own_files_are_neither_written_nor_renamed(path: str) -> None:
    device, volume = new_volume()
    with pytest.raises(RefusedError, match="NTFS's own"):
        volume.write_file(path, bytes(volume.stat(path).size))
    with pytest.raises(RefusedError, match="NTFS's own"):
        volume.rename(path, "renamed")
    assert device.writes == []


def test_a_new_file_has_its_directorys_security(tmp_path: Path) -> None:
    path = write_sparse(windows_volume(), tmp_path / "volume.img")
    with opened(path, writable=True) as volume:
        volume.create_file("Directory/new", b"")
        volume.create_file("new", b"")
    for name, above in (("Directory/new", "Directory"), ("new", "/")):
        said = [run("ntfssecaudit", "-v", path, where).split("Windows owner")[-1] for where in (name, above)]
        assert said[0] == said[1]


def test_content_beyond_what_was_initialized_is_written_and_the_rest_stays_zero(tmp_path: Path) -> None:
    path = format_volume(tmp_path / "volume.img")
    with opened(path, writable=True) as volume:
        volume.create_file("file", content(40000))
    device = MemoryDevice(path.read_bytes())
    shrink_initialized(device, "file", 5000)
    volume = NtfsVolume(device)
    assert volume.read_file("file") == content(40000)[:5000] + bytes(35000)

    volume.write_file("file", b"y" * 5000 + bytes(35000))
    assert volume.read_file("file") == b"y" * 5000 + bytes(35000)
    volume.write_file("file", content(40000, 9))

    assert volume.read_file("file") == content(40000, 9)
    path.write_bytes(device.data)
    assert all_judges(path) == {"file": digest(content(40000, 9))}


def shrink_initialized(device: MemoryDevice, path: str, size: int) -> None:
    """Sets the initialized size of a file whose record has one attribute of 40000 bytes."""
    volume = NtfsVolume(device)
    record = volume.cluster_offset(volume.file_extents("$MFT")[0][1]) + volume.stat(path).record * 1024
    at = device.data.rindex((40000).to_bytes(8, "little"), record, record + 1024)
    device.data[at : at + 8] = size.to_bytes(8, "little")
