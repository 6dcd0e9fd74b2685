"""A fleet: a folder of many images, some sound, some broken, some no disks at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from support.images import sample

if TYPE_CHECKING:
    from pathlib import Path


def fleet(folder: Path, count: int, sound: int = 2) -> list[Path]:
    """`count` images; of every twenty, `sound` are sound disks, every other one with findings; one is cut short, four
    are missing, and the others are empty or text.

    They are links to a few files: what is read is the same, and a thousand fit into any test's folder.
    """
    originals = folder / "originals"
    originals.mkdir()
    disks = [sample(name, originals) for name in ("gen2-healthy", "gen2-broken")]
    cut = sample("gen1-broken", originals)
    os.truncate(cut, 100 << 20)
    (originals / "empty.vhd").touch()
    (originals / "text.vhd").write_text("no disk image\n" * 100)
    others = [originals / "empty.vhd", originals / "text.vhd"]
    images = []
    for number in range(count):
        image = folder / f"vm-{number:04}.vhd"
        kind = number % 20
        if kind < sound:
            image.hardlink_to(disks[kind % 2])
        elif kind < 16:
            image.hardlink_to(cut if kind == sound else others[kind % 2])
        images.append(image)
    return images
