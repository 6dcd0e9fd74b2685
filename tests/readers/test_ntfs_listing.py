"""What a listing reads directly from records is what dissect's objects say: real volumes, and damaged ones."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from ntfs.test_check import sound
from ntfs.test_plain_record import bitten
from ntfs.volumes import MIB, formatted, windows_volume
from support.memory_device import MemoryDevice
from support.ntfs_judges import mounted
from vmrescue.errors import VmRescueError
from vmrescue.readers.ntfs import file_system
from vmrescue.readers.ntfs.file_system import NtfsFileSystem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    import pytest

    from vmrescue.readers.file_system import Entry


def listed(volume: bytes) -> list[object]:
    """All fields of every file and folder, or what kept a folder from being read."""
    found: list[object] = []
    try:
        files, folders = NtfsFileSystem(MemoryDevice(volume), 0), [""]
    except VmRescueError as error:
        return [str(error)]
    while folders and len(found) < 2000:
        folder = folders.pop()
        try:
            for entry in files.entries(folder):
                found.append((folder, vars(entry)))
                if entry.is_directory and not entry.is_link:
                    folders.append(f"{folder}\\{entry.name}".lstrip("\\"))
        except VmRescueError as error:
            found.append((folder, str(error)))
    return found


def by_objects(table: BinaryIO, size: int, wanted: Iterable[tuple[int, str]]) -> Iterator[Entry | None]:
    return (None for _ in wanted)


def test_files_are_listed_as_their_records_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "volume.img"
    path.write_bytes(formatted(16 * MIB))
    with mounted(path, writable=True) as folder:
        for number in range(100):
            (folder / f"file {number}").write_bytes(bytes(number * 90))
            (folder / f"link {number}").hardlink_to(folder / f"file {number}")
        (folder / "symbolic").symlink_to("file 1")
        with (folder / "sparse").open("wb") as file:
            file.truncate(5 * MIB)
    chance, whole = Random(24), sound()
    volumes = [path.read_bytes(), whole, windows_volume(), *(bitten(whole, chance) for _ in range(3))]
    quick = [listed(volume) for volume in volumes]
    monkeypatch.setattr(file_system, "described", by_objects)
    for number, volume in enumerate(volumes):
        assert quick[number] == listed(volume), number
    assert sum(map(len, quick)) > 3000
