"""Structures made so that the readers of others would loop, or take memory without end: an error of ours, at once."""

from __future__ import annotations

import os
import struct
import time
import tracemalloc
import zlib
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from commands.here import vmrescue
from fat.volumes import new_volume as new_fat
from fuzz.rooms import PARSERS
from fuzz.rooms.ntfs import small_volume
from fuzz.rooms.whole import START, VOLUME
from hostile.disks import small_image
from registry.samples import values_that_share_a_cell
from registry.test_hostile import many_keys
from registry.test_recovery import entry
from support.machine import run
from support.memory_device import MemoryDevice
from vmrescue.disk import FileDevice, open_disk
from vmrescue.errors import FormatError, UnsupportedError, VmRescueError
from vmrescue.image.containers.container import open_container
from vmrescue.image.containers.raw import RawImage
from vmrescue.ntfs import NtfsVolume
from vmrescue.ntfs.directory import Directory, find_file
from vmrescue.ntfs.edit.index_edit import IndexEditor
from vmrescue.ntfs.structures.attribute import FIRST, Attribute, Kind, Storage
from vmrescue.ntfs.structures.boot_sector import read_boot_sector
from vmrescue.ntfs.structures.positions import Vcn
from vmrescue.ntfs.structures.run_list import HOLE, Run, encode_pairs
from vmrescue.readers.fat.file_system import FatFileSystem
from vmrescue.readers.file_system import whole
from vmrescue.readers.ntfs.file_system import NtfsFileSystem
from vmrescue.registry import Hive, ValueType
from vmrescue.registry.base_block import BaseBlock, FileType
from vmrescue.registry.hive_file import LARGEST_LOG
from vmrescue.registry.space import BIN_HEADER
from vmrescue.volume import Window
from vmrescue.windows.bare_hive import BareHive
from vmrescue.windows.cleanup import matches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MIB = 1 << 20
SECONDS = 4.0


@contextmanager
def bounded(memory: int = 64 * MIB) -> Iterator[None]:
    """What happens inside takes neither long nor much memory."""
    begun = time.process_time()
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < memory
    assert time.process_time() - begun < SECONDS


# -- NTFS, through dissect.ntfs


def ntfs() -> tuple[MemoryDevice, NtfsVolume]:
    device = MemoryDevice(small_volume(4096))
    return device, NtfsVolume(device)


def with_root(volume: NtfsVolume, path: str, form: str, offset: int, value: int) -> None:
    """A number in the $INDEX_ROOT of a directory."""
    with volume._store.edit():
        root = find_file(volume._store, path).get(Kind.INDEX_ROOT, "$I30")
        changed = bytearray(root.value)
        struct.pack_into(form, changed, offset, value)
        root.value = bytes(changed)


@pytest.mark.parametrize("size", [0, 1, 100, 1 << 31, (1 << 32) - 1])
def test_index_blocks_of_no_size_or_of_gigabytes_are_an_error(size: int) -> None:
    device, volume = ntfs()
    assert len(NtfsFileSystem(device, 0).entries("D")) == 40

    with_root(volume, "D", "<I", 8, size)

    files = NtfsFileSystem(device, 0)
    for ask in (files.entries, lambda path: files.size_of(f"{path}\\zzz")):
        with bounded(), pytest.raises(FormatError, match="index blocks of") as caught:
            ask("D")
        assert device.read_at(caught.value.position or 0, 4) == b"FILE"  # where the directory's record lies


def test_an_index_node_below_itself_is_an_error() -> None:
    device, volume = ntfs()
    store = volume._store
    with store.edit():
        index = Directory(find_file(store, "D")).index
        child = index.root_node().entries[0].node
        assert child is not None
        block = index.node(child)
        block.entries = [entry.over(child) for entry in block.entries]
        IndexEditor(index)._write(block)

    with bounded(), pytest.raises(FormatError, match="each once, found VCN 1 again"):
        NtfsFileSystem(device, 0).size_of("D\\000")


@pytest.mark.parametrize("clusters", [1 << 50, 1 << 51, (1 << 52) - 1])
def test_a_sparse_file_of_16_eb_is_not_read_copied_or_printed(clusters: int, tmp_path: Path) -> None:
    device, volume = ntfs()
    with volume._store.edit():
        data = find_file(volume._store, "one").get(Kind.DATA)
        data.set_pairs(encode_pairs([Run(FIRST, HOLE, clusters)])[0], Vcn(clusters))
        data.data_size = data.initialized_size = data.allocated_size = clusters * 4096
    image = tmp_path / "volume.raw"
    image.write_bytes(device.data)

    with bounded(), pytest.raises(UnsupportedError, match="larger than its volume"):
        NtfsFileSystem(device, 0).open("one")
    for words in (["get", image, "one", tmp_path / "out"], ["cat", image, "one"]):
        done = vmrescue(*words)
        assert (done.status, done.out) == (3, "")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("unit", "clusters"), [(4, 1 << 40), (60, 16), (255, 16)])
