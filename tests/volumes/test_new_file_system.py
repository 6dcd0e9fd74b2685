"""A new file system is a module and a row: its files are read, and its state is told, like those of the others."""

from __future__ import annotations

import io
from contextlib import closing
from types import SimpleNamespace
from typing import TYPE_CHECKING

from vmrescue.errors import NotFoundError
from vmrescue.image import open_disk
from vmrescue.volume.state import StateName, VolumeState
from vmrescue.volumes.disk import Disk
from vmrescue.volumes.file_systems import FILE_SYSTEMS
from volume.disks import MIB, mbr_disk

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from vmrescue.device import BlockDevice

START, SECTOR = 1 * MIB, 512
ONE_PARTITION = "label: dos\nstart=2048, size=16384, type=7\n"
BOOT_SECTOR = b"\xeb\x76\x90EXFAT   " + bytes(SECTOR - 13) + b"\x55\xaa"
GEOMETRY = {"sector size": SECTOR}


class OneFile:
    """The reader of a file system that has one file: the volume's second sector."""

    geometry = GEOMETRY

    def __init__(self, device: BlockDevice, position: int) -> None:
        self._device = device

    def open(self, path: str) -> io.BytesIO:
        if path != "only.txt":
            raise NotFoundError(f"there is no file {path}")
        return io.BytesIO(self._device.read_at(SECTOR, SECTOR))

    def size_of(self, path: str) -> int | None:
        return SECTOR if path == "only.txt" else None


ROW = SimpleNamespace(
    TITLE="exFAT",
    read=OneFile,
    look=OneFile,
    geometry=lambda device: GEOMETRY,
    state=lambda device: VolumeState(StateName.CLEAN, []),
)


def test_a_volume_of_a_new_file_system_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = mbr_disk(tmp_path / "disk.raw", ONE_PARTITION)
    with image.open("r+b") as stream:
        stream.seek(START)
        stream.write(BOOT_SECTOR + b"written by another program".ljust(SECTOR, b"."))
    with closing(open_disk(image)) as disk:
        assert not Disk(disk, "disk").volumes[0].readable

    monkeypatch.setitem(FILE_SYSTEMS, "exFAT", ROW)
    with closing(open_disk(image)) as disk:
        volume = Disk(disk, "disk").volumes[0]
        assert volume.readable
        assert volume.files.open("only.txt").read().startswith(b"written by another program")
        assert volume.files.size_of("other.txt") is None
        assert volume.state.name is StateName.CLEAN
