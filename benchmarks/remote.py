"""A diagnosis of a disk behind a URL, beside the same disk at hand: what each request's answer being late costs.

The server is that of the tests, in a process of its own. It answers requests side by side, each so many seconds late;
the bytes themselves come as quickly as this machine copies them. In both cases the disk is scanned in this process,
once before anything is measured, so that no import is counted.
"""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

import large
import vmrescue
from benchmarks.disks import system_hive
from build import mounted
from support.images import sample
from support.real_data import corpus
from support.real_disk import OS_GUID
from vmrescue.registry.base_block import LOG_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vmrescue.fleet.result import ScanResult

DELAY = 0.03  # seconds
CONFIG = "Windows/System32/config"
SERVE = """
import sys
from pathlib import Path
from support.range_server import serving

with serving(Path(sys.argv[1])) as server:
    server.delay = float(sys.argv[2])
    print(server.url, flush=True)
    sys.stdin.read()
"""


class Far(NamedTuple):
    """A diagnosis over the network: its requests, how many one after another, bytes; seconds, and seconds at hand."""

    requests: int
    depth: int
    read: int
    wall: float
    at_hand: float


@contextmanager
def serving(folder: Path, delay: float) -> Iterator[str]:
    """The address under which a process serves a folder, each answer `delay` seconds late."""
    command = [sys.executable, "-c", SERVE, str(folder), str(delay)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.stdin.close()


def dirty(image: Path) -> None:
    """The large disk with a real SYSTEM hive that has logs to replay, of 24 entries."""
    large.build(image, hive=corpus("hives/SYSTEM_B"))
    with large.loop(image, *large.OS) as volume, mounted(volume) as root:
        for suffix in LOG_SUFFIXES[:2]:
            (root / CONFIG / f"SYSTEM{suffix}").write_bytes(corpus(f"hives/SYSTEM_B{suffix}"))


def disks(folder: Path) -> Iterator[tuple[str, Path]]:
    """Each disk with its title; those that a run before this one made are not made again."""
    sample_image, plain, real, with_logs = (
        folder / f"remote-{name}.vhd" for name in ("sample", "plain", "real", "dirty")
    )
    if not sample_image.exists():
        sample("gen2-broken", folder).rename(sample_image)
    yield "the sample gen2-broken", sample_image
    if not plain.exists():
        large.build(plain)
    yield "127 GB", plain
    if not real.exists():
        large.build(real, hive=system_hive(), os_guid=UUID(OS_GUID))
    yield "127 GB, a real SYSTEM hive", real
    if not with_logs.exists():
        dirty(with_logs)
    yield "127 GB, a dirty SYSTEM hive", with_logs


def cases(folder: Path, rounds: int) -> Iterator[tuple[str, Far]]:
    with serving(folder, DELAY) as url:
        for title, image in disks(folder):
            yield title, measured(url + image.name, image, rounds)


def measured(url: str, image: Path, rounds: int) -> Far:
    """The medians. Both take turns, so that other work on the machine disturbs them alike."""
    far: list[tuple[float, ScanResult]] = []
    near: list[tuple[float, ScanResult]] = []
    for number in range(rounds + 1):
        for target, costs in ((url, far), (str(image), near)):
            began = time.perf_counter()
            (result,) = vmrescue.scan([target])
            assert result.diagnosis is not None, result.error
            if number:
                costs.append((time.perf_counter() - began, result))
    found = far[0][1]
    walls = [median(wall for wall, _ in costs) for costs in (far, near)]
    return Far(found.requests, found.depth, found.bytes_read, *walls)
