"""Volumes that claim far more than their image holds: sparse files of a few hundred kilobytes, many gigabytes long.

What was never written is passed over, and what an attribute stores twice is refused, so that work and memory are
bounded by what is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from commands.here import output_of
from fuzz.rooms.whole import START
from hostile.disks import small_image
from hostile.test_readers import bounded
from image.images import CONTAINERS, KIB, SIZE, make_image
from ntfs.volumes import format_volume, formatted
from support.machine import run
from support.memory_device import MemoryDevice
from vmrescue.device import next_data
from vmrescue.disk import FileDevice, Overlay, open_disk
from vmrescue.errors import FormatError, RefusedError
from vmrescue.fat import FatVolume
from vmrescue.image.pending_writes import PendingWrites
from vmrescue.ntfs import NtfsVolume
from vmrescue.ntfs.defrag.layout import read_layout
from vmrescue.ntfs.directory import find_file
from vmrescue.ntfs.store import FileStore
from vmrescue.ntfs.structures.attribute import FIRST, Kind, Storage
from vmrescue.ntfs.structures.positions import Lcn, Vcn
from vmrescue.ntfs.structures.run_list import HOLE, Run, encode_pairs
from vmrescue.readers.ntfs.file_system import NtfsFileSystem
from vmrescue.volume import Window, read_partition_table
from vmrescue.volume.extending import move_partition
from volume.disks import blank

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.disk import BlockDevice
    from vmrescue.ntfs.store import File

MIB = 1 << 20
GIB = 1 << 30
NTFS_SIZE = 64 * GIB
CLUSTER = 512
FAT_SIZE = 4 * GIB
BIG = "big.bin"


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """An empty NTFS volume of 128 million clusters, with one small file in it."""
    path = format_volume(tmp_path / "volume.img", NTFS_SIZE, CLUSTER)
    device = FileDevice(path, writable=True)
    NtfsVolume(device).create_file(BIG, b"x" * 5000)
    device.close()
    run("fallocate", "--dig-holes", path)
    return path


def give_runs(file: File, kind: Kind, pieces: list[tuple[int, int]]) -> None:
    """An attribute that says it lies in these pieces, (first cluster, clusters), whatever is there."""
    attribute = file.get(kind)
    pairs, _ = encode_pairs(Run(FIRST, Lcn(first), length) for first, length in pieces)
    clusters = sum(length for _, length in pieces)
    attribute.set_pairs(pairs, Vcn(clusters))
    attribute.allocated_size = attribute.data_size = attribute.initialized_size = clusters * CLUSTER


def test_a_file_table_that_was_never_written_takes_no_time(volume: Path) -> None:
    device = FileDevice(volume, writable=True)
    store = FileStore(device)
    claimed = 30 * GIB // CLUSTER  # 30 million records
    with store.edit():
        table = store.file(0)
        pieces = [(run.lcn, run.length) for run in table.stream(Kind.DATA).clusters.runs.stored]
        give_runs(table, Kind.DATA, [*pieces, (33 * GIB // CLUSTER, claimed)])
        give_runs(table, Kind.BITMAP, [(GIB // CLUSTER, claimed // 2 // 8 // CLUSTER + 64)])
    assert FileStore(device).mft.count > 30_000_000

    with bounded():
        problems = NtfsVolume(device).check()
        placed = list(read_layout(FileStore(device)))

    assert problems
    assert len(placed) < 20
    device.close()


def test_a_file_of_fifty_million_clusters_that_were_never_written_takes_no_memory(volume: Path) -> None:
    device = FileDevice(volume, writable=True)
    store = FileStore(device)
    with store.edit():
        give_runs(find_file(store, BIG), Kind.DATA, [(70_000_000, 50_000_000)])

    with bounded(16 << 20):
        problems = NtfsVolume(device).check()

    assert "$Bitmap marks 50000000 clusters as free that files have" in "; ".join(problems)
    device.close()


@pytest.mark.parametrize("name", ["$Bitmap", BIG])
def test_a_stream_that_stores_a_cluster_twice_is_an_error_for_both_readers(name: str, volume: Path) -> None:
    device = FileDevice(volume, writable=True)
    store = FileStore(device)
    with store.edit():
        give_runs(find_file(store, name), Kind.DATA, [(20_000_000, 16384)] * 8 + [(30_000_000, 1000)])

    with bounded():
        with pytest.raises(FormatError, match="each cluster once"):
            find_file(FileStore(device), name).stream(Kind.DATA)
        with pytest.raises(FormatError, match="each cluster once"):
            NtfsFileSystem(device, 0).open(name)
        if name == "$Bitmap":
            with pytest.raises(FormatError, match="each cluster once"):
                _ = NtfsFileSystem(device, 0).free_space
        assert NtfsVolume(device).check()
    device.close()


def test_a_fat_with_millions_of_free_clusters_is_checked_and_edited_at_once(tmp_path: Path) -> None:
    path = tmp_path / "volume.img"
    with path.open("wb") as image:
        image.truncate(FAT_SIZE)
    run("mkfs.vfat", "-F", "32", "-s", "1", path)
    run("fallocate", "--dig-holes", path)
    device = FileDevice(path, writable=True)

    with bounded(16 << 20):
        volume = FatVolume(device)
        volume.create_file("small.txt", b"small")
        problems = FatVolume(device).check()

    assert problems == []
    assert volume.cluster_count > 8_000_000
    device.close()
    run("fsck.vfat", "-n", path)


# -- where there is data


def holes_and_data(device: BlockDevice) -> list[tuple[int, int]]:
    """What `next_data` passes over."""
    found = []
    at = 0
    while at < device.size:
        data = next_data(device, at)
        assert at <= data <= device.size
        if data > at:
            found.append((at, data))
        at = data + 512
    return found


@pytest.mark.parametrize("container", CONTAINERS)
def test_what_is_passed_over_is_zero_in_every_container(container: str, tmp_path: Path) -> None:
    disk = open_disk(make_image(tmp_path, container), writable=True)
    if container != "differencing":
        disk.resize(80 * SIZE)
    part = Window(disk, 512, disk.size - 1024)
    overlay = Overlay(part)
    overlay.write_at(100 * KIB, b"new")
    if part.size > 60 * SIZE:
        overlay.write_at(60 * SIZE, b"far")
    pending = PendingWrites(overlay, 512)
    pending.write_at(120 * KIB, b"soon")

    for device in (disk, part, overlay):
        for start, end in holes_and_data(device):
            assert device.read_at(start, end - start) == bytes(end - start)
    if container != "differencing":
        assert any(start > SIZE for start, _ in holes_and_data(overlay))
        assert overlay.next_data(50 * SIZE) == 60 * SIZE // 4096 * 4096
    assert next_data(overlay, 100 * KIB) == 100 * KIB
    assert pending.next_data(120 * KIB) == 120 * KIB
    overlay.close()
    disk.close()


def test_a_file_of_holes_is_copied_out_as_holes(tmp_path: Path) -> None:
    image, size = small_image(tmp_path), 256 * MIB
    table = bytearray(image.read_bytes()[:512])
    table[446 + 12 : 446 + 16] = (2 * size // 512).to_bytes(4, "little")  # the partition has room for such a file
    with image.open("r+b") as stream:
        stream.write(table)
        stream.truncate(START + 2 * size)
    device = FileDevice(image, writable=True)
    volume = NtfsVolume(Window(device, START, 2 * size))
    path = r"Windows\System32\config\HOLES"
    volume.create_file(path, b"head" * 2048)
    with volume._store.edit():
        data = find_file(volume._store, path).get(Kind.DATA)
        (first,) = find_file(volume._store, path).stream(Kind.DATA).clusters.runs.stored
        clusters = size // volume.cluster_size
        holes = Run(Vcn(first.length), HOLE, clusters - first.length)
        data.flags = Storage.SPARSE
        data.set_pairs(encode_pairs([Run(FIRST, first.lcn, first.length), holes])[0], Vcn(clusters))
        data.data_size = data.initialized_size = data.allocated_size = size
    device.close()

    output_of("get", image, path, tmp_path / "out")
    output_of("backup", image, tmp_path / "folder")

    [copy] = (tmp_path / "folder").rglob("HOLES")
    for file in (tmp_path / "out", copy):
        assert file.stat().st_size == size
        assert file.stat().st_blocks * 512 < 4 * MIB
        with file.open("rb") as stream:
            assert stream.read(8192) == b"head" * 2048


def test_a_partition_that_was_never_written_is_moved_at_once(tmp_path: Path) -> None:
    path = tmp_path / "disk.raw"
    blank(path, 300 * GIB)
    run("sgdisk", "-n", "1:1M:+100G", "-t", "1:2700", path)
    device = FileDevice(path, writable=True)
    start, content = 150 * GIB, b"the only bytes"
    device.write_at(50 * GIB, content)  # where it is
    device.write_at(start + 7 * GIB, content)  # where it goes

    with bounded():
        move_partition(device, read_partition_table(device), 1, start)

    assert device.read_at(start + 49 * GIB + 1023 * MIB, len(content)) == content
    assert device.read_at(start + 7 * GIB, len(content)) == bytes(len(content))
    device.close()
    run("sgdisk", "-v", path)


def test_a_file_whose_clusters_are_anothers_too_is_not_replaced_in_place() -> None:
    device = MemoryDevice(formatted(8 * MIB))
    volume = NtfsVolume(device)
    volume.create_file("hive", b"h" * 40_000)
    volume.create_file("other", b"o" * 40_000)
    [(_, cluster, _)] = volume.file_extents("other")
    mirror = find_file(volume._store, "$MFTMirr").stream(Kind.DATA).clusters.runs.stored
    shares = {"other": cluster + 3, "$MFTMirr": next(iter(mirror)).lcn}
    volume.write_file("hive", b"H" * 40_000)  # while they are its own
    for name, shared in shares.items():
        changed = MemoryDevice(bytes(device.data))
        damaged = NtfsVolume(changed)
        with damaged._store.edit():
            data = find_file(damaged._store, "hive").get(Kind.DATA)
            [(_, own, length)] = damaged.file_extents("hive")
            runs = [Run(FIRST, own, length - 1), Run(Vcn(length - 1), Lcn(shared), 1)]
            data.set_pairs(encode_pairs(runs)[0], Vcn(length))
        before = bytes(changed.data)
        with pytest.raises(RefusedError, match="'hive' shares clusters with file record"):
            NtfsVolume(changed).write_file("hive", b"x" * 40_000)
        assert changed.data == before, name
