"""Reader, editor and judges agree on the kind of a FAT volume and on the names of its files."""

from __future__ import annotations

import gzip
import struct
from typing import TYPE_CHECKING

import pytest

from fat.volumes import mtools_tree
from support.machine import missing, run, run_bytes
from support.memory_device import MemoryDevice
from support.real_data import CORPUS
from vmrescue.cli.main import group
from vmrescue.errors import FormatError, UnsupportedError
from vmrescue.fat import FatVolume
from vmrescue.readers.fat.file_system import FatFileSystem
from vmrescue.volume import identify
from vmrescue.volumes.file_systems import must_agree, open_file_system

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MIB = 1 << 20
BITS = "bits of a table's entry"


def odd(name: str) -> bytes:
    """A file of the corpus' folder of oddities."""
    path = CORPUS / "odd" / f"{name}.img.gz"
    if not path.exists():
        missing(f"the corpus is not here ({path.name}); set VMRESCUE_CORPUS")
    return gzip.decompress(path.read_bytes())


def formatted(path: Path, size: int, *options: str) -> Path:
    with path.open("wb") as image:
        image.truncate(size)
    run("mkfs.vfat", *options, path)
    return path


def seen_by_sleuthkit(image: Path) -> dict[str, bytes]:
    """The files of a FAT32 volume by sleuthkit, which is told the kind; mtools goes by the number of clusters."""
    listed = [line.split(":\t") for line in run("fls", "-f", "fat32", "-F", "-r", "-p", image).splitlines()]
    return {
        name: _content(image, place.split()[-1])
        for place, name in listed
        if "Volume Label" not in name and name[0] != "$"
    }


def _content(image: Path, number: str) -> bytes:
    return run_bytes("icat", "-f", "fat32", image, number)


def files_of(volume: FatFileSystem) -> dict[str, bytes]:
    return {path: content for path, content in seen_by_reader(volume) if content is not None}


def seen_by_reader(volume: FatFileSystem, folder: str = "") -> Iterator[tuple[str, bytes | None]]:
    for entry in volume.entries(folder):
        path = f"{folder}/{entry.name}".lstrip("/")
        yield path, None if entry.is_directory else volume.open(path).read()
        if entry.is_directory:
            yield from seen_by_reader(volume, path)


@pytest.mark.parametrize("size", [2, 5, 20])  # MiB: 4,000 to 40,000 clusters, which FAT12 and FAT16 would have
def test_a_fat32_volume_of_few_clusters_is_read_and_edited_as_fat32(size: int, tmp_path: Path) -> None:
    image = formatted(tmp_path / "volume.img", size * MIB, "-F", "32", "-s", "1", "-n", "SMALL")
    device = MemoryDevice(image.read_bytes())
    assert identify(device) == "FAT32"
    assert FatVolume(device).kind == "FAT32"
    source = tmp_path / "source"
    source.write_bytes(bytes(range(256)) * 40)
    for name in ("first.txt", "A long name.bin"):
        group(["put", f"{image}:1", str(source), name, "--yes", "-q"], standalone_mode=False)
    assert "differ" not in run("fsck.vfat", "-n", image)

    reader = FatFileSystem(MemoryDevice(image.read_bytes()), 0)
    assert reader.label == "SMALL"
    assert dict(seen_by_reader(reader)) == dict.fromkeys(("first.txt", "A long name.bin"), source.read_bytes())
    assert seen_by_sleuthkit(image) == files_of(reader)


def test_a_fat32_volume_of_25546_clusters_is_listed(tmp_path: Path) -> None:
    image = tmp_path / "volume.img"
    image.write_bytes(odd("fat32-25546-clusters"))
    reader = FatFileSystem(MemoryDevice(image.read_bytes()), 0)
    assert [entry.name for entry in reader.entries("")] == ["EFI"]
    assert files_of(reader) == seen_by_sleuthkit(image) != {}


