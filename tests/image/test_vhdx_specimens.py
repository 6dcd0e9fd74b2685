"""VHDX files that others made, such as Hyper-V and disk2vhd: each reads as QEMU reads a copy of it.

No file of Hyper-V's may be given away with this project. QEMU's sources have some, `tests/qemu-iotests/sample_images/`:
VMRESCUE_VHDX_SPECIMENS names a folder with such files, packed by bzip2 or not. Without it QEMU makes one.
"""

from __future__ import annotations

import bz2
import os
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from support.images import fingerprint
from support.machine import run
from vmrescue.disk import open_disk
from vmrescue.image.copy import content_of

GIVEN = os.environ.get("VMRESCUE_VHDX_SPECIMENS", "")
NAMES = sorted(path.name for path in Path(GIVEN).glob("*.vhdx*")) if GIVEN else ["made by QEMU"]


def specimen(name: str, folder: Path) -> Path:
    image = folder / "specimen.vhdx"
    if not GIVEN:
        (folder / "made.raw").write_bytes(os.urandom(3 << 20) + bytes(5 << 20))
        run("qemu-img", "convert", "-O", "vhdx", folder / "made.raw", image)
    elif name.endswith(".bz2"):
        with bz2.open(Path(GIVEN) / name) as packed, image.open("wb") as stream:
            shutil.copyfileobj(packed, stream)
    else:
        shutil.copy(Path(GIVEN) / name, image)
    return image


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_others_reads_as_qemu_reads_it_and_is_not_touched(name: str, tmp_path: Path) -> None:
    image, plain = specimen(name, tmp_path), tmp_path / "plain.raw"
    before = fingerprint(image)
    copy = shutil.copy(image, tmp_path / "copy.vhdx")  # QEMU replays the log of what it opens
    run("qemu-img", "check", "-r", "all", "-f", "vhdx", copy, ok=(0, 2, 3))
    run("qemu-img", "convert", "-f", "vhdx", "-O", "raw", copy, plain)

    with closing(open_disk(image)) as disk, closing(open_disk(plain)) as judged:
        assert disk.size == judged.size > 0
        assert content_of(disk, disk.size, disk.read_at) == content_of(judged, judged.size, judged.read_at)

    assert fingerprint(image) == before
