"""A machine of QEMU's, without acceleration: what it prints on its serial port until it switches itself off."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from support.debian_judges import OLDEST_QEMU, PROGRAM, qemu_version
from support.machine import missing, need_tool

if TYPE_CHECKING:
    from pathlib import Path

MACHINE = ("-accel", "tcg", "-M", "q35", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none")
TIME = 900  # seconds; on a quiet machine a guest takes less than a minute
MOST_DISKS = 26  # the root bus has 32 places, and names of disks have one letter


def run_guest(*options: str | Path, memory: int = 512) -> str:
    """Runs a machine until it ends; `memory` in MiB. Returns what it printed on the serial port.

    Raises:
        AssertionError: QEMU ended with an error, or the machine did not end.
    """
    tool = need_tool(PROGRAM)
    if qemu_version() < OLDEST_QEMU:
        missing(f"QEMU before version {OLDEST_QEMU} is no judge (tests/support/debian_judges.py installs a newer one)")
    command = [tool, *MACHINE, "-m", str(memory), "-serial", "stdio", *map(str, options)]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIME)
    except subprocess.TimeoutExpired as error:
        raise AssertionError(f"the guest did not end; it printed: {(error.stdout or b'')[-2000:]!r}") from None
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    return done.stdout.decode("utf-8", "replace")


def disk(
    number: int, image: Path, start: int = 0, size: int | None = None, writable: bool = False, model: str = "virtio-blk"
) -> list[str]:
    """The options for a disk of `size` bytes that begins at byte `start` of a file."""
    file = str(image).replace(",", ",,")
    read_only = "off" if writable else "on"
    backend = f"driver=raw,node-name=disk{number},offset={start},read-only={read_only}"
    backend += f",size={size}" if size is not None else ""
    backend += f",file.driver=file,file.filename={file},file.read-only={read_only},cache.no-flush=on"
    return ["-blockdev", backend, "-device", f"{model},drive=disk{number},bootindex={number + 1}"]
