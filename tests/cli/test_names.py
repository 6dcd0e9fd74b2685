"""Names that Windows could not open are not made; those that other systems have made are read and deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fat.volumes import new_volume as new_fat
from ntfs.volumes import new_volume as new_ntfs
from support.command import output_of, vmrescue
from support.images import fingerprint
from support.machine_disk import mounted_ntfs
from vmrescue.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.fat import FatVolume
    from vmrescue.ntfs import NtfsVolume

GEN1_OS = 33 << 20, 606 << 20
NO_NAMES = [
    "aux", "AUX", "con.txt", "Con.tar.gz", "nul ", "prn .x", "COM1", "com9.log", "LPT3", "com\u00b9", "LPT\u00b3.x",
    "CONIN$", "conout$", "dot.", "blank ", "a<b", "a>b", 'a"b', "a|b", "a?b", "a*b", "a:b", "a\nb", "a\x1fb", ".", "..",
]  # fmt: skip
NAMES = ["auxiliary", "con-text", "xcon.txt", "COM10", "com", "lptx", ".con", "nul_", " leading", "a.b.c", "com\u2074"]


def volumes() -> tuple[NtfsVolume, FatVolume]:
    return new_ntfs()[1], new_fat(16)[1]


@pytest.mark.parametrize("name", NO_NAMES)
def test_no_file_and_no_folder_gets_a_name_that_windows_cannot_open(name: str) -> None:
    for volume in volumes():
        before = {info.name for info in volume.list()}
        with pytest.raises(UsageError):
            volume.create_file(name, b"x")
        with pytest.raises(UsageError):
            volume.create_directory(name)
        assert {info.name for info in volume.list()} == before


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_only_looks_like_a_device_is_a_name(name: str) -> None:
    for volume in volumes():
        volume.create_file(name, b"x")
        assert volume.read_file(name) == b"x"


def test_put_says_why_a_name_is_none(gen1_broken: Path, tmp_path: Path) -> None:
    source, before = tmp_path / "source", fingerprint(gen1_broken)
    source.write_bytes(b"x")
    done = vmrescue("put", gen1_broken, source, r"C:\Windows\con.txt", "--yes")
    assert (done.returncode, "the device CON" in done.stderr) == (2, True), done.stderr
    assert fingerprint(gen1_broken) == before


def test_what_another_system_has_called_so_is_read_and_deleted(gen1_broken: Path) -> None:
    names = ["aux", "con.txt", "dot.", "blank ", "a*b", 'q"?']
    with mounted_ntfs(gen1_broken, *GEN1_OS, writable=True) as root:
        (root / "odd").mkdir()
        for name in names:
            (root / "odd" / name).write_bytes(name.encode())
    for name in names:
        assert output_of("cat", gen1_broken, f"C:\\odd\\{name}") == name
        output_of("rm", gen1_broken, f"C:\\odd\\{name}", "--yes", "--quiet")
    with mounted_ntfs(gen1_broken, *GEN1_OS) as root:
        assert list((root / "odd").iterdir()) == []
