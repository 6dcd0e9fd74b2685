"""Whether Windows dismounted a volume, and which edits that allows."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from ntfs.volumes import MIB, SECTOR, cloud_volume, format_volume, formatted, opened, windows_volume
from support.machine import run
from support.memory_device import MemoryDevice
from support.ntfs_judges import mounted
from vmrescue.errors import FormatError, RefusedError, UnsupportedError
from vmrescue.ntfs import NtfsVolume, volume_state

if TYPE_CHECKING:
    from pathlib import Path

RESTART_AREA = 0x30  # in Windows's restart pages
FLAGS = RESTART_AREA + 0x0E
CLIENT = RESTART_AREA + 0x0C


def log_start(data: bytes | bytearray) -> int:
    volume = NtfsVolume(MemoryDevice(data))
    return volume.cluster_offset(volume.file_extents("$LogFile")[0][1])


def volume_with_log(lsn: int, flags: int, client: int, version: tuple[int, int] = (1, 1)) -> bytearray:
    """A volume whose log has restart pages as Windows writes them, closed cleanly; the second is newer."""
    data = bytearray(windows_volume())
    page = log_start(data) + 4096
    major, minor = version
    struct.pack_into("<hh", data, page + 0x1A, minor, major)
    struct.pack_into("<Q", data, page + RESTART_AREA, lsn)
    struct.pack_into("<H", data, page + CLIENT, client)
    struct.pack_into("<H", data, page + FLAGS, flags)
    return data


def marked_dirty(data: bytes | bytearray) -> bytearray:
    """The volume with its dirty flag set: in the attribute of type 0x70 of file record 3."""
    changed = bytearray(data)
    volume = NtfsVolume(MemoryDevice(data))
    record = volume.cluster_offset(volume.file_extents("$MFT")[0][1]) + 3 * 1024
    attribute = changed.index(b"\x70\0\0\0", record, record + 1024)
    changed[attribute + 0x18 + 10] |= 1
    return changed


def test_a_volume_that_windows_closed_is_clean() -> None:
    state = volume_state(MemoryDevice(windows_volume()))
    assert (state.name, state.reasons) == ("clean", [])


def test_a_fresh_volume_with_an_empty_log_is_clean() -> None:
    assert volume_state(MemoryDevice(formatted())).name == "clean"


def test_a_log_of_version_two_is_pending(tmp_path: Path) -> None:
    with opened(cloud_volume(tmp_path / "volume.img")) as volume:
        assert volume.state.name == "log pending"
        assert "version 2.0" in volume.state.reasons[0]


def test_once_ntfsrecover_has_replayed_it_the_log_is_clean(tmp_path: Path) -> None:
    path = cloud_volume(tmp_path / "volume.img")
    run("ntfsrecover", "--kill-fast-restart", path)
    with opened(path) as volume:
        assert volume.state.name == "clean"


NEWER, OLDER = 1 << 60, 1


@pytest.mark.parametrize(
    ("lsn", "flags", "client", "name"),
    [
        (NEWER, 0, 0, "log pending"),
        (NEWER, 2, 0, "clean"),
        (NEWER, 0, 0xFFFF, "clean"),
        (OLDER, 0, 0, "clean"),
    ],
    ids=["in use", "in use but closed", "not in use", "in use once"],
)
def test_the_newer_restart_page_decides(lsn: int, flags: int, client: int, name: str) -> None:
    assert volume_state(MemoryDevice(volume_with_log(lsn, flags, client))).name == name


def test_a_log_with_neither_restart_page_sound_is_pending() -> None:
    data = bytearray(windows_volume())
    for page in (0, 4096):
        data[log_start(data) + page + SECTOR - 2] ^= 1
    state = volume_state(MemoryDevice(data))
    assert state.name == "log pending"
    assert "no sound restart page" in state.reasons[0]


def test_a_torn_restart_page_leaves_the_other_to_decide() -> None:
    data = bytearray(windows_volume())
    data[log_start(data) + SECTOR - 2] ^= 1
    assert volume_state(MemoryDevice(data)).name == "clean"


def test_the_dirty_flag_is_seen_and_does_not_forbid_edits() -> None:
    state = volume_state(MemoryDevice(marked_dirty(windows_volume())))
    assert (state.name, state.reasons) == ("dirty", ["the volume is marked as dirty"])
    state.check_metadata()


@pytest.mark.parametrize("signature", [b"hibr", b"HIBR", b"wake"])
def test_a_sleeping_windows_forbids_everything(tmp_path: Path, signature: bytes) -> None:
    path = format_volume(tmp_path / "volume.img")
    content = signature.ljust(MIB, b"\0")
    with mounted(path, writable=True) as folder:
        (folder / "hiberfil.sys").write_bytes(content)
        (folder / "other").write_bytes(bytes(MIB))
    before = path.read_bytes()

    with opened(path, writable=True) as volume:
        assert volume.state.name == "hibernated"
        with pytest.raises(RefusedError, match="hibernated"):
            volume.write_file("other", b"x" * MIB)

    assert path.read_bytes() == before


def test_a_hibernation_file_that_holds_no_image_forbids_nothing(tmp_path: Path) -> None:
    path = format_volume(tmp_path / "volume.img")
    with mounted(path, writable=True) as folder:
        (folder / "hiberfil.sys").write_bytes(bytes(MIB))
    with opened(path) as volume:
        assert volume.state.name == "clean"
    with mounted(path, writable=True) as folder:
        (folder / "hiberfil.sys").unlink()
        (folder / "hiberfil.sys").mkdir()
    with opened(path) as volume:
        assert volume.state.name == "clean"


def test_a_volume_encrypted_by_bitlocker_is_named_and_not_opened() -> None:
    data = bytearray(formatted())
    data[3:11] = b"-FVE-FS-"
    assert volume_state(MemoryDevice(data)).name == "encrypted"
    with pytest.raises(UnsupportedError, match="BitLocker"):
        NtfsVolume(MemoryDevice(data))


def test_a_log_pending_and_a_dirty_flag_are_both_given_as_reasons() -> None:
    state = volume_state(MemoryDevice(marked_dirty(volume_with_log(NEWER, 0, 0))))
    assert state.name == "log pending"
    assert len(state.reasons) == 2


@pytest.mark.parametrize("number", range(11))
def test_a_lost_record_of_a_system_file_is_damage_as_it_is_to_another_driver(number: int, tmp_path: Path) -> None:
    data = bytearray(formatted())
    volume = NtfsVolume(MemoryDevice(data))
    record = volume.cluster_offset(volume.file_extents("$MFT")[0][1]) + number * 1024
    data[record : record + 1024] = bytes(1024)
    with pytest.raises(FormatError, match=f"file record {number} "):
        volume_state(MemoryDevice(data))
    image = tmp_path / "image"
    image.write_bytes(data)
    assert "ERROR" in run("ntfsresize", "--info", "--force", image, ok=(1,))


def test_a_log_that_is_to_be_replayed_may_mend_a_record(tmp_path: Path) -> None:
    data = bytearray(volume_with_log(lsn=1 << 40, flags=0, client=0, version=(2, 0)))
    volume = NtfsVolume(MemoryDevice(data))
    record = volume.cluster_offset(volume.file_extents("$MFT")[0][1]) + 6 * 1024
    data[record : record + 4] = b"BAAD"
    assert volume_state(MemoryDevice(data)).name == "log pending"


def test_what_is_no_ntfs_volume_has_no_state() -> None:
    with pytest.raises(FormatError, match="boot sector"):
        volume_state(MemoryDevice(bytes(4096)))
