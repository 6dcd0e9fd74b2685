"""What a command costs, with all that it starts, as the operating system counts it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Runs a command, which must end with one of some statuses. As a subreaper (prctl(2)) it also waits for servers that the
# command leaves behind, such as a mount's, and is told what they took. Prints seconds by the clock and of processor,
# bytes read, and the largest process's memory (KiB).
MEASURE = """
import ctypes, os, resource, subprocess, sys, tempfile, time

def read():
    with open("/proc/self/io") as stream:
        return int(dict(line.split(": ") for line in stream)["rchar"])

ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER
before, clock = read(), time.perf_counter()
errors = tempfile.TemporaryFile()
done = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors)
_, status, _ = os.wait4(done.pid, 0)
clock = time.perf_counter() - clock
if os.waitstatus_to_exitcode(status) not in map(int, sys.argv[1].split(",")):
    errors.seek(0)
    sys.exit(f"status {os.waitstatus_to_exitcode(status)}: {errors.read().decode()}")
try:
    while True:
        os.wait()
except ChildProcessError:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(clock, usage.ru_utime + usage.ru_stime, read() - before, usage.ru_maxrss)
"""


class Cost(NamedTuple):
    """Seconds by the clock and of processor; bytes read; bytes of the largest process."""

    wall: float
    cpu: float
    read: float
    memory: float


def cost(command: Sequence[str], statuses: Sequence[int] = (0,)) -> Cost:
    """Runs a command in an empty folder. Python may keep what it compiles, as it does for every user.

    Ends this program with what the command said, if it ends with another status.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    measuring = [sys.executable, "-c", MEASURE, ",".join(map(str, statuses)), *command]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(measuring, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{command}: {done.stderr}")
    wall, cpu, read, memory = map(float, done.stdout.split())
    return Cost(wall, cpu, read, memory * 1024)


def middle(costs: Sequence[Cost]) -> Cost:
    """The median of each figure."""
    return Cost(*map(median, zip(*costs, strict=True)))


def in_turns(acts: Sequence[Callable[[], Cost]], rounds: int) -> list[Cost]:
    """The median cost of each act. They take turns, so that other work on the machine disturbs all alike."""
    found: list[list[Cost]] = [[] for _ in acts]
    for _ in range(rounds):
        for act, costs in zip(acts, found, strict=True):
            costs.append(act())
    return [middle(costs) for costs in found]


def load() -> str:
    """The machine and what else it does, in words: the mean number of processes that ran in the last minute."""
    return f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}"
