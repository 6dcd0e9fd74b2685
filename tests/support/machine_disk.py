"""Mounting a volume inside a disk image, as root: how a judge gets at it, or a test changes it, without our code."""

from __future__ import annotations

import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from support.machine import need_root, need_tool, run

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def loop_device(image: Path, offset: int = 0, size: int | None = None, writable: bool = False) -> Iterator[str]:
    """Bytes [offset, offset + size) of a file as a loop device."""
    need_root()
    command = [need_tool("losetup"), "--find", "--show", "--offset", str(offset)]
    command += ["--sizelimit", str(size)] if size else []
    command += [] if writable else ["--read-only"]
    done = subprocess.run([*command, str(image)], capture_output=True, text=True, check=True)
    device = done.stdout.strip()
    try:
        yield device
    finally:
        run("losetup", "--detach", device)
        _wait_until_free(device)


def _wait_until_free(device: str) -> None:
    """A device that a mount's server still holds is detached, and its last bytes reach the file, when that lets go."""
    backing = Path("/sys/block") / Path(device).name / "loop/backing_file"
    for _ in range(100):
        if not backing.exists():
            return
        time.sleep(0.05)


def unmount(folder: str | Path) -> None:
    """Unmounts; a folder that something still looks at (an indexer, a shell) is tried again for a while."""
    for _ in range(50):
        if "busy" not in run("umount", folder, ok=(0, 32)):
            return
        time.sleep(0.1)
    run("umount", folder)


@contextmanager
def mounted_ntfs(
    image: Path, offset: int = 0, size: int | None = None, writable: bool = False, more: str = ""
) -> Iterator[Path]:
    """The NTFS volume in a range of a file, mounted with ntfs-3g; `more`: further options."""
    with (
        loop_device(image, offset, size, writable) as device,
        tempfile.TemporaryDirectory(prefix="vmrescue-mount-") as folder,
    ):
        run("ntfs-3g", "-o", ("rw" if writable else "ro") + (f",{more}" if more else ""), device, folder)
        try:
            yield Path(folder)
        finally:
            unmount(folder)
