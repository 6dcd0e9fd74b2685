"""How fast files are moved to one piece, beside `cp` of as many files of the same size to the same disk.

The files of the volume lie in pieces: each is written into the holes that every second of many small files left. Ours
is the whole command, with both checks of the volume; cp's copy is on stable storage too when it ends.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measured import Cost, cost

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE = 2 << 30
SLACK = 32 << 20  # bytes left for the file table while the volume is filled
# what is moved: (files, bytes of each, bytes of a piece)
CASES = ((2, 256 << 20, 1 << 20), (400, 1 << 20, 64 << 10), (4000, 32 << 10, 8 << 10))


def run(*command: str | Path) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def build(image: Path, folder: Path, files: int, size: int, piece: int) -> None:
    """A volume that mkntfs and ntfs-3g made, with files in pieces."""
    with image.open("wb") as file:
        file.truncate(SIZE)
    run("mkntfs", "-F", "-Q", "-q", "-p", "0", "-H", "255", "-S", "63", image)
    server = subprocess.Popen(["ntfs-3g", str(image), str(folder), "-o", "no_detach,rw"], stderr=subprocess.DEVNULL)
    while not os.path.ismount(folder):
        time.sleep(0.01)
    chance = random.Random(1)
    holes = 2 * files * size // piece
    (folder / "small").mkdir()
    for number in range(holes):
        (folder / "small" / f"{number}").write_bytes(bytes(piece))
    space = os.statvfs(folder)
    with (folder / "rest").open("wb") as rest:
        os.posix_fallocate(rest.fileno(), 0, space.f_bavail * space.f_frsize - SLACK)
    for number in range(0, holes, 2):
        (folder / "small" / f"{number}").unlink()
    for number in range(files):
        with (folder / f"file {number}").open("wb", buffering=0) as file:
            for _ in range(0, size, piece):
                file.write(chance.randbytes(piece))
    (folder / "rest").unlink()
    run("umount", folder)
    server.wait()


def cases(folder: Path) -> Iterator[tuple[str, Cost, Cost]]:
    """Each case: what it is, with the rates by the clock; what ours costs, and what cp does."""
    image, mount = folder / "volume.img", folder / "mount"
    mount.mkdir(exist_ok=True)
    for files, size, piece in CASES:
        build(image, mount, files, size, piece)
        source, target = folder / "source", folder / "target"
        source.mkdir()
        for number in range(files):
            (source / f"{number}").write_bytes(os.urandom(size))
        os.sync()
        ours = cost([str(Path(sys.executable).parent / "vmrescue"), "defrag", str(image), "--yes"])
        run("ntfsresize", "--info", "--force", "--no-progress-bar", image)
        copied = cost(["bash", "-c", f"cp -r --sparse=never '{source}' '{target}' && sync '{target}'/*"])
        rate, theirs = (files * size / 1e6 / each.wall for each in (ours, copied))
        shown = f"{size >> 20} MB" if size >> 20 else f"{size >> 10} KB"
        yield f"{files} of {shown}: {rate:.0f} MB/s, cp {theirs:.0f}", ours, copied
        run("rm", "-r", image, source, target)