def test_a_compressed_hole_of_any_length_is_an_error(unit: int, clusters: int) -> None:
    device, volume = ntfs()
    with volume._store.edit():
        data = find_file(volume._store, "one").get(Kind.DATA)
        data.flags = Storage.COMPRESSED
        data.compression_unit = unit
        data.set_pairs(encode_pairs([Run(FIRST, HOLE, clusters)])[0], Vcn(clusters))

    with bounded(), pytest.raises(FormatError, match="compress"):
        NtfsFileSystem(device, 0).open("one").read(100)


def test_an_attribute_list_in_a_record_that_a_list_names_is_an_error() -> None:
    device, volume = ntfs()
    first, second = (find_file(volume._store, path).number for path in ("one", "D\\001 is a file with a longer name"))
    for path, other in (("one", second), ("D\\001 is a file with a longer name", first)):
        entry = struct.pack("<IHBBQQH6x", 0x30, 32, 0, 26, 0, other, 0)
        with volume._store.edit():
            find_file(volume._store, path).base.add(Attribute.resident(Kind.ATTRIBUTE_LIST, "", entry))

    with bounded(), pytest.raises(FormatError, match="no attribute list in a record that one names"):
        NtfsFileSystem(device, 0).size_of("one")


def test_a_volume_larger_than_windows_allows_is_an_error_though_its_image_is_as_large(tmp_path: Path) -> None:
    image = tmp_path / "sparse.raw"
    boot = bytearray(small_volume(4096)[:512])
    size = 1 << 43  # 8 TiB: what file systems hold in a sparse file
    struct.pack_into("<Q", boot, 0x28, size // 512 - 1)
    boot[0x0D] = 1
    image.write_bytes(boot)
    os.truncate(image, size)

    with bounded(), pytest.raises(FormatError, match="at most 4294967295 clusters"):
        read_boot_sector(SparseFile(image))
    with bounded():
        done = vmrescue("diagnose", image)
    assert done.status == 1, "it is a finding: there may be other volumes"
    assert "at most 4294967295 clusters" in done.out


class SparseFile:
    """A file as a device, without reading it."""

    sector_size = 512

    def __init__(self, path: Path) -> None:
        self._path = path
        self.size = path.stat().st_size

    def read_at(self, offset: int, length: int) -> bytes:
        with self._path.open("rb") as stream:
            stream.seek(offset)
            return stream.read(length)

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        raise AssertionError("reading only")

    def flush(self) -> None:
        """Nothing was written."""

    def close(self) -> None:
        """Nothing is open."""


# -- hives, through dissect.regf


def reader(data: bytes) -> BareHive:
    return BareHive(RawImage(MemoryDevice(data)), "/nowhere/HIVE")


def test_a_list_of_lists_that_lists_itself_is_an_error() -> None:
    hive, data = many_keys("k", 3000)
    root = hive.root.node.subkey_list
    signature, count = struct.unpack_from("<2sH", data, 4096 + root + 4)
    assert signature == b"ri"

    struct.pack_into(f"<{count}I", data, 4096 + root + 8, *[root] * count)

    key = reader(bytes(data)).hive.root
    for ask in (key.subkeys, lambda: key.subkey("k7")):
        with bounded(), pytest.raises(FormatError, match="a leaf under an index root"):
            ask()


def test_a_long_list_of_one_long_leaf_over_and_over_is_an_error_for_the_reader_too() -> None:
    hive, data = many_keys("k", 3000)
    leaf = struct.unpack_from("<I", data, 4096 + hive.root.node.subkey_list + 8)[0]
    big, entries = len(data) - 4096, 16_000
    data += struct.pack("<4sII8xQI", b"hbin", big, 65536, 0, 0).ljust(65536, b"\0")
    struct.pack_into("<i2sH", data, 4096 + big + 32, -65504, b"ri", entries)
    struct.pack_into(f"<{entries}I", data, 4096 + big + 40, *[leaf] * entries)
    struct.pack_into("<I", data, 4096 + 32 + 4 + 28, big + 32)
    struct.pack_into("<I", data, 40, big + 65536)

    with bounded(), pytest.raises(FormatError, match="keys that fit in the hive"):
        reader(bytes(data)).hive.root.subkeys()


def test_values_that_share_one_large_cell_are_an_error_for_the_reader_too() -> None:
    key = reader(values_that_share_a_cell(300)).hive.root
    with bounded(), pytest.raises(FormatError, match="fit in their hive"):
        key.values()
    with bounded(), pytest.raises(FormatError, match="cells that many share"):
        assert [key.data(f"v{number}") for number in range(300)]


@pytest.mark.parametrize("size", [0, 4, 0x7FFFFFFF, -0x80000000, -0x7FFFFFFF])
def test_a_cell_of_no_size_or_of_gigabytes_is_an_error(size: int) -> None:
    hive, data = many_keys("k", 3)
    struct.pack_into("<i", data, 4096 + hive.root.node.subkey_list, size)

    with bounded(), pytest.raises(FormatError, match="a size of"):
        reader(bytes(data)).hive.root.subkeys()


# -- FAT, through dissect.fat


def fat(change: Callable[[MemoryDevice], None]) -> FatFileSystem:
    device, volume = new_fat(16)
    volume.create_directory("D")
    volume.create_file("F", bytes(2000))
    change(device)
    return FatFileSystem(MemoryDevice(device.data), 0)


@pytest.mark.parametrize("value", [0, 1, 0xFFF0, 0xFFF7])
def test_a_chain_into_a_cluster_with_a_reserved_number_is_an_error(value: int) -> None:
    def change(device: MemoryDevice) -> None:
        table = struct.unpack_from("<H", device.data, 14)[0] * 512
        for copy in range(2):
            at = table + copy * struct.unpack_from("<H", device.data, 22)[0] * 512
            struct.pack_into("<H", device.data, at + 2, value)  # entry 1, where a chain of reserved numbers would turn
            struct.pack_into("<3H", device.data, at + 4, *[value] * 3)

    with bounded(), pytest.raises(VmRescueError):
        fat(change).open("F").read()


def test_a_long_name_of_thousands_of_parts_is_an_error() -> None:
    def change(device: MemoryDevice) -> None:
        volume_root = FatFileSystem(MemoryDevice(device.data), 0)._fat.root
        entries = volume_root.size // 32
        at = device.data.index(b"LABEL      ", 512)
        part = b"\x01" + b"a\0" * 5 + b"\x0f\0\0" + b"a\0" * 6 + b"\0\0" + b"a\0" * 2
        device.data[at : at + (entries - 2) * 32] = part * (entries - 2)

    with bounded(), pytest.raises(FormatError, match="a name of at most 20 parts"):
        fat(change).entries("")


# -- containers of other makers


def opened(data: bytes) -> bytes:
    disk = open_container(MemoryDevice(data), None)
    try:
        return disk.read_at(0, min(disk.size, MIB))
    finally:
        disk.close()


def test_a_vmdk_grain_that_unpacks_to_gigabytes_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "disk.raw").write_bytes(os.urandom(MIB))
    options = ["-O", "vmdk", "-o", "subformat=streamOptimized"]
    run("qemu-img", "convert", *options, tmp_path / "disk.raw", tmp_path / "disk.vmdk")
    data = bytearray((tmp_path / "disk.vmdk").read_bytes())
    assert len(opened(bytes(data))) == MIB
    packed = {b"\x78\x01", b"\x78\x9c", b"\x78\xda"}  # how zlib's streams begin
    first = next(at for at in range(65536, len(data), 512) if bytes(data[at + 12 : at + 14]) in packed)

    bomb = zlib.compress(bytes(200 * MIB), 9)
    data[first + 8 : first + 12 + len(bomb)] = struct.pack("<I", len(bomb)) + bomb

    with bounded(), pytest.raises(FormatError, match="at most 65536 bytes when unpacked"):
        opened(bytes(data))


