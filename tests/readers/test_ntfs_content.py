"""Files in every kind of storage read as ntfs-3g reads them, on volumes that ntfs-3g made."""

from __future__ import annotations

import gzip
import os
import random
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from commands.here import vmrescue
from ntfs.volumes import comb, format_volume, opened, write_sparse
from support.machine import missing, run_bytes
from support.memory_device import MemoryDevice
from support.ntfs_judges import mounted, structure_judges
from support.real_data import CORPUS
from vmrescue.errors import FormatError
from vmrescue.image.transports.file import FileDevice
from vmrescue.ntfs import NtfsVolume
from vmrescue.ntfs.directory import find_file
from vmrescue.ntfs.structures.attribute import Attribute, Kind
from vmrescue.readers.ntfs.file_system import NtfsFileSystem

if TYPE_CHECKING:
    from collections.abc import Callable

MIB = 1 << 20
UNIT = 65536  # bytes of a compression unit
COMPRESSED = 0x800  # FILE_ATTRIBUTE_COMPRESSED
SIZES = (1, 700, 4095, 4096, 4097, 8192, 61440, UNIT - 1, UNIT, UNIT + 1, UNIT + 4096, UNIT + 8192, 3 * UNIT, 200_000)


def text(size: int) -> bytes:
    return b"".join(b"line %d of a text that packs well\r\n" % number for number in range(size // 30 + 2))[:size]


@cache
def _volume() -> bytes:
    """Files of every kind of storage, made by ntfs-3g."""
    noise = random.Random(18)
    with TemporaryDirectory() as folder:
        path = format_volume(Path(folder) / "volume.img", 12 * MIB)
        with mounted(path, writable=True, more="compression") as root:
            packed = root / "packed"
            packed.mkdir()
            os.setxattr(packed, "system.ntfs_attrib_be", COMPRESSED.to_bytes(4, "big"))
            for size in SIZES:
                (packed / f"text {size}").write_bytes(text(size))
                (packed / f"noise {size}").write_bytes(noise.randbytes(size))
                (packed / f"zeros {size}").write_bytes(bytes(size))
            parts = text(UNIT), noise.randbytes(UNIT), bytes(UNIT), text(UNIT), b"end"
            (packed / "mixed").write_bytes(b"".join(parts))
            with (packed / "grown").open("wb") as file:
                file.write(text(5000))
            with (packed / "grown").open("ab") as file:
                file.write(text(100_000))
            with (root / "holes").open("wb") as file:
                file.write(text(5000))
                file.seek(300_000)
                file.write(noise.randbytes(10_000))
                file.truncate(500_000)
            for size in (0, 1, 600, 80_000):
                (root / f"plain {size}").write_bytes(noise.randbytes(size))
        return path.read_bytes()


def volume_file(path: Path) -> Path:
    return write_sparse(_volume(), path)


def patched(path: Path, name: str, patch: Callable[[Attribute], None]) -> None:
    """Changes the header of a file's data on a volume."""
    with opened(path, writable=True) as volume, volume._store.edit():
        patch(find_file(volume._store, name).get(Kind.DATA))


def initialized(path: Path, name: str, size: int) -> Path:
    """A volume with a file of a smaller initialized size."""

    def patch(data: Attribute) -> None:
        data.initialized_size = size

    patched(volume_file(path), name, patch)
    return path


def read(path: Path, name: str) -> bytes:
    device = FileDevice(path)
    try:
        files = NtfsFileSystem(device, 0)
        whole = files.open(name).read()
        assert files.head(name, 90_000) == (len(whole), whole[:90_000])
        return whole
    finally:
        device.close()


def test_every_kind_of_storage_reads_as_ntfs_3g_reads_it(tmp_path: Path) -> None:
    path = volume_file(tmp_path / "volume.img")
    device = FileDevice(path)
    files = NtfsFileSystem(device, 0)
    with mounted(path) as root:
        names = [found.relative_to(root) for found in root.rglob("*") if found.is_file()]
        whole = {str(name): (root / name).read_bytes() for name in names}
        different = [name for name, content in whole.items() if files.open(name).read() != content]
        heads = [(name, length) for name in whole for length in (0, 1, 4096, 70_000)]
        cut = [each for each in heads if files.head(*each) != (len(whole[each[0]]), whole[each[0]][: each[1]])]
    device.close()
    assert len(names) > 40
    assert different == []
    assert cut == []


@pytest.mark.parametrize(
    ("name", "size"),
    [
        *(("plain 80000", size) for size in (0, 1, 4095, 4096, 5000, 79_999)),
        *(("holes", size) for size in (0, 300_000, 305_000)),
        *((r"packed\mixed", size) for size in (0, 5, UNIT, UNIT + 5000, 3 * UNIT + 17)),
        (r"packed\text 200000", 70_000),
    ],
)
def test_what_was_never_written_reads_as_zeros(name: str, size: int, tmp_path: Path) -> None:
    whole = read(volume_file(tmp_path / "before.img"), name)
    path = initialized(tmp_path / "volume.img", name, size)

    expected = run_bytes("ntfscat", "-f", path, name.replace("\\", "/"))
    assert expected == whole[:size] + bytes(len(whole) - size)
    assert read(path, name) == expected
    assert vmrescue("get", path, name, tmp_path / "out").status == 0
    assert (tmp_path / "out").read_bytes() == expected


def test_the_file_of_the_corpus_with_stale_bytes_behind_its_initialized_size_reads_as_zeros_there(
    tmp_path: Path,
) -> None:
    source = CORPUS / "odd" / "ntfs-initialized-4096-of-80000.img.gz"
    if not source.exists():
        missing("the corpus is not here; set VMRESCUE_CORPUS")
    path = tmp_path / "volume.img"
    path.write_bytes(gzip.decompress(source.read_bytes()))

    content = read(path, "pat.bin")
    assert content == run_bytes("ntfscat", "-f", path, "pat.bin")
    assert any(content[:4096])
    assert not any(content[4096:])


@pytest.mark.parametrize("size", [80_001, 81_920, 1 << 40, (1 << 63) + 5, (1 << 64) - 1])
@pytest.mark.parametrize("name", ["plain 80000", r"packed\text 61440"])
def test_an_initialized_size_beyond_the_size_is_an_error_that_says_where(name: str, size: int, tmp_path: Path) -> None:
    path = initialized(tmp_path / "volume.img", name, size)
    place = header_place(path, name)

    with pytest.raises(FormatError, match="initialized size") as caught:
        read(path, name)
    assert caught.value.position == place + 0x38
    done = vmrescue("cat", path, name)
    assert (done.status, done.out) == (3, "")
    with opened(path) as volume, pytest.raises(FormatError, match="initialized"):
        volume.read_file(name)


def header_place(path: Path, name: str) -> int:
    with opened(path) as volume:
        return find_file(volume._store, name).get(Kind.DATA).position


@pytest.mark.parametrize("content", ["zeros behind", "anything"])
def test_a_file_that_is_replaced_is_initialized_as_far_as_it_was_written(content: str, tmp_path: Path) -> None:
    path = initialized(tmp_path / "volume.img", "plain 80000", 5000)
    data = text(80_000) if content == "anything" else text(4000) + bytes(76_000)
    with opened(path, writable=True) as volume:
        volume.write_file("plain 80000", data)
        assert volume.check() == []

    structure_judges(path)
    assert run_bytes("ntfscat", "-f", path, "plain 80000") == data == read(path, "plain 80000")


def test_a_file_of_which_a_piece_is_missing_is_not_read_as_if_it_were_whole(tmp_path: Path) -> None:
    """dissect puts extents after each other, and its reader ends where the clusters end."""
    path = volume_file(tmp_path / "volume.img")

    def later(data: Attribute) -> None:
        data.lowest_vcn, data.highest_vcn = data.lowest_vcn + 1, data.highest_vcn + 1

    def longer(data: Attribute) -> None:
        data.data_size = data.initialized_size = 200_000

    for patch, said in ((later, "clusters from 0 on"), (longer, "within a size of at most 81920 bytes")):
        patched(volume_file(path), "plain 80000", patch)
        with pytest.raises(FormatError, match=said):
            read(path, "plain 80000")


def test_a_file_of_many_extents_in_many_records_reads_as_ntfs_3g_reads_it(tmp_path: Path) -> None:
    path, size = format_volume(tmp_path / "volume.img"), 4096
    with opened(path, writable=True) as volume:
        comb(volume)
    with mounted(path, writable=True) as root:
        (root / "pieces").write_bytes(random.Random(4).randbytes(500 * size))
    with opened(path) as volume:
        assert len(find_file(volume._store, "pieces").extents(Kind.DATA)) > 1

    patch_at = 250 * size + 17
    expected = run_bytes("ntfscat", "-f", path, "pieces")
    assert read(path, "pieces") == expected
    with opened(path, writable=True) as volume, volume._store.edit():
        find_file(volume._store, "pieces").get(Kind.DATA).initialized_size = patch_at
    assert read(path, "pieces") == expected[:patch_at] + bytes(500 * size - patch_at)
    assert run_bytes("ntfscat", "-f", path, "pieces") == read(path, "pieces")


def test_names_that_a_directory_no_longer_holds_are_not_listed_from_blocks_that_are_free(tmp_path: Path) -> None:
    path = format_volume(tmp_path / "volume.img")
    with mounted(path, writable=True) as root:
        (root / "d").mkdir()
        for number in range(300):
            (root / "d" / f"file {number:03} with a name").write_bytes(b"")
        for number in range(300):
            if number not in (1, 250):
                (root / "d" / f"file {number:03} with a name").unlink()
        names = sorted(found.name for found in (root / "d").iterdir())

    device = MemoryDevice(path.read_bytes())
    assert [entry.name for entry in NtfsFileSystem(device, 0).entries("d")] == names
    assert [info.name for info in NtfsVolume(device).list("d")] == names
