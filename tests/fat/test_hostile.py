"""Volumes with random changes: every call returns or raises a VmRescueError, quickly."""

from __future__ import annotations

import contextlib
import struct
import time
import tracemalloc
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fat.volumes import KINDS, new_volume
from support.memory_device import MemoryDevice
from vmrescue.errors import VmRescueError
from vmrescue.fat import FatVolume

if TYPE_CHECKING:
    from collections.abc import Callable


@cache
def sound(bits: int) -> tuple[bytes, list[tuple[int, int]]]:
    """A volume with some files, and the ranges of its metadata."""
    device, volume = new_volume(bits)
    volume.create_directory("EFI")
    volume.create_directory("EFI/Boot with a long name")
    for number in range(6):
        volume.create_file(f"EFI/Boot with a long name/file number {number}", bytes(700 * number))
        volume.create_file(f"F{number}", bytes(500 * number))
    directories = [volume.file_extents(path)[0] for path in ("EFI", "EFI/Boot with a long name")]
    start = int.from_bytes(device.data[14:16], "little") * 512
    clusters = [(volume.cluster_offset(lcn), 512) for _, lcn, _ in directories]
    return bytes(device.data), [(0, 90), (512, 512), (start, 400), (volume.cluster_offset(2) - 512, 1024), *clusters]


def exercise(data: bytearray) -> None:
    """Calls all reading and editing functions, each separately, so that an error in one does not hide the others."""
    with contextlib.suppress(VmRescueError):
        FatVolume(MemoryDevice(data)).check()
    with contextlib.suppress(VmRescueError):
        volume = FatVolume(MemoryDevice(data))
        assert volume.state.name in ("clean", "dirty")
        assert 0 <= volume.free_clusters <= volume.cluster_count
        for info in [*volume.list(), *volume.list("EFI")]:
            with contextlib.suppress(VmRescueError):
                volume.read_file(info.name)
            with contextlib.suppress(VmRescueError):
                volume.file_extents(f"EFI/{info.name}")
    edits: list[Callable[[FatVolume], None]] = [
        lambda v: v.create_file("EFI/Boot with a long name/new file", b"new" * 1000),
        lambda v: v.create_directory("new directory"),
        lambda v: v.write_file("F3", bytes(9000)),
        lambda v: v.write_file("F5", b""),
        lambda v: v.delete("EFI/Boot with a long name/file number 4"),
        lambda v: v.rename("EFI/Boot with a long name", "short"),
    ]
    for edit in edits:
        with contextlib.suppress(VmRescueError):
            edit(FatVolume(MemoryDevice(data)))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(KINDS), st.data())
def test_a_changed_volume_is_read_or_refused(bits: int, draw: st.DataObject) -> None:
    whole, places = sound(bits)
    data = bytearray(whole)
    for _ in range(draw.draw(st.integers(1, 6))):
        start, length = draw.draw(st.sampled_from(places))
        at = start + draw.draw(st.integers(0, length - 1))
        data[at] = draw.draw(st.sampled_from([0x00, 0x01, 0x0F, 0x10, 0x7F, 0x80, 0xE5, 0xF7, 0xF8, 0xFF]))
    began = time.process_time()
    exercise(data)
    assert time.process_time() - began < 5


def test_a_table_in_which_all_clusters_form_one_loop_is_refused_at_once() -> None:
    device, volume = new_volume(32)
    volume.create_file("file", bytes(512))
    volume.create_directory("folder")
    count, start = volume.cluster_count, 32 * 512
    links = struct.pack(f"<{count}I", *range(3, count + 2), 2)
    device.write_at(start + 8, links)
    began = time.process_time()
    volume = FatVolume(device)
    with pytest.raises(VmRescueError, match="a chain that is longer"):
        volume.list()
    with pytest.raises(VmRescueError):
        volume.delete("folder")
    assert volume.check()
    assert time.process_time() - began < 5


def test_a_file_said_to_be_4_gib_long_takes_no_memory() -> None:
    device, volume = new_volume(16)
    volume.create_file("file", bytes(512))
    slot = device.data.index(b"FILE       ")
    device.write_at(slot + 28, b"\xff\xff\xff\xff")
    tracemalloc.start()
    with pytest.raises(VmRescueError, match=r"8388608 clusters for the file's 4294967295 bytes, found a chain of 1"):
        volume.read_file("file")
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_a_directory_that_holds_itself_is_followed_only_as_far_as_the_path_says() -> None:
    device, volume = new_volume(16)
    volume.create_directory("a")
    volume.create_directory("a/b")
    cluster = volume.file_extents("a")[0][1]
    slot = device.data.index(b"B          ", volume.cluster_offset(cluster))
    device.write_at(slot + 26, struct.pack("<H", cluster))
    assert [info.name for info in volume.list("/".join(["a", *["b"] * 500]))] == ["b"]
    assert "runs into that of" in volume.check()[0]
