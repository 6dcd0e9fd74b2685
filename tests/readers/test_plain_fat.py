"""What a diagnosis reads of a FAT volume from its entries is what dissect reads, on sound and on damaged volumes.

VMRESCUE_CAMPAIGN multiplies the number of damaged ones.
"""

from __future__ import annotations

import os
import random
from functools import cache, partial
from typing import TYPE_CHECKING

import pytest

from fat.volumes import new_volume
from readers.test_plain_ntfs import content, said
from support.memory_device import MemoryDevice
from vmrescue.errors import VmRescueError
from vmrescue.readers.fat.file_system import FatFileSystem
from vmrescue.readers.fat.plain import PlainFat

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMES = int(os.environ.get("VMRESCUE_CAMPAIGN", "1"))
FILES = {
    "bootmgr": b"b" * 3000,
    "EFI\\Microsoft\\Boot\\BCD": b"regf" * 5000,
    "EFI\\Microsoft\\Boot\\bootmgfw.efi": b"MZ" * 700,
    "EFI\\A rather long name of a file.log": b"l",
    "EFI\\SHORT.TXT": b"s" * 512,
    "EFI\\nothing.txt": b"",
    "Gr\u00f6\u00dfe.txt": b"g" * 10,
}
ASKED = [*FILES, "EFI", "EFI\\Microsoft", "", "none", "EFI\\none.efi", "bootmgr\\below", "EFI\\A", "EFI\\ARATHE~1.LOG"]

Answers = list[tuple[str, object]]


@cache
def volume(bits: int) -> bytes:
    device, editor = new_volume(bits)
    for path, data in FILES.items():
        parts = path.split("\\")
        for length in range(1, len(parts)):
            if not editor.exists("\\".join(parts[:length])):
                editor.create_directory("\\".join(parts[:length]))
        editor.create_file(path, data)
    return bytes(device.data)


def answers(files: PlainFat | FatFileSystem) -> Iterator[tuple[str, object]]:
    yield "volume", (files.geometry, files.cluster_size, files.total_bytes, files.hidden_sectors)
    yield "label", said(lambda: files.label)
    yield "free", said(lambda: files.free_bytes)
    for path in ASKED:
        yield path, said(partial(files.nature, path))
        yield path, said(partial(files.spelled, path.upper()))
        yield path, said(partial(files.size_of, path.lower()))
        yield path, said(partial(files.head, path, 3000))
        yield path, said(partial(content, files, path))


def both(data: bytes) -> tuple[Answers, Answers]:
    found: list[Answers] = []
    for reader in (PlainFat, FatFileSystem):
        try:
            found.append(list(answers(reader(MemoryDevice(data), 0))))
        except VmRescueError:
            found.append([("volume", "an error")])
    return found[0], found[1]


@pytest.mark.parametrize("bits", [12, 16, 32])
def test_a_volume_reads_the_same(bits: int) -> None:
    plain, full = both(volume(bits))
    assert plain == full
    assert len(plain) > 60


def test_what_is_plain_is_read_without_dissect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PlainFat, "full", property(lambda _: pytest.fail("dissect is asked")))
    files = PlainFat(MemoryDevice(volume(32)), 0)
    assert files.open("EFI\\Microsoft\\boot\\bcd").read() == FILES["EFI\\Microsoft\\Boot\\BCD"]
    assert files.size_of("EFI\\A rather long name of a FILE.log") == 1
    assert files.size_of("EFI\\none") is None


@cache
def used() -> list[int]:
    """The sectors of the volume that are not empty."""
    data, empty = volume(32), bytes(512)
    return [at for at in range(0, len(data), 512) if data[at : at + 512] != empty]


def damaged(chance: random.Random) -> bytes:
    """One to three bytes or numbers changed in what is stored."""
    raw = bytearray(volume(32))
    for _ in range(chance.randint(1, 3)):
        at = min(chance.choice(used()) + chance.randrange(512), len(raw) - 4)
        change = chance.choice([b"\0", b"\xff\xff", b"\xe5", bytes([raw[at] ^ 1 << chance.randrange(8)]), b"\2\0\0\0"])
        raw[at : at + len(change)] = change
    return bytes(raw)


def test_damaged_volumes_read_the_same() -> None:
    chance = random.Random(2034)
    sound, _ = both(volume(32))
    different = 0
    for _ in range(8 * TIMES):
        plain, full = both(damaged(chance))
        assert plain == full
        different += plain != sound
    assert different > 2 * TIMES