def test_an_e01_header_that_unpacks_to_gigabytes_is_an_error() -> None:
    seed = next(seed for seed in PARSERS["foreign"].seeds() if seed.name == "E01")
    head = seed.data[:13]
    bomb = zlib.compress(bytes(200 * MIB), 9)
    section = struct.pack("<16sQQ", b"header2", 13 + 76 + len(bomb), 76 + len(bomb)).ljust(76, b"\0") + bomb
    done = struct.pack("<16sQQ", b"done", 13 + len(section), 76).ljust(76, b"\0")

    with bounded(), pytest.raises(FormatError, match="at most 1048576 bytes when unpacked"):
        opened(head + section + done)


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("qcow2", [(36, ">I", 0xFFFFFFFF)], "L1 table of at most"),
        ("qcow2", [(20, ">I", 60)], "clusters of 9 to 21 bits"),
        ("vdi", [(0x180, "<I", 0xFFFFFFFF)], "at most 16777216 blocks"),
        ("vdi", [(0x178, "<I", 1 << 31)], "a block size up to"),
        ("vmdk", [(20, "<Q", 1 << 40)], "grains of up to"),
    ],
)
def test_tables_longer_than_the_format_allows_are_an_error(
    name: str, changes: list[tuple[int, str, int]], words: str
) -> None:
    seed = next(seed for seed in PARSERS["foreign"].seeds() if seed.name.startswith(name))
    data = bytearray(seed.data)
    opened(bytes(data))

    for offset, form, value in changes:
        struct.pack_into(form, data, offset, value)

    with bounded(), pytest.raises(FormatError, match=words):
        opened(bytes(data))


