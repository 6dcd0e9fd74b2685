"""A sound volume has no problems; each kind of damage is found and said."""

from __future__ import annotations

import re
import struct
from functools import cache
from typing import TYPE_CHECKING

import pytest

from ntfs.volumes import MIB, cloud_volume, formatted, new_volume, opened, size_for, windows_volume
from support.memory_device import MemoryDevice
from support.ntfs_judges import mounted
from vmrescue.ntfs import NtfsVolume
from vmrescue.ntfs.directory import Directory, find_entry, find_file
from vmrescue.ntfs.edit.index_edit import IndexEditor
from vmrescue.ntfs.edit.views import open_view
from vmrescue.ntfs.index import IndexEntry
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.ntfs.structures.file_name import FileName
from vmrescue.ntfs.structures.run_list import Run, encode_pairs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vmrescue.ntfs.store import FileStore
    from vmrescue.ntfs.structures.positions import Lcn

SECTOR = 512
NAMES = 120


@cache
def sound() -> bytes:
    """A volume with a deep directory, a file in two extents and records, and a file with many runs."""
    device, volume = new_volume(16 * MIB)
    volume.create_directory("D")
    for number in range(NAMES):
        volume.create_file(f"D/{number:04} is a file with a longer name", bytes(number * 50))
    volume.create_directory("Gaps")
    for number in range(400):
        volume.create_file(f"Gaps/{number}", bytes(4096))
    for number in range(0, 400, 2):
        volume.delete(f"Gaps/{number}")
    room = volume.free_clusters - 40
    volume.create_file("filler", bytes(room * 4096 - 150 * 4096))
    volume.create_file("scattered", b"s" * 4096 * 150)
    volume.create_file("one", b"1" * 20000)
    volume.create_file("two", b"2" * 20000)
    return bytes(device.data)


def damaged(damage: Callable[[MemoryDevice, NtfsVolume], None]) -> list[str]:
    """The problems of the sound volume after some damage."""
    device = MemoryDevice(sound())
    assert NtfsVolume(device).check() == []
    damage(device, NtfsVolume(device))
    return NtfsVolume(device).check()


def record_at(volume: NtfsVolume, path: str) -> int:
    store = volume._store
    return store.mft.position(find_file(store, path).number)


def in_record(device: MemoryDevice, volume: NtfsVolume, path: str, what: bytes) -> int:
    """The position of the last occurrence of some bytes in a file's record."""
    at = record_at(volume, path)
    return device.data.rindex(what, at, at + 1024)


def add(device: MemoryDevice, at: int, form: str, amount: int) -> None:
    (value,) = struct.unpack_from(form, device.data, at)
    struct.pack_into(form, device.data, at, value + amount)


def bitmap_at(volume: NtfsVolume, path: str = "$Bitmap") -> int:
    return volume.cluster_offset(volume.file_extents(path)[0][1])


def first_cluster(volume: NtfsVolume, path: str) -> Lcn:
    return volume.file_extents(path)[0][1]


