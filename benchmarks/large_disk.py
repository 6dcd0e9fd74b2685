"""What a diagnosis of a 127 GB disk costs, here and with what else the field has, in one run and one table.

Run as root, in an environment where ``.[test]`` is installed:
``PYTHONPATH=tests:images python benchmarks/large_disk.py [--files N] [--rounds N]``. The disk is a fixed VHD with a
GPT, 100,000 files and a real SYSTEM hive; it takes 200 MB below the temporary folder and a minute to make.

The peers are asked for less than a diagnosis tells: dissect.target for host name and version; the mount (vhdimount,
ntfs-3g) and libguestfs for the hive and the boot store, of which hivexsh prints six values, and for the free space. A
peer that is not installed is left out. All take their turns, round by round; medians are shown, and the median of the
ratios to vmrescue in the same round. Bytes, reads and memory are the kernel's counts for a command with all that it
starts: reads of its own program and libraries count, so that the rows "in process" are those that tell of the image.

LIBGUESTFS_BACKEND_SETTINGS=force_tcg is wanted where there is no KVM: libguestfs then emulates a processor.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import NamedTuple
from uuid import UUID

import large
from support.real_data import sdist_file
from support.real_disk import OS_GUID

OURS = "vmrescue diagnose"
OURS_INSIDE = "vmrescue.diagnose()"

# Runs a command, which must end with a certain status, and prints seconds by the clock and of processor, bytes, reads
# and the largest process's memory (KiB).
# As a subreaper (prctl(2)) it also waits for servers that a command leaves behind, and so is told what they took.
MEASURE = """
import ctypes, os, resource, subprocess, sys, time