# -- links inside an image


def test_a_junction_is_shown_as_one_and_what_lies_behind_it_is_nobodys_business(tmp_path: Path) -> None:
    image = small_image(tmp_path)
    disk = open_disk(image, writable=True)
    volume = NtfsVolume(Window(disk, START, VOLUME))
    pattern = ["Windows", "Temp", "**"]
    files = NtfsFileSystem(Window(disk, START, VOLUME), START)
    assert [path for path, _ in matches(files, pattern)] == [r"Windows\Temp\left over"]

    target = "\\??\\C:\\Users".encode("utf-16-le")
    body = struct.pack("<HHHH", 0, len(target), len(target) + 2, 0) + target + bytes(4)
    with volume._store.edit():
        junction = find_file(volume._store, r"Windows\Temp")
        value = struct.pack("<IHH", 0xA0000003, len(body), 0) + body
        junction.base.add(Attribute.resident(Kind.REPARSE_POINT, "", value))

    files = NtfsFileSystem(Window(disk, START, VOLUME), START)
    temp = next(entry for entry in files.entries("Windows") if entry.name == "Temp")
    assert temp.is_link
    assert list(matches(files, pattern)) == []
    assert [entry.name for entry in files.entries(r"Windows\Temp")] == ["left over"], "its own, not its target's"
    disk.close()


def test_a_hive_of_holes_is_not_read_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    device, volume = ntfs()
    assert whole(NtfsFileSystem(device, 0).open("one"), "one", MIB) == volume.read_file("one")
    monkeypatch.setattr("vmrescue.ntfs.edit.content.MOST_AT_ONCE", 19_999)  # of 2 GiB: the file has 20000 bytes

    with pytest.raises(UnsupportedError, match="at most 19999 are read at once"):
        volume.read_file("one")
    with pytest.raises(UnsupportedError, match="at most 19999 are read at once"):
        whole(NtfsFileSystem(device, 0).open("one"), "one", 19_999)


@pytest.mark.parametrize("dirty", [False, True])
@pytest.mark.parametrize("bins", ["few bins", "bins to its end"])
def test_a_hive_file_of_gigabytes_is_not_read_into_memory(bins: str, dirty: bool, tmp_path: Path) -> None:
    path, data = tmp_path / "SYSTEM", small_system()
    block = BaseBlock.parse(data)
    size = 2000 * MIB if bins == "bins to its end" else len(data)
    told = replace(block, primary=block.secondary + dirty, bins_size=size - 4096)
    path.write_bytes(told.store(data) + data[512:])
    os.truncate(path, 2000 * MIB)

    with bounded():
        with closing(FileDevice(path)) as device:
            hive = BareHive(RawImage(device), str(path)).hive
            assert hive.number("Select", "Current") == 1
            reason = hive.why_not_replayable()
        queried = vmrescue("reg", path, "query", "HKLM\\SYSTEM\\Select")
        edited = vmrescue("reg", path, "add", "HKLM\\SYSTEM\\New", "/f", "--dry-run")

    if dirty:
        assert reason is not None
        assert ("at most" in reason) is (bins == "bins to its end")
    else:
        assert reason is None
    assert ("Current" in queried.out) is (bins == "few bins")
    assert edited.status in (3, 4)


def small_system() -> bytes:
    hive = Hive.create("SYSTEM")
    hive.create_key("Select")
    hive.set_value("Select", "Current", ValueType.DWORD, 1)
    return hive.to_bytes()


