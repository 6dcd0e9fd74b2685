"""Damaged or hostile bytes cause only VmRescueError: no endless loop, and no memory by a number in the image."""

from __future__ import annotations

from functools import cache
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ntfs.test_check import sound
from ntfs.volumes import formatted, new_volume
from support.memory_device import MemoryDevice
from vmrescue.errors import FormatError, UnsupportedError, VmRescueError
from vmrescue.image.overlay import Overlay
from vmrescue.ntfs import NtfsVolume, volume_state
from vmrescue.ntfs.directory import Directory, find_file
from vmrescue.ntfs.edit.index_edit import IndexEditor
from vmrescue.ntfs.structures.attribute import FIRST, Kind
from vmrescue.ntfs.structures.positions import Lcn, Vcn
from vmrescue.ntfs.structures.run_list import HOLE, Run, RunList, decode_pairs, encode_pairs

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBERS = (0, 1, 0x10, 0x20, 0x30, 0x7F, 0x80, 0xFF)
SECTOR = 512


@cache
def targets() -> list[int]:
    """The positions of the sound volume's structures: records, index blocks, bitmap, log, mirror."""
    volume = NtfsVolume(MemoryDevice(sound()))
    table = volume._store.mft
    found = [0, *(table.position(number) for number in [*range(30), *range(30, table.count, 7)])]
    for path in ("", "D", "Gaps"):
        found += [
            volume.cluster_offset(Lcn(lcn + at)) for _, lcn, count in volume.file_extents(path) for at in range(count)
        ]
    for path in ("$Bitmap", "$UpCase", "$LogFile", "$MFTMirr"):
        found.append(volume.cluster_offset(volume.file_extents(path)[0][1]))
    scattered = find_file(volume._store, "scattered")
    return found + [record.position for record in scattered.records()] * 10


def mutate(device: Overlay, choice: Random) -> None:
    for _ in range(choice.choice([1, 1, 2, 5])):
        offset = choice.choice(targets()) + choice.randrange(choice.choice([0x60, 256, 1024]))
        width = choice.choice([1, 1, 2, 4, 8])
        value = choice.choice([*NUMBERS, choice.getrandbits(8 * width), (1 << 8 * width) - 1, 1 << 8 * width - 1])
        device.write_at(offset, (value & (1 << 8 * width) - 1).to_bytes(width, "little"))


def everything(device: Overlay) -> None:
    """Reads, checks and edits; each step may fail in its own way."""
    attempt(lambda: volume_state(device))
    try:
        volume = NtfsVolume(device)
    except VmRescueError:
        return
    attempt(lambda: volume.free_clusters)
    for path in ("", "D", "Gaps", "scattered", "one", "$MFT"):
        for read in (volume.list, volume.read_file, volume.stat, volume.file_extents):
            attempt(lambda read=read, path=path: read(path))  # type: ignore[misc]
    attempt(volume.check)
    attempt(lambda: volume.write_file("one", b"z" * 20000))
    attempt(lambda: volume.write_file("two", b"z" * 60000))
    attempt(lambda: volume.create_file("D/new", b"z" * 6000))
    attempt(lambda: volume.create_directory("Gaps/new"))
    attempt(lambda: volume.delete("scattered"))
    attempt(lambda: volume.rename("D", "E" * 200))
    attempt(volume.check)


def attempt(act: Callable[[], object]) -> None:
    try:
        act()
    except VmRescueError as error:
        assert str(error)  # noqa: PT017  (its text can be made)