def io():
    with open("/proc/self/io") as stream:
        fields = dict(line.split(": ") for line in stream)
    return int(fields["rchar"]), int(fields["syscr"])

ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER
before, clock = io(), time.perf_counter()
done = subprocess.run(sys.argv[2:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
clock = time.perf_counter() - clock
if done.returncode != int(sys.argv[1]):
    sys.exit(f"status {done.returncode}: {done.stderr.decode()}")
try:
    while True:
        os.wait()
except ChildProcessError:
    usage, after = resource.getrusage(resource.RUSAGE_CHILDREN), io()
print(clock, usage.ru_utime + usage.ru_stime, after[0] - before[0], after[1] - before[1], usage.ru_maxrss)
"""

# Measures an act inside a process in which all that it imports is there, because it was done once before.
INSIDE = """
import resource, sys, time
{imports}

def io():
    with open("/proc/self/io") as stream:
        fields = dict(line.split(": ") for line in stream)
    return int(fields["rchar"]), int(fields["syscr"])

def act():
    {act}

act()
before, clock, cpu = io(), time.perf_counter(), time.process_time()
act()
clock, cpu, after = time.perf_counter() - clock, time.process_time() - cpu, io()
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(clock, cpu, after[0] - before[0], after[1] - before[1], memory)
"""
DISSECT = """
    target = Target.open(sys.argv[1])
    target.hostname, target.version
"""

VALUES = r"""hivexsh {system} <<'END'
cd \Select
lsval Current
cd \ControlSet001\Control\CrashControl
lsval
cd \ControlSet001\Control\Session Manager\Memory Management
lsval PagingFiles
END
hivexsh {store} <<'END'
cd \Objects
ls
END
"""
MOUNT = f"""set -e
mkdir vhd os
vhdimount "$0" vhd
device=$(losetup --find --show --read-only --offset {large.OS[0]} --sizelimit {large.OS[1]} vhd/vhdi1)
ntfs-3g -o ro "$device" os
df os
mcopy -n -i vhd/vhdi1@@{large.ESP[0]} ::/EFI/Microsoft/Boot/BCD BCD
{VALUES.format(system="os/Windows/System32/config/SYSTEM", store="BCD")}
umount os
losetup --detach "$device"
umount vhd
"""
GUESTFISH = f"""set -e
guestfish --ro --format=raw -a "$0" run : mount-ro /dev/sda3 / : statvfs / : \\
    download /Windows/System32/config/SYSTEM SYSTEM : umount / : \\
    mount-ro /dev/sda1 / : download /EFI/Microsoft/Boot/BCD BCD
{VALUES.format(system="SYSTEM", store="BCD")}
"""


class Cost(NamedTuple):
    """Seconds by the clock and of processor; bytes read, reads; KiB of the largest process."""

    wall: float
    cpu: float
    read: float
    reads: float
    memory: float


def measure(command: list[str]) -> Cost:
    """Runs a measuring program in an empty folder. Python may keep what it compiles, as it does for every user."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{command[3:]}: {done.stderr}")
    return Cost(*map(float, done.stdout.split()))


def commands(image: Path) -> dict[str, list[str]]:
    """The measuring program for each row; the whole processes first."""
    beside = Path(sys.executable).parent
    whole = {
        OURS: [str(beside / "vmrescue"), "diagnose", str(image)],
        "target-query": [str(beside / "target-query"), "-q", "-f", "hostname,version", str(image)],
        "vhdimount, ntfs-3g, hivexsh": ["bash", "-c", MOUNT, str(image)],
        "libguestfs, hivexsh": ["bash", "-c", GUESTFISH, str(image)],
    }
    needed = {"vhdimount, ntfs-3g, hivexsh": "vhdimount", "libguestfs, hivexsh": "guestfish"}
    inside = {
        OURS_INSIDE: INSIDE.format(imports="import vmrescue", act="vmrescue.diagnose(sys.argv[1])"),
        "dissect.target": INSIDE.format(imports="from dissect.target import Target", act=DISSECT.strip()),
    }
    return {
        name: [sys.executable, "-c", MEASURE, "1" if name == OURS else "0", *command]
        for name, command in whole.items()
        if name not in needed or shutil.which(needed[name])
    } | {name: [sys.executable, "-c", code, str(image)] for name, code in inside.items()}


def table(costs: dict[str, list[Cost]]) -> None:
    heads = ("wall s", "cpu s", "x wall", "x cpu", "MB read", "reads", "peak MB")
    print(f"{'':30}" + "".join(f"{head:>10}" for head in heads))
    inside = False
    for name, rounds in costs.items():
        if name == OURS_INSIDE:
            inside = True
            print("in process")
        ours = costs[OURS_INSIDE if inside else OURS]
        pairs = list(zip(rounds, ours, strict=True))
        wall, cpu, read, reads, memory = (median(column) for column in zip(*rounds, strict=True))
        walls, cpus = (median(getattr(a, part) / getattr(b, part) for a, b in pairs) for part in ("wall", "cpu"))
        print(
            f"{name:30}{wall:>10.3f}{cpu:>10.3f}{walls:>10.1f}{cpus:>10.1f}{read / 1e6:>10.2f}{reads:>10.0f}"
            f"{memory / 1024:>10.1f}"
        )


def main(files: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "large.vhd"
        large.build(image, files, sdist_file("dissect.regf", "tests/_data/SYSTEM.gz"), UUID(OS_GUID))
        measures = commands(image)
        for command in measures.values():
            measure(command)  # not counted: files come into the cache, libguestfs builds its machine
        costs: dict[str, list[Cost]] = {name: [] for name in measures}
        for _ in range(rounds):
            for name, command in measures.items():
                costs[name].append(measure(command))
        print(f"127 GB fixed VHD, {files} files, {os.cpu_count()} processors, median of {rounds} rounds")
        table(costs)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description="What a diagnosis of a 127 GB disk costs.")
    options.add_argument("--files", type=int, default=100_000)
    options.add_argument("--rounds", type=int, default=7)
    given = options.parse_args()
    main(given.files, given.rounds)