def table_bit(volume: NtfsVolume, number: int) -> tuple[int, int]:
    """The position of a file record's bit in $MFT's bitmap."""
    store = volume._store
    position = store.file(0).stream(Kind.BITMAP).clusters.position(number // 8)
    return position, 1 << number % 8


@pytest.mark.parametrize("cluster", [512, 4096, 65536])
def test_a_fresh_volume_is_sound(cluster: int) -> None:
    assert NtfsVolume(MemoryDevice(formatted(size_for(cluster), cluster))).check() == []


def test_volumes_of_windows_are_sound(tmp_path: Path) -> None:
    assert NtfsVolume(MemoryDevice(windows_volume())).check() == []
    with opened(cloud_volume(tmp_path / "volume.img")) as volume:
        assert volume.check() == []


def test_a_volume_that_ntfs_3g_filled_is_sound(tmp_path: Path) -> None:
    path = tmp_path / "volume.img"
    path.write_bytes(formatted(32 * MIB))
    with mounted(path, writable=True) as folder:
        for number in range(500):
            (folder / f"file {number}").write_bytes(bytes(number * 20))
            (folder / f"link {number}").hardlink_to(folder / f"file {number}")
        for number in range(0, 500, 3):
            (folder / f"file {number}").unlink()
        with (folder / "sparse").open("wb") as file:
            file.seek(5 * MIB)
            file.write(b"end")
    with opened(path) as volume:
        assert volume.check() == []


def lost_clusters(device: MemoryDevice, volume: NtfsVolume) -> None:
    free = next(at for at in range(volume.cluster_count) if not bit(device, volume, at))
    device.data[bitmap_at(volume) + free // 8] |= 1 << free % 8


def bit(device: MemoryDevice, volume: NtfsVolume, cluster: int) -> int:
    return device.data[bitmap_at(volume) + cluster // 8] >> cluster % 8 & 1


def clusters_marked_free(device: MemoryDevice, volume: NtfsVolume) -> None:
    cluster = first_cluster(volume, "one")
    device.data[bitmap_at(volume) + cluster // 8] &= ~(1 << cluster % 8)


def clusters_used_twice(device: MemoryDevice, volume: NtfsVolume) -> None:
    with volume._store.edit():
        taken = [Run(*extent) for extent in volume.file_extents("one")]
        two = find_file(volume._store, "two").get(Kind.DATA)
        two.set_pairs(encode_pairs(taken)[0], taken[-1].next_vcn)


def bad_fixup(device: MemoryDevice, volume: NtfsVolume) -> None:
    device.data[record_at(volume, "one") + SECTOR - 1] ^= 1


def record_without_signature(device: MemoryDevice, volume: NtfsVolume) -> None:
    device.data[record_at(volume, "one") : record_at(volume, "one") + 4] = b"BAAD"


def entry_without_record(device: MemoryDevice, volume: NtfsVolume) -> None:
    position, mask = table_bit(volume, volume.stat("one").record)
    device.data[record_at(volume, "one") + 0x16] &= ~1
    device.data[position] &= ~mask


def entry_of_an_earlier_file(device: MemoryDevice, volume: NtfsVolume) -> None:
    add(device, record_at(volume, "one") + 0x10, "<H", 1)


def record_without_entry(device: MemoryDevice, volume: NtfsVolume) -> None:
    with volume._store.edit():
        directory, named = find_entry(volume._store, "one")
        IndexEditor(directory.index).remove(directory.index.collation.name_key(named.name.name))


def record_marked_free(device: MemoryDevice, volume: NtfsVolume) -> None:
    position, mask = table_bit(volume, volume.stat("one").record)
    device.data[position] &= ~mask


def free_record_marked_used(device: MemoryDevice, volume: NtfsVolume) -> None:
    position, mask = table_bit(volume, volume._store.mft.count - 1)
    device.data[position] |= mask


def wrong_size_in_directory(device: MemoryDevice, volume: NtfsVolume) -> None:
    with volume._store.edit():
        directory, _ = find_entry(volume._store, "one")
        entry = directory.index.find(directory.index.collation.name_key("one"))
        assert entry
        name = FileName(entry.key)
        name.size += 1
        body = entry.body.replace(entry.key, bytes(name.raw))
        IndexEditor(directory.index).replace(IndexEntry(body))


def wrong_allocated_size(device: MemoryDevice, volume: NtfsVolume) -> None:
    add(device, in_record(device, volume, "one", struct.pack("<QQ", 20480, 20000)), "<Q", 4096)


def size_beyond_the_clusters(device: MemoryDevice, volume: NtfsVolume) -> None:
    add(device, in_record(device, volume, "one", struct.pack("<QQ", 20000, 20000)), "<Q", 4096)


def table_with_sizes_that_cannot_be(device: MemoryDevice, volume: NtfsVolume) -> None:
    size = volume._store.mft.count * volume._store.boot.record_size
    add(device, in_record(device, volume, "$MFT", struct.pack("<QQ", size, size)) + 8, "<Q", 1024)


def broken_order(device: MemoryDevice, volume: NtfsVolume) -> None:
    with volume._store.edit():
        index = Directory(find_file(volume._store, "D")).index
        below = index.root_node().entries[0].node
        assert below is not None
        leaf = index.node(below)
        leaf.entries[0], leaf.entries[1] = leaf.entries[1], leaf.entries[0]
        IndexEditor(index)._write(leaf)


def torn_index_block(device: MemoryDevice, volume: NtfsVolume) -> None:
    device.data[volume.cluster_offset(first_cluster(volume, "D")) + SECTOR - 1] ^= 1


def index_block_marked_free(device: MemoryDevice, volume: NtfsVolume) -> None:
    flip_index_bit(volume, 0)


def index_block_marked_used(device: MemoryDevice, volume: NtfsVolume) -> None:
    flip_index_bit(volume, 40)


def flip_index_bit(volume: NtfsVolume, number: int) -> None:
    with volume._store.edit():
        IndexEditor(Directory(find_file(volume._store, "D")).index)._flip_block(number)


def mirror_that_differs(device: MemoryDevice, volume: NtfsVolume) -> None:
    add(device, volume.cluster_offset(first_cluster(volume, "$MFTMirr")) + 1024 + 0x100, "B", 1)


def boot_copy_that_differs(device: MemoryDevice, volume: NtfsVolume) -> None:
    device.data[-SECTOR] ^= 1


def wrong_count_of_links(device: MemoryDevice, volume: NtfsVolume) -> None:
    add(device, record_at(volume, "one") + 0x12, "<H", 1)


def unlisted_extension(device: MemoryDevice, volume: NtfsVolume) -> None:
    with volume._store.edit():
        file = find_file(volume._store, "scattered")
        record = volume._store.mft.record(volume.stat("one").record)
        assert len(file.records()) > 1
        record.base = file.reference


def extension_of_nothing(device: MemoryDevice, volume: NtfsVolume) -> None:
    with volume._store.edit():
        find_file(volume._store, "scattered").records()[1].base += 1 << 48


def attributes_out_of_order(device: MemoryDevice, volume: NtfsVolume) -> None:
    with volume._store.edit():
        find_file(volume._store, "one").base.attributes.reverse()


def broken_run_list(device: MemoryDevice, volume: NtfsVolume) -> None:
    with volume._store.edit():
        data = find_file(volume._store, "one").get(Kind.DATA)
        data.raw[data.pairs_offset] = 0x44


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lost_clusters, r"\$Bitmap marks 1 cluster as in use that no file has"),
        (clusters_marked_free, r"\$Bitmap marks 1 cluster as free that files have"),
        (clusters_used_twice, "file record .* shares 5 clusters with another file"),
        (bad_fixup, "expected the update sequence number"),
        (record_without_signature, "is free, but marked as in use"),
        (entry_without_record, "expected a file's base record, in use"),
        (entry_of_an_earlier_file, "expected sequence number"),
        (record_without_entry, "has 1 names, and 0 entries"),
        (record_marked_free, "is in use, but marked as free"),
        (free_record_marked_used, "is free, but marked as in use"),
        (wrong_size_in_directory, "'one' in the directory of record 5 says 20001 and 20480 bytes, its record 20000"),
        (wrong_allocated_size, "says that it has 24576 bytes of clusters, and has 20480"),
        (size_beyond_the_clusters, "real size within the 20480 bytes of its clusters"),
        (table_with_sizes_that_cannot_be, "initialized and real size within"),
        (broken_order, "is not in order at the key"),
        (torn_index_block, "index block at byte .* expected the update sequence number"),
        (index_block_marked_free, "has 1 block in its tree, but marked as free"),
        (index_block_marked_used, "has 1 block in use, but not in its tree"),
        (mirror_that_differs, "file record 1 differs from its copy"),
        (boot_copy_that_differs, "the copy of the boot sector"),
        (wrong_count_of_links, "says that it has 2 names, and has 1"),
        (unlisted_extension, "which does not know it"),
        (extension_of_nothing, "expected an extension of record"),
        (attributes_out_of_order, "are not in order"),
        (broken_run_list, "run list at byte"),
    ],
)
def test_damage_is_found(damage: Callable[[MemoryDevice, NtfsVolume], None], said: str) -> None:
    problems = damaged(damage)
    assert any(re.search(said, problem) for problem in problems), problems


def test_a_file_with_an_object_id_that_the_index_lacks_is_found() -> None:
    def damage(store: FileStore) -> None:
        index = open_view(store, "$ObjId", "$O")
        assert index
        IndexEditor(index).remove(index.collation.key(next(index.entries()).key))

    assert problems_of_windows(damage) == ["file record 37 is missing in $ObjId"]


def test_an_object_id_in_the_index_that_no_file_has_is_found() -> None:
    def damage(store: FileStore) -> None:
        file = find_file(store, "File.txt")
        file.base.remove(file.get(Kind.OBJECT_ID))

    assert problems_of_windows(damage) == ["$ObjId has 6 entries, for 5 files"]


def problems_of_windows(damage: Callable[[FileStore], None]) -> list[str]:
    device = MemoryDevice(windows_volume())
    store = NtfsVolume(device)._store
    with store.edit():
        damage(store)
    return NtfsVolume(device).check()


def test_a_check_goes_on_after_damage() -> None:
    def damage(device: MemoryDevice, volume: NtfsVolume) -> None:
        for one in (mirror_that_differs, lost_clusters, bad_fixup):
            one(device, volume)

    problems = "; ".join(damaged(damage))
    for said in ("update sequence number", "$MFTMirr", "as in use that no file has"):
        assert said in problems


def test_checking_writes_nothing() -> None:
    device = MemoryDevice(sound())
    NtfsVolume(device).check()
    assert device.writes == []
