"""If free clusters are in many pieces, files and $MFT need several records; judges can read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ntfs.volumes import MIB, comb, format_volume, new_volume, opened, tree_of
from support.machine import run
from support.ntfs_judges import all_judges, digest
from vmrescue.ntfs.directory import find_file

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.ntfs import NtfsVolume


def records(volume: NtfsVolume, path: str) -> int:
    return len(find_file(volume._store, path).records())


@pytest.mark.parametrize(("cluster", "sector"), [(512, 512), (4096, 512), (4096, 4096)])
def test_a_file_in_thousands_of_pieces_grows_and_shrinks(tmp_path: Path, cluster: int, sector: int) -> None:
    path = format_volume(tmp_path / "volume.img", 16 * MIB, cluster, sector)
    with opened(path, writable=True) as volume:
        comb(volume)
        pieces = len(volume.file_extents("comb"))
        assert pieces > 1400
        most = volume.free_clusters * cluster * 3 // 4
        volume.create_file("big", b"b" * (most // 3))
        volume.write_file("big", b"B" * most)
        assert records(volume, "big") > 1
        assert volume.check() == []
    assert all_judges(path)["big"] == digest(b"B" * most)

    with opened(path, writable=True) as volume:
        volume.write_file("big", b"x" * (most // 2))
        assert volume.check() == []
        volume.write_file("big", b"x")
        assert records(volume, "big") <= 2
        volume.delete("comb")
        volume.delete("big")
        assert volume.check() == []
    assert all_judges(path) == {}


def test_the_file_table_grows_in_pieces_and_needs_a_second_record(tmp_path: Path) -> None:
    path = format_volume(tmp_path / "volume.img", 4 * MIB, 512)
    with opened(path, writable=True) as volume:
        comb(volume)
        volume.create_directory("D")
        while records(volume, "$MFT") == 1:
            volume.create_file(f"D/{volume.stat('$MFT').size} {volume.free_clusters} {len(volume.list('D'))}", b"")
        before = tree_of(volume)
        assert volume.check() == []
    assert all_judges(path) == before
    assert "Number of Attached Extent Inodes: 1" in run("ntfsinfo", "-m", path)

    with opened(path, writable=True) as volume:
        for number in range(100):
            volume.create_file(f"more {number}", b"")
        assert volume.check() == []
        assert {name: content for name, content in tree_of(volume).items() if not name.startswith("more")} == before
    assert len(all_judges(path)) == len(before) + 100


def test_allocation_takes_the_fewest_pieces_there_are() -> None:
    _, volume = new_volume(16 * MIB)
    for number in range(20):
        volume.create_file(f"{number}", bytes(4096 * (number + 1)))
    volume.create_file("rest", bytes((volume.free_clusters - 2) * 4096))
    for number in range(0, 20, 2):
        volume.delete(f"{number}")  # pieces of 1, 3, 5 … 19 clusters

    volume.create_file("one piece", bytes(4096 * 19))
    volume.create_file("two pieces", bytes(4096 * 30))

    assert len(volume.file_extents("one piece")) == 1
    assert len(volume.file_extents("two pieces")) == 2
    assert volume.check() == []


def test_a_directory_in_pieces_has_its_blocks_in_extension_records(tmp_path: Path) -> None:
    path = format_volume(tmp_path / "volume.img", 6 * MIB, 512)
    with opened(path, writable=True) as volume:
        volume.create_directory("D")
        for number in range(200):  # so that the file table needs not grow later
            volume.create_file(f"{number}", b"")
        comb(volume)
        for number in range(200):
            volume.rename(f"{number}", f"{number} " + "n" * 200)
        for number in range(150):
            volume.create_file(f"D/{number} " + "n" * 220, b"")
        assert records(volume, "D") > 1
        assert volume.check() == []
        expected = tree_of(volume)
    assert all_judges(path) == expected
    with opened(path, writable=True) as volume:
        for number in range(150):
            volume.delete(f"D/{number} " + "n" * 220)
        volume.delete("D")
        assert volume.check() == []
    assert len(all_judges(path)) == 201