@given(seed=st.integers(0, 1 << 32))
@settings(max_examples=12, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
def test_changed_bytes_give_errors_of_ours_only(seed: int) -> None:
    device = Overlay(MemoryDevice(sound()))
    mutate(device, Random(seed))
    everything(device)
    device.close()


@given(pairs=st.binary(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_bytes_as_a_run_list_give_runs_inside_the_volume_or_an_error(pairs: bytes) -> None:
    try:
        runs = decode_pairs(pairs, FIRST, 1000, 0)
    except FormatError:
        return
    assert all(run.length > 0 for run in runs)
    assert all(run.lcn == HOLE or 0 <= run.lcn <= 1000 - run.length for run in runs)


@given(
    pieces=st.lists(
        st.tuples(st.one_of(st.just(HOLE), st.integers(0, 1 << 40)), st.integers(1, 1 << 30)), min_size=1, max_size=20
    )
)
def test_a_run_list_written_is_read_back(pieces: list[tuple[int, int]]) -> None:
    runs = RunList()
    for lcn, length in pieces:
        runs.append(Lcn(lcn), length)
    pairs, count = encode_pairs(runs)
    assert count == len(runs)
    assert decode_pairs(pairs, FIRST, 1 << 48, 0) == list(runs)


def test_a_run_list_that_claims_more_clusters_than_the_volume_has_is_an_error() -> None:
    with pytest.raises(FormatError, match="clusters below 100"):
        decode_pairs(encode_pairs([Run(FIRST, Lcn(90), 11)])[0], FIRST, 100, 0)


def test_an_index_whose_nodes_lie_below_each_other_is_an_error() -> None:
    _, volume = new_volume()
    volume.create_directory("D")
    for number in range(200):
        volume.create_file(f"D/a file with a fairly long name {number}", b"")
    with volume._store.edit():
        index = Directory(find_file(volume._store, "D")).index
        first = index.root_node().entries[0].node
        assert first is not None
        node = index.node(first)
        node.entries = [entry.over(first) for entry in node.entries]
        IndexEditor(index)._write(node)
    with pytest.raises(FormatError, match="below one entry only"):
        volume.list("D")
    with pytest.raises(FormatError, match="below one entry only"):
        volume.create_file("D/a", b"")
    with pytest.raises(FormatError, match="further down"):
        IndexEditor(index).remove(index.collation.name_key("a"))
    assert any("below one entry only" in problem for problem in volume.check())


def test_a_directory_inside_itself_is_found_by_its_own_path_only() -> None:
    _, volume = new_volume()
    volume.create_directory("D")
    volume.create_directory("D/E")
    with volume._store.edit():
        directory = Directory(find_file(volume._store, "D"))
        (entry,) = directory.index.entries()
        body = directory.file.reference.to_bytes(8, "little") + entry.body[8:]
        node = directory.index.root_node()
        node.entries[0] = entry._replace(body=body)
        IndexEditor(directory.index)._write(node)
    assert volume.stat("D/E/E/E/E").record == volume.stat("D").record
    assert volume.check()


def test_a_size_that_no_volume_holds_is_not_believed() -> None:
    _, volume = new_volume()
    volume.create_file("file", b"x" * 5000)
    with volume._store.edit():
        find_file(volume._store, "file").get(Kind.DATA).data_size = 1 << 62
    with pytest.raises(FormatError, match="within the 8192 bytes"):
        volume.read_file("file")


def test_a_sparse_file_larger_than_its_volume_is_not_read_into_memory() -> None:
    _, volume = new_volume()
    volume.create_file("file", b"x" * 5000)
    with volume._store.edit():
        data = find_file(volume._store, "file").get(Kind.DATA)
        clusters = 1 << 40
        data.set_pairs(encode_pairs([Run(FIRST, HOLE, clusters)])[0], Vcn(clusters))
        data.data_size = data.initialized_size = data.allocated_size = clusters * 4096
    with pytest.raises(UnsupportedError, match="larger than its volume"):
        volume.read_file("file")


@pytest.mark.parametrize("length", [0, 3, 511, 512, 513, 4096, 100_000])
def test_a_volume_cut_short_is_an_error(length: int) -> None:
    with pytest.raises(FormatError):
        NtfsVolume(MemoryDevice(formatted()[:length]))


def test_random_bytes_behind_a_boot_sector_are_an_error() -> None:
    data = formatted()[:SECTOR] + Random(1).randbytes(len(formatted()) - SECTOR)
    with pytest.raises(FormatError, match="file record 0"):
        NtfsVolume(MemoryDevice(data))
