"""Disks that others made, with what they are known to hold: those of `tests/specimens/`, and more.

``python3 tests/support/specimens.py FOLDER`` lays those that are not kept here into a folder: with apt, from
the sources of Debian's packages.
"""

from __future__ import annotations

import bz2
import os
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from support.debian_judges import Apt, AptError

if TYPE_CHECKING:
    from collections.abc import Collection

KEPT = Path(__file__).parents[1] / "specimens"
GIVEN = Path(os.environ.get("VMRESCUE_SPECIMENS", KEPT))
MIB = 1 << 20


@dataclass(frozen=True)
class Filled:
    """A disk that holds one byte from a place on up to another, and zeros else.

    Attributes:
        size: of the disk, in bytes.
        filled: (first byte, byte after the last one, the byte that is there), ascending.
    """

    size: int
    filled: tuple[tuple[int, int, int], ...] = ()


# QEMU's tests 064, 070 and 146 tell these contents. Of 146 the size is the one in the footer: QEMU takes the geometry's
# for Virtual PC's, which is 2,080,768 bytes less.
FILLED = {
    "iotest-dynamic-1G.vhdx": Filled(1 << 30, ((0, 33 * MIB, 0xA5), (33 * MIB, 66 * MIB, 0x96))),
    "iotest-dirtylog-10G-4M.vhdx": Filled(10 << 30, ((0, 18 * MIB, 0xA5),)),
    "d2v-zerofilled.vhd": Filled(263_454_720),
    "hyperv2012r2-dynamic.vhd": Filled(136_365_211_648),
    "virtualpc-dynamic.vhd": Filled(136_365_211_648),
}

# dfVFS' own tests tell the files, the same on each that is no parent.
WINDOWS = (
    *("ntfs-fixed.vhd", "ntfs-dynamic.vhd", "ntfs-parent.vhd", "ntfs-differential.vhd"),
    *("fat-parent.vhd", "fat-differential.vhd"),
    *("ntfs-fixed.vhdx", "ntfs-dynamic.vhdx", "ntfs-parent.vhdx", "ntfs-differential.vhdx"),
    *("fat-parent.vhdx", "fat-differential.vhdx"),
)

DISK2VHD = "test-disk2vhd.vhdx"
PACKAGES = {
    "dfvfs": ("trixie", WINDOWS),
    "qemu": ("bookworm", (DISK2VHD,)),
}  # each with a suite, and what is wanted of it


def parents_of(name: str) -> list[str]:
    """The parents of a differencing disk, nearest first."""
    return [name.replace("differential", "parent")] if "differential" in name else []


def laid(name: str, folder: Path) -> Path:
    """A copy of a specimen in a folder, with its holes, and its parents beside it."""
    for each in (name, *parents_of(name)):
        packed = KEPT / f"{each}.bz2"
        content = bz2.decompress(packed.read_bytes()) if packed.exists() else (GIVEN / each).read_bytes()
        with (folder / each).open("wb") as target:
            for at in range(0, len(content), MIB):
                if content.count(0, at, at + MIB) < len(content[at : at + MIB]):
                    target.seek(at)
                    target.write(content[at : at + MIB])
            target.truncate(len(content))
    return folder / name


def fetch(folder: Path) -> list[str]:
    """Lays the disks that are not kept here into a folder; what apt said of each package that is not to be had."""
    said = []
    for package, (suite, names) in PACKAGES.items():
        with tempfile.TemporaryDirectory() as place:
            try:
                Apt(suite, Path(place), "deb-src").run("apt-get", "source", "--tar-only", package, folder=Path(place))
            except AptError as error:
                said.append(str(error))
                continue
            for archive in Path(place).glob("*.orig.tar.*"):
                _lay(archive, names, folder)
    return said


def _lay(archive: Path, names: Collection[str], folder: Path) -> None:
    with tarfile.open(archive) as members:
        for member in members:
            name = Path(member.name).name
            if name.removesuffix(".bz2") in names and (source := members.extractfile(member)):
                content = source.read()
                (folder / name.removesuffix(".bz2")).write_bytes(
                    bz2.decompress(content) if name.endswith(".bz2") else content
                )


if __name__ == "__main__":
    wanted = Path(sys.argv[1])
    wanted.mkdir(parents=True, exist_ok=True)
    sys.exit("\n".join(fetch(wanted)))
