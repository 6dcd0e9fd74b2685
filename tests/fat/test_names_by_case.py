"""Names on FAT are compared by Windows' upper case. mtools makes the files and lists what is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fat.volumes import formatted
from support.command import output_of, vmrescue
from support.machine import run
from support.memory_device import MemoryDevice
from vmrescue.errors import UsageError
from vmrescue.fat import FatVolume
from vmrescue.readers.fat.file_system import FatFileSystem

if TYPE_CHECKING:
    from pathlib import Path

FOLDED = ["ss.txt", "ß.txt", "ŉ.txt", "ʼn.txt"]  # noqa: RUF001 - the letter of its own is meant


def put(image: Path, name: str, content: bytes) -> None:
    source = image.with_name("source")
    source.write_bytes(content)
    run("mcopy", "-i", image, source, f"::/{name}", LC_ALL="C.UTF-8")


def left(image: Path) -> set[str]:
    said = run("mdir", "-b", "-i", image, "::/", LC_ALL="C.UTF-8")
    return {line.removeprefix("::/") for line in said.splitlines()}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "fat.img"
    path.write_bytes(formatted(16))
    return path


def test_letters_that_windows_does_not_take_for_one_name_different_files(image: Path) -> None:
    """Python's upper case of a sharp s is two letters."""
    for name in FOLDED:
        put(image, name, name.encode())
    device = MemoryDevice(image.read_bytes())
    for name in FOLDED:
        assert FatFileSystem(device, 0).open(name).read() == name.encode()
        assert FatVolume(device).read_file(name) == name.encode()
        assert FatFileSystem(device, 0).spelled(name) == name
    for name in FOLDED:
        output_of("rm", image, name, "--yes")
        assert left(image) == set(FOLDED[FOLDED.index(name) + 1 :])


@pytest.fixture
def two_alike(image: Path) -> Path:
    """Two long names that differ in case alone: mtools refuses them, so the second is changed in its entry."""
    put(image, "one and the same.txt", b"lower")
    put(image, "ONE AND THE Xame.txt", b"upper")
    changed = bytearray(image.read_bytes())
    at = changed.index("THE X".encode("utf-16-le")[:6])
    assert changed[at : at + 6].decode("utf-16-le") == "THE"
    place = changed.index("X".encode("utf-16-le"), at)
    changed[place : place + 2] = "S".encode("utf-16-le")
    image.write_bytes(changed)
    assert left(image) == {"one and the same.txt", "ONE AND THE Same.txt"}
    return image


def test_of_two_names_that_differ_in_case_the_exact_one_is_meant(two_alike: Path) -> None:
    device = MemoryDevice(two_alike.read_bytes())
    for name, content in (("one and the same.txt", b"lower"), ("ONE AND THE Same.txt", b"upper")):
        assert FatFileSystem(device, 0).open(name).read() == content == FatVolume(device).read_file(name)
    output_of("rm", two_alike, "ONE AND THE Same.txt", "--yes")
    assert left(two_alike) == {"one and the same.txt"}


def test_a_spelling_that_fits_both_is_asked_for(two_alike: Path) -> None:
    device = MemoryDevice(two_alike.read_bytes())
    words = "'ONE AND THE Same.txt' or 'one and the same.txt', which differ only in case"
    with pytest.raises(UsageError, match=words):
        FatFileSystem(device, 0).open("One and the same.txt")
    with pytest.raises(UsageError, match=words):
        FatVolume(device).read_file("One and the same.txt")
    before = two_alike.read_bytes()
    done = vmrescue("rm", two_alike, "One and the same.txt", "--yes")
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert two_alike.read_bytes() == before
