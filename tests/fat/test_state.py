from __future__ import annotations

import pytest

from fat.volumes import KINDS, new_volume
from vmrescue.fat import FatVolume

TABLE = {16: 4 * 512, 32: 32 * 512}


@pytest.mark.parametrize("bits", KINDS)
def test_a_new_volume_is_clean(bits: int) -> None:
    _, volume = new_volume(bits)
    assert (volume.state.name, volume.state.reasons) == ("clean", [])


@pytest.mark.parametrize(("bits", "position"), [(12, 0x25), (16, 0x25), (32, 0x41)])
def test_the_boot_sectors_flags_make_a_volume_dirty(bits: int, position: int) -> None:
    device, _ = new_volume(bits)
    device.data[position] |= 0x03
    state = FatVolume(device).state
    assert state.name == "dirty"
    assert state.reasons == [
        "the boot sector says that the volume was not dismounted cleanly",
        "the boot sector asks for a test of the disk's surface",
    ]


@pytest.mark.parametrize("bits", [16, 32])
def test_the_tables_flags_make_a_volume_dirty(bits: int) -> None:
    device, volume = new_volume(bits)
    start = int.from_bytes(device.read_at(14, 2), "little") * 512
    top = start + 2 * bits // 8 - 1  # the last byte of entry 1
    device.data[top] &= 0x3F if bits == 16 else 0xF3
    assert volume.state.name == "dirty"
    assert volume.state.reasons == [
        "the allocation table says that the volume was not dismounted cleanly",
        "the allocation table says that the last mount met disk errors",
    ]


def test_an_edit_leaves_the_flags_as_they_are() -> None:
    device, _ = new_volume(32)
    device.data[0x41] = 1
    volume = FatVolume(device)
    volume.create_file("a", b"content")
    assert volume.read_file("a") == b"content"
    assert FatVolume(device).state.name == "dirty"
    assert volume.check() == []
