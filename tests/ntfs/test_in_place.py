"""Content of the same size is written where it lies, and nothing else changes; what is packed becomes plain."""

from __future__ import annotations

import os
import random
import struct
from pathlib import Path
from typing import Any

import pytest
from dissect.ntfs import NTFS

from ntfs.volumes import SECTOR, cloud_volume, format_volume, opened, windows_volume, write_sparse
from support.machine import run
from support.memory_device import MemoryDevice
from support.ntfs_judges import all_judges, digest, dissect_tree, mounted, mounted_tree, structure_judges
from vmrescue.errors import RefusedError
from vmrescue.ntfs import NtfsVolume
from vmrescue.ntfs.structures.file_name import FileAttribute

HIVE = r"Windows\System32\config\SYSTEM"
CONTENT = bytes(range(256)) * 400


def volume_with_hive(path: Path) -> Path:
    format_volume(path)
    with mounted(path, writable=True) as folder:
        (folder / "Windows/System32/config").mkdir(parents=True)
        (folder / "Windows/System32/config/SYSTEM").write_bytes(CONTENT)
    return path


def test_a_few_bytes_of_a_hive_cost_one_sector(tmp_path: Path) -> None:
    path = volume_with_hive(tmp_path / "volume.img")
    device = MemoryDevice(path.read_bytes())
    volume = NtfsVolume(device)
    changed = bytearray(CONTENT)
    changed[5000:5004] = b"EDIT"

    volume.write_file(HIVE, bytes(changed))

    assert [length for _, length in device.writes] == [SECTOR]
    assert volume.read_file(HIVE) == changed
    path.write_bytes(device.data)
    assert all_judges(path)[HIVE.replace("\\", "/")] == digest(bytes(changed))


def test_the_same_content_is_not_written_again(tmp_path: Path) -> None:
    device = MemoryDevice(volume_with_hive(tmp_path / "volume.img").read_bytes())
    NtfsVolume(device).write_file(HIVE, CONTENT)
    assert device.writes == []


def test_with_the_log_pending_content_is_written_in_place_and_nothing_else(tmp_path: Path) -> None:
    path = cloud_volume(tmp_path / "volume.img")
    name = "System Volume Information/tracking.log"
    with opened(path, writable=True) as volume:
        assert volume.state.name == "log pending"
        content = volume.read_file(name)
        (_, lcn, _), *_ = volume.file_extents(name)
        volume.write_file(name, b"EDITED" + content[6:])
        with pytest.raises(RefusedError, match="log has work to redo"):
            volume.write_file(name, content + b"longer")
        with pytest.raises(RefusedError, match="log has work to redo"):  # it lies in its record, which the log covers
            volume.write_file("System Volume Information/WPSettings.dat", b"x" * 12)
        at = volume.cluster_offset(lcn)

    with path.open("rb") as file:
        file.seek(at)
        assert file.read(SECTOR) == b"EDITED" + content[6:SECTOR]


@pytest.mark.parametrize("name", ["Large.txt", "Random.bin"])
def test_a_part_of_a_compressed_file_is_not_rewritten(name: str) -> None:
    device = MemoryDevice(windows_volume())
    volume = NtfsVolume(device)
    with pytest.raises(RefusedError, match=f"{name}' is compressed"):
        volume.write_parts(name, [(0, b"x")])
    assert device.writes == []


@pytest.mark.parametrize("size", [0, 300, 5000, None, 900_000])
@pytest.mark.parametrize("kind", ["packed/text", "packed/large", "packed/small", "holes", "scattered"])
def test_a_compressed_or_sparse_file_that_gets_another_content_is_a_plain_one(
    kind: str, size: int | None, tmp_path: Path
) -> None:
    """Every judge sees the new content, and no attribute says that it is packed."""
    path = format_volume(tmp_path / "volume.img")
    with mounted(path, writable=True, more="compression") as root:
        (root / "packed").mkdir()
        os.setxattr(root / "packed", "system.ntfs_attrib", struct.pack("<I", FileAttribute.COMPRESSED))
        (root / "packed/text").write_bytes(b"a text " * 20_000)
        (root / "packed/large").write_bytes(b"".join(b"line %d\n" % each for each in range(100_000)))
        (root / "packed/small").write_bytes(b"few")
        with (root / "holes").open("wb") as file:
            file.seek(1 << 20)
            file.write(b"end")
        with (root / "scattered").open("wb") as file:
            for each in range(60):
                file.seek(each * 40_000)
                file.write(b"x" * 5000)
        before = (root / kind).stat().st_size
    data = random.Random(3).randbytes(before if size is None else size)
    with opened(path, writable=True) as volume:
        volume.write_file(kind, data)
        assert not volume.check()
        assert not volume.stat(kind).is_sparse
    structure_judges(path)
    assert mounted_tree(path)[kind] == dissect_tree(path)[kind] == digest(data)
    said = run("ntfsinfo", "-F", f"/{kind}", "-v", path)
    [content] = [part for part in said.split("Dumping attribute ") if part.startswith("$DATA")]
    assert "Attribute flags:\t 0x0000" in content
    with mounted(path) as root:
        (attributes,) = struct.unpack("<I", os.getxattr(root / kind, "system.ntfs_attrib"))
    assert not attributes & (FileAttribute.COMPRESSED | FileAttribute.SPARSE)


