"""What a scan costs: images a second on one process and on two, and against dissect.target's target-query.

Run in an environment where vmrescue and dissect.target are installed: ``python benchmarks/scan.py [IMAGES]``. Every
image is a file of its own, a copy of one sample; each row is measured three times in turn with the others, and the best
counts: what disturbs a measurement only ever makes it slower. target-query is asked for less than a diagnosis tells,
host name and version, in one process for all images; its start is counted, ours is not.

Processor time tells what the clock cannot on a machine with other work: what an image costs the workers, and what it
costs the one process that hands out and gathers. With that, two processors are faster than one by a factor of at most
two workers' time for an image, divided by what the image costs all of them.
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
from typing import TYPE_CHECKING, NamedTuple

import vmrescue
from vmrescue import diagnosis
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


class Cost(NamedTuple):
    """Seconds by the clock, of processor in the gathering process, and of processor in all others."""

    clock: float
    gathering: float
    working: float


def spread(images: list[Path], pool: ProcessPoolExecutor | None) -> Cost:
    """A scan. A pool's processes are there already: a fleet is longer than their start."""
    clock, own, others = time.perf_counter(), time.process_time(), workers_time(pool)
    assert all(result.healthy for result in vmrescue.scan(images, pool))
    return Cost(time.perf_counter() - clock, time.process_time() - own, workers_time(pool) - others)


def workers_time(pool: ProcessPoolExecutor | None) -> float:
    """Seconds of processor that a pool's processes have had so far: proc_pid_stat(5), utime and stime."""
    ticks = 0
    for process in pool._processes if pool else ():
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def target_query(images: list[Path]) -> Cost:
    """target-query, with its start."""
    command = [str(Path(sys.executable).with_name("target-query")), "-q", "-f", "hostname,version"]
    clock, before = time.perf_counter(), os.times()
    subprocess.run([*command, *map(str, images)], check=True, capture_output=True)
    after = os.times()
    children = after.children_user + after.children_system - before.children_user - before.children_system
    return Cost(time.perf_counter() - clock, 0.0, children)


def main(count: int) -> None:
    with (
        tempfile.TemporaryDirectory() as name,
        ProcessPoolExecutor(1, get_context("spawn")) as one,
        ProcessPoolExecutor(2, get_context("spawn")) as two,
    ):
        images = copies(Path(name), count)
        diagnosis.diagnose(images[0])  # what is imported is not what is measured
        for pool in (one, two):
            spread(images[:8], pool)
        rows: dict[str, Callable[[], Cost]] = {
            "in this process": lambda: spread(images, None),
            "1 process": lambda: spread(images, one),
            "2 processes": lambda: spread(images, two),
            "target-query": lambda: target_query(images),
        }
        costs: dict[str, list[Cost]] = {label: [] for label in rows}
        for _ in range(ROUNDS):
            for label, measure in rows.items():
                costs[label].append(measure())
    best = {label: Cost(*map(min, zip(*rounds, strict=True))) for label, rounds in costs.items()}
    print(f"{count} images ({SAMPLE}), {os.cpu_count()} processors, best of {ROUNDS}; processor time for each image")
    print(f"{'':18}{'seconds':>10}{'images/s':>10}{'working':>10}{'gathering':>11}")
    for label, (clock, gathering, working) in best.items():
        times = f"{working / count * 1000:>7.1f} ms{gathering / count * 1000:>8.1f} ms"
        print(f"{label:18}{clock:>10.2f}{count / clock:>10.1f}{times}")
    one_process, two_processes, query = best["1 process"], best["2 processes"], best["target-query"]
    most = 2 * one_process.working / (two_processes.working + two_processes.gathering)
    print(f"2 processes against 1: {one_process.clock / two_processes.clock:.2f} times as fast", end="")
    print(f"; by processor time, {most:.2f} times where both processors are free")
    print(f"1 process against target-query: {query.clock / one_process.clock:.1f} times as fast", end="")
    print(f"; by processor time {query.working / (one_process.working + one_process.gathering):.1f} times")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
