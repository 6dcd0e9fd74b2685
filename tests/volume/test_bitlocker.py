"""Every form of BitLocker is recognised and named, and nothing on it is written; cryptsetup judges the volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.images import fingerprint
from support.machine import run
from support.memory_device import MemoryDevice
from vmrescue.cli.main import group
from vmrescue.errors import UnsupportedError, VmRescueError
from vmrescue.fat import FatVolume
from vmrescue.ntfs import NtfsVolume, volume_state
from vmrescue.volume import identify
from volume.bitlocker import (
    CLEAR_KEY,
    DECRYPTED,
    ENCRYPTED,
    MIB,
    NORMAL,
    RECOVERY_PASSWORD,
    SWITCHING,
    TPM,
    USED_SPACE_ONLY,
    add_metadata,
    cryptsetup_says,
    to_go,
    vista,
    windows_7,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from uuid import UUID


@pytest.fixture
def fat32(tmp_path: Path) -> bytearray:
    path = tmp_path / "fat32.img"
    path.write_bytes(bytes(8 * MIB))
    run("mkfs.vfat", "-F", "32", "-s", "1", path)
    return bytearray(path.read_bytes())


@pytest.mark.parametrize("make", [to_go, windows_7])
@pytest.mark.parametrize("identifier", [NORMAL, USED_SPACE_ONLY])
def test_a_volume_that_cryptsetup_takes_for_bitlocker_is_taken_for_it(
    fat32: bytearray, make: Callable[[bytearray, UUID], None], identifier: UUID
) -> None:
    make(fat32, identifier)
    add_metadata(fat32, ENCRYPTED, ENCRYPTED, TPM, RECOVERY_PASSWORD)
    said = cryptsetup_says(fat32)
    assert f"BITLK type from GUID: {'normal' if identifier == NORMAL else 'encrypt-on-write'}." in said
    assert "Command successful" in said

    assert identify(MemoryDevice(fat32)) == "BitLocker"
    name = "BitLocker To Go" if make is to_go else "BitLocker"
    assert volume_state(MemoryDevice(fat32)).reasons == [f"{name} encrypts the volume"]


@pytest.mark.parametrize("place", [424, 160])
def test_an_identifier_that_cryptsetup_does_not_know_is_none(fat32: bytearray, place: int) -> None:
    (to_go if place == 424 else windows_7)(fat32)
    fat32[place + 4], fat32[place + 5] = fat32[place + 5], fat32[place + 4]  # as it was mistyped once
    assert "unknown" in cryptsetup_says(fat32).lower()
    assert identify(MemoryDevice(fat32)) == ("FAT32" if place == 424 else "BitLocker")  # -FVE-FS- says it as well


def test_a_volume_of_windows_vista_is_named_and_its_state_said(fat32: bytearray) -> None:
    vista(fat32)
    add_metadata(fat32, ENCRYPTED, ENCRYPTED, RECOVERY_PASSWORD, version=1)
    assert "BITLK version 1 is currently not supported" in cryptsetup_says(fat32)  # and so it is told apart
    assert identify(MemoryDevice(fat32)) == "BitLocker"
    encrypts = "BitLocker of Windows Vista encrypts the volume"
    assert volume_state(MemoryDevice(fat32)).reasons == [encrypts]
    add_metadata(fat32, 3, DECRYPTED, CLEAR_KEY, version=1)
    reasons = volume_state(MemoryDevice(fat32)).reasons
    assert reasons[:2] == [encrypts, "it is paused, to be decrypted"]
    assert "suspended" in reasons[2]


@pytest.mark.parametrize(
    ("state", "wanted", "said"),
    [
        (SWITCHING, ENCRYPTED, "it is being converted, to be encrypted"),
        (SWITCHING, DECRYPTED, "it is being converted, to be decrypted"),
        (3, DECRYPTED, "it is paused, to be decrypted"),
        (2, ENCRYPTED, "it is being converted, to be encrypted"),
        (DECRYPTED, DECRYPTED, "it is decrypted"),
    ],
)
@pytest.mark.parametrize("make", [to_go, windows_7])
def test_a_volume_that_is_encrypted_in_part_is_encrypted(
    fat32: bytearray, make: Callable[[bytearray], None], state: int, wanted: int, said: str
) -> None:
    make(fat32)
    add_metadata(fat32, state, wanted, TPM)
    assert identify(MemoryDevice(fat32)) == "BitLocker"
    found = volume_state(MemoryDevice(fat32))
    assert (found.name, found.reasons[1:]) == ("encrypted", [said])


def test_a_volume_whose_protection_is_suspended_says_so_and_is_encrypted_all_the_same(fat32: bytearray) -> None:
    windows_7(fat32)
    add_metadata(fat32, ENCRYPTED, ENCRYPTED, RECOVERY_PASSWORD, CLEAR_KEY)
    assert "VMK protected with clear key" in cryptsetup_says(fat32)
    found = volume_state(MemoryDevice(fat32))
    assert (found.name, "suspended" in found.reasons[1]) == ("encrypted", True)


def test_metadata_that_lie_are_no_more_than_not_understood(fat32: bytearray) -> None:
    windows_7(fat32)
    add_metadata(fat32, SWITCHING, ENCRYPTED, TPM)
    for offset, value in ((64, 0xFFFFFFFF), (64, 0), (112, 0), (112, 0xFFFF)):
        data = bytearray(fat32)
        size = 4 if offset == 64 else 2
        data[MIB + offset : MIB + offset + size] = value.to_bytes(size, "little")
        assert volume_state(MemoryDevice(data)).name == "encrypted"
    for place in (0, 1, len(fat32), 1 << 63):
        fat32[176:184] = place.to_bytes(8, "little")
        assert volume_state(MemoryDevice(fat32)).reasons == ["BitLocker encrypts the volume"]


def test_a_volume_that_was_decrypted_again_is_a_plain_one(fat32: bytearray) -> None:
    plain = bytes(fat32[:512])
    to_go(fat32)
    assert identify(MemoryDevice(fat32)) == "BitLocker"
    fat32[:512] = plain
    assert identify(MemoryDevice(fat32)) == "FAT32"
    FatVolume(MemoryDevice(fat32)).create_file("written", b"content")


def test_nothing_on_bitlocker_to_go_is_read_or_written(fat32: bytearray, tmp_path: Path) -> None:
    to_go(fat32)
    for editor in (FatVolume, NtfsVolume):
        with pytest.raises((UnsupportedError, VmRescueError), match="BitLocker"):
            editor(MemoryDevice(fat32))
    image, source = tmp_path / "to-go.img", tmp_path / "source"
    image.write_bytes(fat32)
    source.write_bytes(b"content")
    before = fingerprint(image)
    for words in (["put", f"{image}:1", source, "NEW.TXT", "--yes"], ["ls", f"{image}:1"], ["rm", f"{image}:1", "X"]):
        with pytest.raises(VmRescueError, match="BitLocker"):
            group([str(word) for word in words], standalone_mode=False)
    assert fingerprint(image) == before