@pytest.mark.parametrize(("clusters", "kind"), [(4084, "FAT12"), (4085, None), (4086, None), (4087, "FAT16")])
def test_a_volume_that_windows_and_others_count_differently_is_not_guessed_at(
    clusters: int, kind: str | None, tmp_path: Path
) -> None:
    data = bytearray(formatted(tmp_path / "volume.img", 3 * MIB, "-F", "12", "-s", "2").read_bytes())
    data[13] = 1  # sectors in a cluster
    (reserved,), (entries,) = struct.unpack_from("<H", data, 14), struct.unpack_from("<H", data, 17)
    struct.pack_into("<H", data, 22, 17)  # sectors of a table: room for so many clusters of 16 bits
    struct.pack_into("<H", data, 19, reserved + 2 * 17 + entries * 32 // 512 + clusters)
    openers: list[Callable[[MemoryDevice], object]] = [
        lambda device: FatVolume(device).kind,
        lambda device: f"FAT{open_file_system(device, 'FAT16', 0).geometry[BITS]}",
    ]
    for kind_of in openers:
        if kind is None:
            with pytest.raises(UnsupportedError, match="FAT12 to Windows and FAT16 to others"):
                kind_of(MemoryDevice(data))
        else:
            assert kind_of(MemoryDevice(data)) == kind


def test_reader_and_editor_that_see_two_volumes_are_noticed() -> None:
    same = {"cluster size": 512, "number of clusters": 100}
    must_agree("FAT volume", 1 << 20, same, dict(same))
    with pytest.raises(FormatError, match="one number of clusters to editor and reader, found 100 and 99"):
        must_agree("FAT volume", 1 << 20, same, same | {"number of clusters": 99})


def test_short_names_are_shown_in_the_case_that_their_entries_say(tmp_path: Path) -> None:
    image = tmp_path / "volume.img"
    image.write_bytes(odd("fat12-lowercase-83-names"))
    names = [entry.name for entry in FatFileSystem(MemoryDevice(image.read_bytes()), 0).entries("")]
    assert names == ["subdir"]
    assert "subdir " in run("mdir", "-i", image, "::/")


@pytest.mark.parametrize("bits", ["12", "16", "32"])
def test_each_part_of_a_short_name_has_its_own_case(bits: str, tmp_path: Path) -> None:
    image = formatted(tmp_path / "volume.img", 20 * MIB if bits == "16" else 2 * MIB, "-F", bits, "-s", "1")
    device = MemoryDevice(image.read_bytes())
    volume = FatVolume(device)
    names = ["LOWER.txt", "base.EXT", "both.low", "UPPER.CAP", "noext", "Mixed.Txt"]
    for name in names:
        volume.create_file(name, name.encode())
    image.write_bytes(device.data)
    reader = FatFileSystem(MemoryDevice(device.data), 0)
    expected = {name: name.encode() for name in names}
    assert dict(seen_by_reader(reader)) == expected
    if bits != "32":  # of so few clusters, mtools has another opinion
        assert mtools_tree(device.data, tmp_path) == {f"/{name}": content for name, content in expected.items()}
    for name in names:
        assert reader.open(name.upper()).read() == reader.open(name.lower()).read() == name.encode()

    volume.write_file("both.low", b"of another length")  # what is replaced keeps its name's case
    volume.delete("noext")
    reader = FatFileSystem(MemoryDevice(device.data), 0)
    assert sorted(path for path, _ in seen_by_reader(reader)) == sorted({*names} - {"noext"})
    assert reader.open("BOTH.LOW").read() == b"of another length"


def test_a_long_name_that_belongs_to_another_entry_is_shown_by_neither(tmp_path: Path) -> None:
    device = MemoryDevice(formatted(tmp_path / "volume.img", 2 * MIB, "-F", "12").read_bytes())
    FatVolume(device).create_file("A long name.bin", b"content")
    at = device.data.index(b"ALONGN~1BIN")
    device.data[at : at + 11] = b"OTHER   BIN"  # an old system renamed it and left the long name
    reader, editor = FatFileSystem(MemoryDevice(device.data), 0), FatVolume(MemoryDevice(device.data))
    assert [entry.name for entry in reader.entries("")] == ["OTHER.BIN"] == [info.name for info in editor.list()]
    assert reader.size_of("A long name.bin") is None


def test_a_table_that_is_the_only_one_in_use_is_the_one_that_is_read(tmp_path: Path) -> None:
    data = bytearray(formatted(tmp_path / "volume.img", 5 * MIB, "-F", "32", "-s", "1").read_bytes())
    device = MemoryDevice(data)
    FatVolume(device).create_file("file", b"A" * 512 + b"B" * 512)
    data = bytearray(device.data)
    (reserved,), (sectors,) = struct.unpack_from("<H", data, 14), struct.unpack_from("<I", data, 36)
    struct.pack_into("<H", data, 40, 0x80 | 1)  # no mirroring; the second table is in use
    first = reserved * 512
    data[first + 12 : first + sectors * 512] = bytes(sectors * 512 - 12)  # and the first forgotten
    assert FatFileSystem(MemoryDevice(data), 0).open("file").read() == b"A" * 512 + b"B" * 512
    assert FatVolume(MemoryDevice(data)).read_file("file") == b"A" * 512 + b"B" * 512
