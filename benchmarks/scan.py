"""What a scan costs: images a second on one process and on two, and against dissect.target's target-query.

Run in an environment where vmrescue and dissect.target are installed: ``python benchmarks/scan.py [IMAGES]``. Every
image is a file of its own, a copy of one sample; each row is measured three times in turn with the others, and the best
counts: what disturbs a measurement only ever makes it slower. target-query is asked for less than a diagnosis tells,
host name and version, in one process for all images; its start is counted, ours is not.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import vmrescue
from vmrescue import checks
from vmrescue.samples import unpack

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 3
SAMPLE = "gen2-healthy"


def copies(folder: Path, count: int) -> list[Path]:
    original = unpack(SAMPLE, folder / "original.vhd")
    images = [folder / f"vm-{number:04}.vhd" for number in range(count)]
    for image in images:
        subprocess.run(["cp", "--sparse=always", str(original), str(image)], check=True)
    return images


def spread(images: list[Path], pool: ProcessPoolExecutor | None) -> float:
    """Seconds for a scan. A pool's processes are there already: a fleet is longer than their start."""
    begun = time.perf_counter()
    assert all(result.healthy for result in vmrescue.scan(images, pool))
    return time.perf_counter() - begun


def target_query(images: list[Path]) -> float:
    """Seconds for target-query, with its start."""
    command = [str(Path(sys.executable).with_name("target-query")), "-q", "-f", "hostname,version"]
    begun = time.perf_counter()
    subprocess.run([*command, *map(str, images)], check=True, capture_output=True)
    return time.perf_counter() - begun


def main(count: int) -> None:
    with (
        tempfile.TemporaryDirectory() as name,
        ProcessPoolExecutor(1, get_context("spawn")) as one,
        ProcessPoolExecutor(2, get_context("spawn")) as two,
    ):
        images = copies(Path(name), count)
        checks.diagnose(images[0])  # what is imported is not what is measured
        for pool in (one, two):
            spread(images[:8], pool)
        rows: dict[str, Callable[[], float]] = {
            "in this process": lambda: spread(images, None),
            "1 process": lambda: spread(images, one),
            "2 processes": lambda: spread(images, two),
            "target-query": lambda: target_query(images),
        }
        best = dict.fromkeys(rows, float("inf"))
        for _ in range(ROUNDS):
            for label, measure in rows.items():
                best[label] = min(best[label], measure())
    print(f"{count} images ({SAMPLE}), {os.cpu_count()} processors, best of {ROUNDS}")
    print(f"{'':18}{'seconds':>10}{'images/s':>10}")
    for label, seconds in best.items():
        print(f"{label:18}{seconds:>10.2f}{count / seconds:>10.1f}")
    print(f"2 processes against 1: {best['1 process'] / best['2 processes']:.2f} times as fast")
    print(f"1 process against target-query: {best['target-query'] / best['1 process']:.1f} times as fast")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