@pytest.mark.parametrize("size", [0, 300, 900_000])
@pytest.mark.parametrize("form", ["in clusters", "in the record", "in a WIM file"])
def test_a_file_that_wof_has_compressed_gets_another_content_as_a_plain_one(
    form: str, size: int, tmp_path: Path
) -> None:
    """Every judge sees the new content under each of its names; of the old form no attribute is left."""
    path = format_volume(tmp_path / "volume.img")
    with mounted(path, writable=True, more="streams_interface=windows") as root:
        (root / "System32").mkdir()
        file = root / "System32/winload.efi"
        file.touch()
        os.truncate(file, 1_500_000)
        if form != "in a WIM file":
            length = 700_000 if form == "in clusters" else 200
            Path(f"{file}:WofCompressedData").write_bytes(random.Random(5).randbytes(length))
        Path(f"{file}:other").write_bytes(b"stays")
        os.link(file, root / "linked")
        provider = struct.pack("<IIII", 1, 1 if form == "in a WIM file" else 2, 1, 0)
        value = struct.pack("<IHH", 0x80000017, len(provider), 0) + provider
        os.setxattr(file, "system.ntfs_reparse_data", value)
    assert _index_entry(path, "", "linked").ReparsePointTag == 0x80000017
    data = random.Random(3).randbytes(size)
    with opened(path, writable=True) as volume:
        assert volume.stat("linked").is_reparse_point
        with pytest.raises(RefusedError, match="is a reparse point"):
            volume.write_parts("linked", [(0, b"x")])
        volume.write_file("System32/winload.efi", data)
        assert not volume.check()
        assert not volume.stat("linked").is_reparse_point
    structure_judges(path)
    for tree in (mounted_tree(path), dissect_tree(path)):
        assert tree["System32/winload.efi"] == tree["linked"] == digest(data)
    said = run("ntfsinfo", "-F", "/System32/winload.efi", "-v", path)
    assert "$REPARSE_POINT" not in said
    assert "WofCompressedData" not in said
    for folder, name in (("", "linked"), ("System32", "winload.efi")):
        entry = _index_entry(path, folder, name)
        assert not entry.FileAttributes & (FileAttribute.REPARSE_POINT | FileAttribute.SPARSE)
        assert (entry.ReparsePointTag, entry.FileSize) == (0, size)
    with mounted(path, more="streams_interface=windows") as root:
        assert Path(f"{root}/linked:other").read_bytes() == b"stays"


def _index_entry(path: Path, folder: str, name: str) -> Any:
    """What a folder's index says of a file, as dissect reads it."""
    with path.open("rb") as file:
        found = [each for each in NTFS(file).mft.get(folder or 5).iterdir() if each.attribute.file_name == name]
        return found[0].attribute.attr


def test_a_file_that_lies_elsewhere_is_refused_by_name(tmp_path: Path) -> None:
    with (
        opened(cloud_volume(tmp_path / "volume.img"), writable=True) as volume,
        pytest.raises(RefusedError, match=r"example\.txt' is a reparse point"),
    ):
        volume.write_file("OneDrive/example.txt", b"x")


def test_a_directory_has_no_content(tmp_path: Path) -> None:
    path = write_sparse(windows_volume(), tmp_path / "volume.img")
    with opened(path, writable=True) as volume, pytest.raises(RefusedError, match="is a directory"):
        volume.write_file("Directory", b"x")
