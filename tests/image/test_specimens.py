"""Disks of Hyper-V, Disk2vhd, Virtual PC and Windows: read as they are known to be, edited as others read it, undone.

`tests/specimens/README.md` says where they are from. ``VMRESCUE_SPECIMENS=FOLDER`` adds those that are not kept there.
"""

from __future__ import annotations

import hashlib
import struct
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from image.test_vhdx import libvhdi
from support.command import vmrescue
from support.images import fingerprint
from support.machine import run
from support.ntfs_judges import all_judges
from support.specimens import DISK2VHD, FILLED, GIVEN, KEPT, WINDOWS, Filled, laid, parents_of
from vmrescue.disk import EditSession, open_disk, undo
from vmrescue.image.copy import content_of

if TYPE_CHECKING:
    from pathlib import Path

NONE = pytest.param("none", marks=pytest.mark.skip("VMRESCUE_SPECIMENS names no folder of Windows' disks"))
OF_WINDOWS = WINDOWS if GIVEN != KEPT else (NONE,)
QEMU = {".vhd": "vpc", ".vhdx": "vhdx"}
SECTOR, VOLUME = 512, 65536  # where the only partition begins, in bytes
KNOWN = ["place,user,password", "bank,joesmith,superrich", "alarm system,-,1234", "treasure chest,-,1111"]
KNOWN += ["uber secret laire,admin,admin"]


def plain(path: Path, content: Filled) -> Path:
    """A raw disk with what a specimen is known to hold."""
    with path.open("wb") as stream:
        for start, end, byte in content.filled:
            stream.seek(start)
            stream.write(bytes([byte]) * (end - start))
        stream.truncate(content.size)
    return path


def digest(path: Path) -> str:
    with closing(open_disk(path)) as disk:
        return content_of(disk, disk.size, disk.read_at)


def edit(path: Path, raw: Path, places: list[int]) -> None:
    """The same edits to a disk, in one session, and to a raw file, by hand."""
    with EditSession(path) as session, raw.open("r+b") as stream:
        for number, at in enumerate(places, 1):
            piece = bytes([number]) * 3 * SECTOR
            session.disk.write_at(at, piece)
            stream.seek(at)
            stream.write(piece)
        session.commit()


def as_qemu_reads_it(path: Path, raw: Path) -> Path:
    options = f"driver={QEMU[path.suffix]},file.filename={path}"
    options += ",force_size_calc=current_size" if path.suffix == ".vhd" else ""
    run("qemu-img", "convert", "--image-opts", "-O", "raw", options, raw)
    return raw


def volume_of(disk: bytes, path: Path) -> Path:
    """The only partition of a disk, as a file."""
    path.write_bytes(disk[VOLUME : VOLUME + int.from_bytes(disk[458:462], "little") * SECTOR])
    return path


def fat_faults(volume: Path) -> list[str]:
    """What fsck.fat says of a volume, but for its last line, which counts the files."""
    return run("fsck.fat", "-n", volume, ok=(0, 1)).splitlines()[:-1]


def after_one_of_the_child(file: bytes, sector: int) -> bool:
    """Whether a differencing VHD has not got this sector, but one before it in the same byte of its bitmap."""
    table, blocks, size = struct.unpack(">Q4xII", file[512 + 16 : 512 + 36])
    start = int.from_bytes(file[table + sector // (size // SECTOR) * 4 :][:4], "big") * SECTOR
    in_block = sector % (size // SECTOR)
    bits = f"{file[start + in_block // 8]:08b}"
    return blocks > 0 and bits[in_block % 8] == "0" and "1" in bits[: in_block % 8]


@pytest.mark.parametrize("name", FILLED)
def test_a_disk_of_others_holds_what_it_is_known_to_hold_and_an_edit_of_it_is_what_qemu_reads(
    name: str, quick_folder: Path
) -> None:
    image, known = laid(name, quick_folder), FILLED[name]
    raw = plain(quick_folder / "known.raw", known)
    before = fingerprint(image)

    assert digest(image) == digest(raw)
    assert fingerprint(image) == before  # a log that is not replayed stays as it is

    ends = [end for _, end, _ in known.filled] or [known.size // 3]
    edit(image, raw, [0, *(end - SECTOR for end in ends), known.size - 3 * SECTOR])
    assert digest(image) == digest(raw)
    assert digest(as_qemu_reads_it(image, quick_folder / "read.raw")) == digest(raw)
    if image.suffix == ".vhdx":
        run("qemu-img", "check", "-f", "vhdx", image)

    undo(image)
    assert fingerprint(image) == before


@pytest.mark.parametrize("name", (*OF_WINDOWS, DISK2VHD) if GIVEN != KEPT else OF_WINDOWS)
def test_a_disk_of_windows_is_read_as_libvhdi_and_qemu_read_it(name: str, tmp_path: Path) -> None:
    image = laid(name, tmp_path)
    with closing(open_disk(image)) as disk:
        content = disk.read_at(0, disk.size)

    judged = libvhdi(image, *(tmp_path / each for each in parents_of(name)))
    odd = [at for at in range(0, len(content), SECTOR) if content[at : at + SECTOR] != judged[at : at + SECTOR]]
    assert not odd or (parents_of(name) and image.suffix == ".vhd")
    for at in odd:  # libvhdi asks the parent for no sector after one of the child's in the same byte of the bitmap
        assert content[at : at + SECTOR] == (tmp_path / parents_of(name)[0]).read_bytes()[at : at + SECTOR]
        assert after_one_of_the_child(image.read_bytes(), at // SECTOR)
    if not parents_of(name):  # QEMU knows no differencing ones
        assert content == as_qemu_reads_it(image, tmp_path / "read.raw").read_bytes()


@pytest.mark.parametrize("name", OF_WINDOWS)
def test_files_that_are_put_on_a_disk_of_windows_are_there_for_others_and_undone(name: str, tmp_path: Path) -> None:
    image, given = laid(name, tmp_path), tmp_path / "given"
    given.write_bytes(bytes(range(256)) * 100)
    lying = [tmp_path / each for each in parents_of(name)]
    before, below = fingerprint(image), [fingerprint(each) for each in lying]
    untouched = libvhdi(image, *lying)
    if "parent" not in name:
        said = vmrescue("cat", image, r"\passwords.txt")
        assert [line.rstrip() for line in said.stdout.splitlines()] == KNOWN

    for path in (r"\new.bin", r"\System Volume Information\new.bin"):
        done = vmrescue("put", image, given, path, "--yes")
        assert done.returncode == 0, done.stderr
    volume = volume_of(libvhdi(image, *lying), tmp_path / "volume")
    if name.startswith("ntfs"):
        tree = all_judges(volume, beside="a_link")
        assert tree["new.bin"] == hashlib.sha256(given.read_bytes()).hexdigest()
    else:
        assert fat_faults(volume) == fat_faults(volume_of(untouched, tmp_path / "was"))
        run("mcopy", "-i", volume, "::new.bin", tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == given.read_bytes()

    for _ in range(2):
        assert vmrescue("undo", image).returncode == 0
    assert fingerprint(image) == before
    assert [fingerprint(each) for each in lying] == below  # and the parents were never written
