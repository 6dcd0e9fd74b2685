"""A fleet: a folder of many images, some sound, some broken, some no disks at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from support.images import sample

if TYPE_CHECKING:
    from pathlib import Path


def fleet(folder: Path, count: int) -> list[Path]:
    """`count` images; of every twenty, two are healthy, two broken, the others cut short, empty, text, or missing.

    They are links to a few files: what is read is the same, and a thousand fit into any test's folder.
    """
    originals = folder / "originals"
    originals.mkdir()
    sound = [sample(name, originals) for name in ("gen2-healthy", "gen2-broken")]
    cut = sample("gen1-broken", originals)
    os.truncate(cut, 100 << 20)
    (originals / "empty.vhd").touch()
    (originals / "text.vhd").write_text("no disk image\n" * 100)
    odd = [cut, originals / "empty.vhd", originals / "text.vhd"]
    images = []
    for number in range(count):
        image = folder / f"vm-{number:04}.vhd"
        kind = number % 20
        if kind < 4:
            image.hardlink_to(sound[kind % 2])
        elif kind < 16:
            image.hardlink_to(odd[kind % 3])
        images.append(image)
    return images
