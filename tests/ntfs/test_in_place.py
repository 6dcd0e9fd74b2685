"""Content of the same size is written where it lies, and nothing else changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ntfs.volumes import SECTOR, cloud_volume, format_volume, opened, windows_volume, write_sparse
from support.memory_device import MemoryDevice
from support.ntfs_judges import all_judges, digest, mounted
from vmrescue.errors import RefusedError
from vmrescue.ntfs import NtfsVolume

if TYPE_CHECKING:
    from pathlib import Path

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
def test_a_compressed_file_is_refused_by_name(name: str) -> None:
    device = MemoryDevice(windows_volume())
    volume = NtfsVolume(device)
    with pytest.raises(RefusedError, match=f"{name}' is compressed"):
        volume.write_file(name, bytes(volume.stat(name).size))
    assert device.writes == []


def test_a_sparse_file_is_refused_by_name(tmp_path: Path) -> None:
    path = format_volume(tmp_path / "volume.img")
    with mounted(path, writable=True) as folder, (folder / "holes").open("wb") as file:
        file.seek(1 << 20)
        file.write(b"end")
    with opened(path, writable=True) as volume:
        assert volume.stat("holes").is_sparse
        assert volume.read_file("holes") == bytes(1 << 20) + b"end"
        with pytest.raises(RefusedError, match="holes' is sparse"):
            volume.write_file("holes", bytes((1 << 20) + 3))


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
