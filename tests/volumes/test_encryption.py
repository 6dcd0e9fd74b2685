"""A new encryption is a row of the table: reader and editor see the volume in the clear, the disk what is encrypted."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from vmrescue.image import open_disk
from vmrescue.volume import Window
from vmrescue.volumes.disk import Disk
from vmrescue.volumes.encryption import ENCRYPTIONS, Encryption
from volume.disks import MIB, mbr_disk, ntfs_volume

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from vmrescue.device import BlockDevice

START = 1 * MIB
ONE_PARTITION = "label: dos\nstart=2048, size=16384, type=7\n"
EACH_BYTE = bytes(value ^ 0x5A for value in range(256))


class Masked(Window):
    """All of a volume, each byte of it masked on the disk."""

    def __init__(self, volume: BlockDevice) -> None:
        super().__init__(volume, 0, volume.size)

    def read_at(self, offset: int, length: int) -> bytes:
        return super().read_at(offset, length).translate(EACH_BYTE)

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        super().write_at(offset, bytes(data).translate(EACH_BYTE))


ROW = Encryption(lambda device: device.read_at(3, 8).translate(EACH_BYTE) == b"NTFS    ", Masked)


def test_a_volume_behind_a_new_encryption_is_read_and_edited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = ntfs_volume(tmp_path / "volume.raw", "-s", "512", "-p", "2048", "-H", "16", "-S", "63").read_bytes()
    image = mbr_disk(tmp_path / "disk.raw", ONE_PARTITION)
    with image.open("r+b") as stream:
        stream.seek(START)
        stream.write(plain.translate(EACH_BYTE))
    with closing(open_disk(image)) as disk:
        assert Disk(disk, "disk").volumes[0].file_system is None

    monkeypatch.setattr("vmrescue.volumes.encryption.ENCRYPTIONS", [ROW, *ENCRYPTIONS])
    with closing(open_disk(image, writable=True)) as disk:
        volume = Disk(disk, "disk").volumes[0]
        assert volume.file_system == "NTFS"
        volume.editor().create_file("note.txt", b"in the clear")
    with closing(open_disk(image)) as disk:
        assert Disk(disk, "disk").volumes[0].files.open("note.txt").read() == b"in the clear"
    assert b"in the clear" not in image.read_bytes()
    assert b"in the clear".translate(EACH_BYTE) in image.read_bytes()
