"""What a diagnosis reads of an NTFS volume from its records is what dissect reads, on sound and on damaged volumes.

VMRESCUE_CAMPAIGN multiplies the number of damaged ones.
"""

from __future__ import annotations

import os
import random
from dataclasses import astuple
from functools import cache, partial
from typing import TYPE_CHECKING

import pytest

from ntfs.volumes import formatted, windows_volume
from readers.test_names_by_case import _volume as volume_of_odd_names
from support.memory_device import MemoryDevice
from vmrescue.errors import VmRescueError
from vmrescue.readers.ntfs.file_system import NtfsFileSystem
from vmrescue.readers.ntfs.plain import PlainNtfs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vmrescue.readers.file_system import Entry, FileSystem

TIMES = int(os.environ.get("VMRESCUE_CAMPAIGN", "1"))
MOST = 40  # paths of a volume
MISSING = ("no such file", "$MFT\\below a file", "Windows\\System32\\none.dll", "\u00e9\u00df")
NTFS_OWN = ("$MFT", "$Bitmap", "$UpCase", "$Extend", "$LogFile", "$Secure")


def said(ask: Callable[[], object]) -> object:
    try:
        return ask()
    except VmRescueError:
        return "an error"


@cache
def paths_of(data: bytes) -> list[str]:
    """Some paths of a volume, as dissect sees it."""
    files = NtfsFileSystem(MemoryDevice(data), 0)
    found, waiting = [""], [""]
    while waiting:
        folder = waiting.pop()
        for entry in files.entries(folder) if folder.count("\\") < 3 else ():
            path = f"{folder}\\{entry.name}".lstrip("\\")
            found.append(path)
            if entry.is_directory and not entry.is_link:
                waiting.append(path)
    return found


def answers(files: PlainNtfs | NtfsFileSystem, paths: list[str]) -> Iterator[tuple[str, object]]:
    yield "volume", (files.geometry, files.cluster_size, files.total_bytes, files.hidden_sectors)
    yield "label", said(lambda: files.label)
    yield "free", said(lambda: files.free_space)
    for path in paths:
        yield path, said(partial(files.nature, path))
        yield path, said(partial(files.spelled, path.upper()))
        yield path, said(partial(files.size_of, path.lower()))
        yield path, said(partial(files.pieces_of, path))
        yield path, said(partial(files.head, path, 3000))
        yield path, said(partial(content, files, path))
        yield path, said(lambda path=path: (entry := files.entry(path)) and all_of(entry))  # type: ignore[misc]
        yield path, said(lambda path=path: [all_of(entry) for entry in files.entries(path)])  # type: ignore[misc]


def all_of(entry: Entry) -> tuple[object, ...]:
    """All that an entry tells: `==` leaves some of it out."""
    return astuple(entry)


def content(files: FileSystem, path: str) -> tuple[bytes, bytes, int, bytes]:
    """Pieces of a file, read in the ways in which callers do."""
    stream = files.open(path)
    first = stream.read(700)
    end = stream.seek(-min(700, stream.seek(0, os.SEEK_END)), os.SEEK_END)
    return first, stream.read(1 << 20), end, stream.read(1)


Answers = list[tuple[str, object]]


def both(data: bytes, paths: list[str]) -> tuple[Answers, Answers]:
    found: list[Answers] = []
    for reader in (PlainNtfs, NtfsFileSystem):
        try:
            found.append(list(answers(reader(MemoryDevice(data), 0), paths)))
        except VmRescueError:
            found.append([("volume", "an error")])
    return found[0], found[1]


@pytest.mark.parametrize("volume", [windows_volume, volume_of_odd_names, formatted], ids=["Windows", "names", "empty"])
def test_a_volume_reads_the_same(volume: Callable[[], bytes]) -> None:
    paths = paths_of(volume())
    some = random.Random(5).sample(paths, min(len(paths), MOST))
    plain, full = both(volume(), [*some, *MISSING, *NTFS_OWN])
    assert plain == full
    assert len(plain) > 60


def test_nearly_all_files_are_read_without_dissect(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    data = volume_of_odd_names()
    paths = [path for path in paths_of(data) if path and "$" not in path]
    files = PlainNtfs(MemoryDevice(data), 0)
    full = files.full
    monkeypatch.setattr(PlainNtfs, "full", property(lambda _: asked.__iadd__([1]) and full))
    assert all(files.nature(path) and files.head(path, 4) for path in paths if files.size_of(path) is not None)
    assert len(paths) > 50
    assert all(files.entry(path) for path in paths)
    assert len(files.entries("names")) > 20
    assert asked == []


def damaged(data: bytes, chance: random.Random) -> bytes:
    """One to three bytes or numbers changed, most of them in records and blocks of indexes."""
    raw = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(raw) - 8)
        if chance.random() < 0.9:
            found = raw.find(chance.choice([b"FILE", b"INDX", b"$\0I\0003\0000\0", b"\x80\0\0\0"]), at)
            at = min(max(found, 0) + chance.randrange(0, 200), len(raw) - 8)
        change = chance.choice([b"\0", b"\xff\xff", bytes([raw[at] ^ 1 << chance.randrange(8)]), bytes(raw[:4])])
        raw[at : at + len(change)] = change
    return bytes(raw)


def test_damaged_volumes_read_the_same() -> None:
    chance, data = random.Random(2033), volume_of_odd_names()
    paths = paths_of(data)
    different = 0
    for _ in range(15 * TIMES):
        some = [*chance.sample(paths, min(len(paths), 8)), "$Bitmap", "none"]
        plain, full = both(damaged(data, chance), some)
        assert plain == full
        different += "an error" in [answer for _, answer in plain]
    assert different > 0