def test_a_log_of_gigabytes_is_not_read_into_memory(tmp_path: Path) -> None:
    path = tmp_path / "SYSTEM"
    path.write_bytes(small_system())
    (tmp_path / "SYSTEM.LOG1").touch()
    os.truncate(tmp_path / "SYSTEM.LOG1", 2000 * MIB)

    with bounded():
        for words in (("query", "HKLM\\SYSTEM"), ("add", "HKLM\\SYSTEM\\New", "/f", "--dry-run")):
            done = vmrescue("reg", path, *words)
            assert done.status == 3
            assert f"at most {LARGEST_LOG} are read at once" in done.err


def dirty_hive_of_holes(folder: Path, size: int) -> Path:
    """A dirty hive whose second bin, nothing but a header and one free cell, reaches to its end; and its log."""
    path, data = folder / "SYSTEM", small_system()
    bins = size - 4096
    header = BIN_HEADER.pack(b"hbin", len(data) - 4096, bins - (len(data) - 4096), 0, 0)
    block = replace(BaseBlock.parse(data), bins_size=bins)
    dirty = replace(block, primary=block.primary + 1)
    path.write_bytes(dirty.store(data) + data[512:] + header + (size - len(data) - 32).to_bytes(4, "little"))
    os.truncate(path, size)
    log = replace(block, primary=block.secondary, file_type=FileType.NEW_LOG)
    applied = data[4096:].replace(b"Current", b"CURRENT")
    path.with_name("SYSTEM.LOG1").write_bytes(log.store(data) + entry(block.secondary, bins, [(0, applied)]))
    return path


def test_a_dirty_hive_of_holes_is_diagnosed_and_neither_read_whole_nor_edited(tmp_path: Path) -> None:
    path = dirty_hive_of_holes(tmp_path, 500 * MIB)
    with path.open("rb") as stream:
        before = stream.read(8192)

    with bounded(), closing(FileDevice(path)) as device:
        hive = BareHive(RawImage(device), str(path)).hive
        assert hive.why_not_replayable() is None
        select = hive.key("Select")
        assert select is not None
        assert select.values().keys() == {"CURRENT"}, "as the log has it"
    with bounded():
        for words in (("query", "HKLM\\SYSTEM"), ("add", "HKLM\\SYSTEM\\New", "/f", "--yes")):
            done = vmrescue("reg", path, *words)
            assert done.status == 3
            assert "consists of holes" in done.err
    with path.open("rb") as stream:
        assert stream.read(8192) == before


def test_a_clean_hive_of_holes_is_not_read_into_memory_as_a_boot_store(tmp_path: Path) -> None:
    path = dirty_hive_of_holes(tmp_path, 500 * MIB)
    with path.open("r+b") as stream:
        head = stream.read(4096)
        block = BaseBlock.parse(head)
        stream.seek(0)
        stream.write(replace(block, primary=block.secondary).store(head))

    with bounded():
        done = vmrescue("bcdedit", path, "/enum")
    assert (done.status, "consists of holes" in done.err) == (3, True)


def test_a_log_of_holes_is_not_read_into_memory(tmp_path: Path) -> None:
    path = dirty_hive_of_holes(tmp_path, 64 * MIB)
    os.truncate(tmp_path / "SYSTEM.LOG1", 60 * MIB)
    with bounded(), closing(FileDevice(path)) as device:
        reason = BareHive(RawImage(device), str(path)).hive.why_not_replayable()
    assert reason is not None
    assert "SYSTEM.LOG1 consists of holes" in reason


def test_a_folder_that_lies_in_itself_twice_is_looked_into_once() -> None:
    device, volume = ntfs()
    for name in ("first", "second"):
        volume.create_directory(f"Gaps/{name}")
    with volume._store.edit():
        directory = Directory(find_file(volume._store, "Gaps"))
        reference = directory.file.reference.to_bytes(8, "little")
        inside = {find_file(volume._store, f"Gaps/{name}").reference for name in ("first", "second")}
        node = directory.index.root_node()
        assert node.entries[0].node is not None, "a tree with a block below its root"
        block = directory.index.node(node.entries[0].node)
        changed = [
            entry._replace(body=reference + entry.body[8:])
            if int.from_bytes(entry.body[:8], "little") in inside and not entry.is_last
            else entry
            for entry in block.entries
        ]
        assert changed != block.entries
        block.entries = changed
        IndexEditor(directory.index)._write(block)
    files = NtfsFileSystem(device, 0)
    assert sum(entry.is_directory for entry in files.entries("Gaps")) == 2
    assert len(files.entries(r"Gaps\first\second\first")) == len(files.entries("Gaps"))

    with bounded():
        found = list(matches(files, ["Gaps", "**"]))

    names = [entry.name for entry in files.entries("Gaps") if not entry.is_directory]
    assert sorted(path for path, _ in found) == sorted(f"Gaps\\{name}" for name in names)
