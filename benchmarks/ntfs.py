"""What it costs to delete a 4 GB page file from a 127 GB volume with 100,000 files: here, and through ntfs-3g's mount.

Run as root, in an environment where vmrescue is installed, with ntfs-3g's programs: ``python benchmarks/ntfs.py``.
It needs about 1 GB below the temporary folder. Both delete the same file from copies of one volume. vmrescue's time is
that of a process that opens the volume, deletes and ends, once with Python's start and once without; ntfs-3g's is that
of its server, from the mount to its end. Bytes written are the kernel's count for each process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from resource import struct_rusage

SIZE = 127 << 30
FILES = 100_000
FILES_IN_DIRECTORY = 1000
PAGE_FILE = 4 << 30
RUNS = 3

DELETE = """
import sys, time
from vmrescue.disk import FileDevice
from vmrescue.ntfs import NtfsVolume
start = time.process_time()
device = FileDevice(sys.argv[1], writable=True)
NtfsVolume(device).delete("pagefile.sys")
device.close()
print(time.process_time() - start)
"""


def run(*command: str | Path) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Mount:
    """A volume that ntfs-3g serves; afterwards `usage` is what its server took."""

    def __init__(self, image: Path, folder: Path) -> None:
        self.image = image
        self.folder = folder
        self.usage: struct_rusage

    def __enter__(self) -> Mount:
        command = ["ntfs-3g", str(self.image), str(self.folder), "-o", "no_detach,rw"]
        self.server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        while not os.path.ismount(self.folder):
            time.sleep(0.01)
        return self

    def __exit__(self, *error: object) -> None:
        run("umount", self.folder)
        _, _, self.usage = os.wait4(self.server.pid, 0)
        self.server.returncode = 0


def build(image: Path, folder: Path) -> None:
    """A volume that mkntfs and ntfs-3g made; no line of vmrescue has touched it."""
    with image.open("wb") as file:
        file.truncate(SIZE)
    run("mkntfs", "-F", "-Q", "-q", "-p", "0", "-H", "255", "-S", "63", image)
    with Mount(image, folder):
        with (folder / "pagefile.sys").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, PAGE_FILE)
        for number in range(FILES):
            directory = folder / f"directory {number // FILES_IN_DIRECTORY}"
            directory.mkdir(exist_ok=True)
            (directory / f"file number {number}").write_bytes(b"content")


def ours(image: Path) -> tuple[float, float, float, int]:
    """Wall time, processor time of the process, of it the deletion's; bytes written."""
    start = time.perf_counter()
    process: subprocess.Popen[bytes] = subprocess.Popen(
        [sys.executable, "-c", DELETE, str(image)], stdout=subprocess.PIPE
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    assert process.stdout is not None
    with process.stdout as printed:
        own = float(printed.read())
    return wall, usage.ru_utime + usage.ru_stime, own, usage.ru_oublock * 512


def theirs(image: Path, folder: Path) -> tuple[float, float, float, int]:
    """As `ours`, of ntfs-3g's server from the mount to its end."""
    start = time.perf_counter()
    mount = Mount(image, folder)
    with mount:
        (folder / "pagefile.sys").unlink()
    wall = time.perf_counter() - start
    processor = mount.usage.ru_utime + mount.usage.ru_stime
    return wall, processor, processor, mount.usage.ru_oublock * 512


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "mount").mkdir()
        built, image = folder / "built.img", folder / "copy.img"
        build(built, folder / "mount")
        print(f"delete a {PAGE_FILE >> 30} GB page file from a {SIZE >> 30} GB volume with {FILES} files")
        print(f"{'':12}{'wall s':>10}{'cpu s':>10}{'delete s':>10}{'KB written':>12}")
        for title, delete in (("vmrescue", ours), ("ntfs-3g", lambda image: theirs(image, folder / "mount"))):
            results = []
            for _ in range(RUNS):
                run("cp", "--sparse=always", built, image)
                os.sync()
                results.append(delete(image))
            wall, processor, own, written = min(results)
            print(f"{title:12}{wall:>10.3f}{processor:>10.3f}{own:>10.3f}{written / 1e3:>12.1f}")
            run("ntfsresize", "--info", "--force", "--no-progress-bar", image)


if __name__ == "__main__":
    main()
