"""How fast files are moved to one piece: vmrescue beside `cp` of the same bytes on the same disk, in one run.

Run as root, in an environment where vmrescue is installed, with ntfs-3g's programs: ``python benchmarks/defrag.py``.
It needs about 5 GB below the temporary folder. The files of the volume lie in pieces: each is written into the holes
that every second of many small files left. The wall time is that of the whole command, with Python's start and both
checks of the volume; cp's is until its copy is on stable storage, too. Peak memory is the kernel's count for the
process.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIZE = 4 << 30
SLACK = 32 << 20  # bytes left for the file table while the volume is filled
# what is moved: (files, bytes of each, bytes of a piece)
CASES = ((4, 256 << 20, 1 << 20), (400, 1 << 20, 64 << 10), (4000, 32 << 10, 8 << 10))
CHUNK = 1 << 20


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


def measured(*command: str | Path) -> tuple[float, float, int, bytes]:
    """Wall time, processor time, peak memory in bytes, what was printed."""
    start = time.perf_counter()
    process: subprocess.Popen[bytes] = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout as printed:
        said = printed.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, said


def shown(title: str, count: int, wall: float, processor: float, memory: int) -> None:
    rate = count / wall / 1e6
    print(f"{title:40}{count / 1e6:>9.1f}{wall:>8.2f}{processor:>8.2f}{rate:>8.1f}{memory / 1e6:>9.1f}")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "mount").mkdir()
        image, source, target = folder / "volume.img", folder / "source", folder / "target"
        print(f"{'':40}{'MB':>9}{'wall s':>8}{'cpu s':>8}{'MB/s':>8}{'peak MB':>9}")
        for files, size, piece in CASES:
            build(image, folder / "mount", files, size, piece)
            os.sync()
            words = (sys.executable, "-m", "vmrescue", "defrag", image, "--yes", "--format", "json")
            wall, processor, memory, said = measured(*words)
            done = json.loads(said)
            count = done["bytes_moved"]
            pieces = f"{done['before']['fragments']} -> {done['after']['fragments']} fragments"
            shown(f"vmrescue, {files} files, {pieces}", count, wall, processor, memory)
            run("ntfsresize", "--info", "--force", "--no-progress-bar", image)
            with source.open("wb") as stream:
                for _ in range(0, count, CHUNK):
                    stream.write(os.urandom(CHUNK))
            os.sync()
            copy = f"cp --sparse=never '{source}' '{target}' && sync '{target}'"
            shown("cp, one file of as many bytes", count, *measured("sh", "-c", copy)[:3])
            for path in (image, source, target):
                path.unlink()


if __name__ == "__main__":
    main()
