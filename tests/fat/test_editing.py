from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fat.volumes import KINDS, assert_fsck_content, mtools_tree, new_volume, tree_of
from vmrescue.errors import RefusedError, UsageError
from vmrescue.fat import FatVolume

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.memory_device import MemoryDevice

SECTOR = 512


def sectors_written(device: MemoryDevice) -> set[int]:
    return {sector for at, n in device.writes for sector in range(at // SECTOR, (at + n - 1) // SECTOR + 1)}


def assert_sound(device: MemoryDevice, folder: Path) -> None:
    """Asserts that the judges, and vmrescue when it opens the volume again, find it sound with this content."""
    volume = FatVolume(device)
    assert volume.check() == []
    assert_fsck_content(device.data, folder)
    assert mtools_tree(device.data, folder) == tree_of(volume)


@pytest.mark.parametrize("bits", KINDS)
def test_content_of_the_same_size_changes_only_the_sectors_that_differ(bits: int, tmp_path: Path) -> None:
    device, volume = new_volume(bits)
    volume.create_file("BCD", bytes(10_000))
    before = bytes(device.data)
    device.writes.clear()
    volume.write_file("bcd", bytes(5000) + b"\x01" + bytes(4999))
    (_, lcn, _), *_ = volume.file_extents("BCD")
    assert sectors_written(device) == {volume.cluster_offset(lcn) // SECTOR + 5000 // SECTOR}
    assert sum(a != b for a, b in zip(before, device.data, strict=True)) == 1
    assert_sound(device, tmp_path)


def test_the_same_content_again_writes_nothing() -> None:
    device, volume = new_volume(16)
    volume.create_file("BCD", b"content" * 500)
    device.writes.clear()
    volume.write_file("BCD", b"content" * 500)
    assert device.writes == []


@pytest.mark.parametrize("bits", KINDS)
@pytest.mark.parametrize(("old", "new"), [(0, 1), (1, 0), (512, 513), (5000, 200_000), (200_000, 5000), (700, 0)])
def test_a_file_grows_and_shrinks(bits: int, old: int, new: int, tmp_path: Path) -> None:
    device, volume = new_volume(bits)
    volume.create_file("before", b"b" * 1000)
    volume.create_file("BCD", b"o" * old)
    volume.create_file("behind", b"h" * 1000)
    free = volume.free_clusters
    volume.write_file("BCD", b"n" * new)
    assert volume.read_file("BCD") == b"n" * new
    assert volume.free_clusters == free + -(-old // 512) - -(-new // 512)
    assert tree_of(volume) == {"/before": b"b" * 1000, "/BCD": b"n" * new, "/behind": b"h" * 1000}
    assert_sound(device, tmp_path)


@pytest.mark.parametrize("bits", KINDS)
def test_what_was_created_and_deleted_leaves_the_volume_as_empty_as_before(bits: int, tmp_path: Path) -> None:
    device, volume = new_volume(bits)
    free = volume.free_clusters
    volume.create_directory("EFI")
    volume.create_directory(r"EFI\A longer name")
    volume.create_file(r"EFI\A longer name\file.bin", b"x" * 3000)
    assert volume.free_clusters == free - 2 - 6
    assert_sound(device, tmp_path)
    with pytest.raises(RefusedError, match="not empty"):
        volume.delete("EFI")
    for path in (r"EFI\A longer name\file.bin", r"EFI\A longer name", "EFI"):
        volume.delete(path)
    assert volume.list() == []
    assert volume.free_clusters == free
    assert FatVolume(device).check() == []


def test_a_renamed_file_keeps_its_content_clusters_and_times(tmp_path: Path) -> None:
    device, volume = new_volume(16)
    volume.create_directory("Boot")
    volume.create_file("Boot/BCD", b"store")
    before, extents = volume.stat("Boot/BCD"), volume.file_extents("Boot/BCD")
    volume.rename("Boot/BCD", "A much longer name than before")
    after = volume.stat("Boot/a much longer name than before")
    assert (after.created, after.modified, after.size) == (before.created, before.modified, 5)
    assert volume.file_extents("Boot/A much longer name than before") == extents
    volume.rename("Boot/A much longer name than before", "BCD")
    volume.rename("boot", "BOOT")
    assert tree_of(volume) == {"/BOOT": None, "/BOOT/BCD": b"store"}
    assert_sound(device, tmp_path)


@pytest.mark.parametrize("bits", KINDS)
def test_a_directory_grows_by_clusters(bits: int, tmp_path: Path) -> None:
    device, volume = new_volume(bits)
    volume.create_directory("many")
    wanted = {f"/many/file with a long name {number}": b"%d" % number for number in range(150)}
    for path, content in wanted.items():
        volume.create_file(path, content)
    assert tree_of(volume) == {"/many": None, **wanted}
    assert sum(count for _, _, count in volume.file_extents("many")) == -(-(2 + 150 * 3) // 16)
    assert_sound(device, tmp_path)


def test_the_root_of_fat32_grows_and_that_of_fat16_is_full_at_its_end(tmp_path: Path) -> None:
    device, volume = new_volume(32)
    for number in range(100):
        volume.create_file(f"F{number}", b"")
    assert len(volume.list()) == 100
    assert_sound(device, tmp_path)
    _, volume = new_volume(16, 1, "-r", "32")
    for number in range(31):  # and the label
        volume.create_file(f"F{number}", b"")
    with pytest.raises(RefusedError, match="the root directory is full: it has 32 entries"):
        volume.create_file("one more", b"")
    assert len(volume.list()) == 31
    assert volume.check() == []


def test_slots_of_deleted_files_are_used_again() -> None:
    device, volume = new_volume(16, 1, "-r", "32")
    for _ in range(3):
        for number in range(10):
            volume.create_file(f"a long name {number}", b"")
        for number in range(10):
            volume.delete(f"a long name {number}")
    assert volume.list() == []
    assert FatVolume(device).check() == []


def test_an_edit_that_cannot_be_done_writes_nothing() -> None:
    device, volume = new_volume(12)
    volume.create_file("there", b"x" * 600)
    volume.create_directory("full")
    free, before = volume.free_clusters, bytes(device.data)
    device.writes.clear()
    too_much = bytes((free + 3) * 512)
    refused: list[tuple[Callable[[], None], str]] = [
        (lambda: volume.create_file("new", too_much), f"{free} free clusters; needed: {free + 3}"),
        (lambda: volume.write_file("there", too_much), "free clusters"),
        (lambda: volume.create_file("THERE", b""), "there already is a 'THERE'"),
        (lambda: volume.create_directory("there"), "there already is"),
        (lambda: volume.rename("there", "Full"), "there already is a 'Full' beside 'there'"),
        (lambda: volume.write_file("full", b""), "is a directory"),
    ]
    for edit, message in refused:
        with pytest.raises(RefusedError, match=message):
            edit()
        assert volume.free_clusters == free
    with pytest.raises(UsageError, match="root directory"):
        volume.delete("/")
    assert device.writes == []
    assert device.data == before
    assert volume.check() == []


def test_a_volume_can_be_filled_to_the_last_cluster(tmp_path: Path) -> None:
    device, volume = new_volume(12)
    volume.create_file("a", b"a" * 512)
    volume.create_file("gap", b"g" * 512 * 3)
    volume.create_file("b", b"b" * 512)
    volume.delete("gap")
    volume.create_file("rest", b"r" * (volume.free_clusters * 512))
    assert volume.free_clusters == 0
    assert len(volume.file_extents("rest")) == 2
    assert_sound(device, tmp_path)
    volume.delete("rest")
    assert FatVolume(device).free_clusters == volume.cluster_count - 2


def test_new_content_takes_the_first_stretch_that_holds_all_of_it() -> None:
    _, volume = new_volume(16)
    for name in ("a", "b", "c"):
        volume.create_file(name, bytes(512 * 4))
    volume.delete("b")
    volume.create_file("big", bytes(512 * 9))
    assert len(volume.file_extents("big")) == 1


def test_all_copies_of_the_table_change_alike(tmp_path: Path) -> None:
    device, volume = new_volume(32, 1, "-f", "3")
    volume.create_file("a", bytes(2000))
    start, size = 32 * 512, int.from_bytes(device.read_at(36, 4), "little") * 512
    first, second, third = (device.read_at(start + copy * size, size) for copy in range(3))
    assert first == second == third
    assert FatVolume(device).check() == []
    assert mtools_tree(device.data, tmp_path) == {"/a": bytes(2000)}


@pytest.mark.parametrize("table", [0, 1])
def test_without_mirroring_no_table_is_changed(table: int) -> None:
    """Linux and dissect use the first table even if another one is in use."""
    device, made = new_volume(32)
    made.create_file("a", bytes(2000))
    for boot_sector in (0, 6 * 512):
        device.data[boot_sector + 40] = 0x80 | table
    volume = FatVolume(device)
    before = bytes(device.data)
    with pytest.raises(RefusedError, match="mirroring is off"):
        volume.create_file("b", bytes(2000))
    with pytest.raises(RefusedError, match="mirroring is off"):
        volume.write_file("a", bytes(9000))
    with pytest.raises(RefusedError, match="mirroring is off"):
        volume.delete("a")
    assert device.data == before
    assert volume.read_file("a") == bytes(2000)


def test_fat32_keeps_the_reserved_bits_of_a_table_entry() -> None:
    device, _ = new_volume(32)
    entry = 32 * 512 + 3 * 4
    for copy in (0, 1):
        at = entry + copy * (int.from_bytes(device.read_at(36, 4), "little") * 512)
        device.write_at(at, b"\0\0\0\xa0")
    volume = FatVolume(device)
    volume.create_file("a", bytes(512))
    assert volume.file_extents("a") == [(0, 3, 1)]
    assert device.read_at(entry, 4) == b"\xff\xff\xff\xaf"


def test_fsinfo_follows_the_table() -> None:
    device, volume = new_volume(32)
    volume.create_file("a", bytes(5000))
    free, following = (int.from_bytes(device.read_at(512 + at, 4), "little") for at in (488, 492))
    assert free == volume.free_clusters
    assert following == 2 + 1 + 10
    assert FatVolume(device).free_clusters == free


def test_extended_attributes_of_os2_beside_the_cluster_are_left_alone() -> None:
    device, volume = new_volume(16)
    volume.create_file("a", b"x" * 600)
    slot = device.data.find(b"A          ")
    device.data[slot + 20 : slot + 22] = b"\x34\x12"
    assert volume.read_file("a") == b"x" * 600
    volume.write_file("a", b"y" * 6000)
    assert volume.read_file("a") == b"y" * 6000
    assert device.data[slot + 20 : slot + 22] == b"\x34\x12"


def test_a_file_whose_clusters_are_anothers_too_is_not_replaced_in_place() -> None:
    device, volume = new_volume(16)
    volume.create_directory("D")
    volume.create_file("D/a", b"a" * 40_000)
    volume.create_file("D/b", b"b" * 40_000)
    size = volume.cluster_size
    [(_, first, _)], [(_, other, count)] = volume.file_extents("D/a"), volume.file_extents("D/b")
    volume.write_file("D/a", b"A" * 40_000)  # while they are its own
    volume._table.set(first + 3, other + 4)  # from its fifth cluster on, the chain of a is that of b
    volume._table.store()
    volume._pending.commit()
    before = bytes(device.data)
    assert count * size >= 40_000
    for path in ("D/a", "D/b"):
        crossed = FatVolume(device)
        with pytest.raises(RefusedError, match=f"'{path}' shares clusters: the chain of .* runs into that of"):
            crossed.write_file(path, b"x" * 40_000)
    assert device.data == before
