"""What an image's container costs: the same disk in each, diagnosed.

QEMU makes the containers. vmrescue reads VHD and VHDX itself, QCOW2 by dissect's reader, and QED by a `qemu-nbd` that
it starts, so that this row is the price of QEMU between the disk and a diagnosis.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import large
from benchmarks.disks import foreign

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES = 5000
FIXED = "fixed VHD"
MADE = {
    "dynamic VHDX, blocks of 32 MiB": ("vhdx", "block_size=32M"),
    "dynamic VHDX, blocks of 1 MiB": ("vhdx", "block_size=1M"),
    "QCOW2, by dissect": ("qcow2", "compat=1.1"),
    "QED, by our qemu-nbd": ("qed", "table_size=4"),
}


def images(folder: Path) -> Iterator[tuple[str, Path]]:
    """(title, image) of the disk in each container, the fixed VHD first."""
    fixed = folder / f"{FILES}.vhd"
    if not fixed.exists():
        foreign(folder, FILES)
    yield FIXED, fixed
    for number, (title, (form, option)) in enumerate(MADE.items()):
        image = folder / f"{FILES}-{number}.{form}"
        if not image.exists():
            source = f"driver=raw,size={large.SIZE},file.driver=file,file.filename={fixed}"
            words = ["qemu-img", "convert", "--image-opts", "-O", form, "-o", option, source, str(image)]
            subprocess.run(words, check=True)
        yield title, image
