"""What it costs to list a boot store from its file: from the start of the process to the last line of output.

``python benchmarks/commands.py [STORE]``, in an environment where vmrescue is installed; without a store, one as
bcdboot makes it. Beside it stands ``hivexregedit --export`` of the same file. The best of several runs counts: the
others tell of the machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from uuid import UUID

from vmrescue.bcd import Format, ObjectType, edits, objects
from vmrescue.bcd.whole_store import empty_store
from vmrescue.registry import Hive
from vmrescue.registry.operations import make

RUNS = 20
GOAL = 0.25  # seconds
LOADERS = 3


def example_store() -> bytes:
    """A boot manager, the well-known objects and a few loaders: about as much as Windows' own store holds."""
    hive = Hive.create("BCD", minor=3)
    make(hive, empty_store())
    guids = [UUID(int=number) for number in range(1, LOADERS + 1)]
    for known in objects.WELL_KNOWN:
        make(hive, edits.create_object(known.guid, known.type))
    for guid in guids:
        make(hive, edits.create_object(guid, ObjectType(0x10200003)))
        for number in range(20):
            make(hive, [edits.set_element(guid, 0x15000030 + number, Format.INTEGER, number)])
    manager = objects.BY_ALIAS["bootmgr"].guid
    make(hive, [edits.set_element(manager, 0x24000001, Format.OBJECT_LIST, tuple(guids))])
    return hive.to_bytes()


def measure(command: list[str]) -> tuple[float, float]:
    """The best wall time and the best processor time of `RUNS` runs, in seconds."""
    walls, processors = [], []
    for _ in range(RUNS):
        before, started = os.times(), time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        walls.append(time.perf_counter() - started)
        after = os.times()
        processors.append(after.children_user + after.children_system - before.children_user - before.children_system)
    return min(walls), min(processors)


def main(store: Path) -> bool:
    ours = [sys.executable, "-m", "vmrescue"]
    commands = {
        "vmrescue bcdedit STORE /enum all": [*ours, "bcdedit", str(store), "/enum", "all"],
        "vmrescue reg STORE query HKLM\\BCD /s": [*ours, "reg", str(store), "query", "HKLM\\BCD", "/s"],
        "hivexregedit --export STORE \\": ["hivexregedit", "--export", str(store), "\\"],
        "python -c pass": [sys.executable, "-c", "pass"],
    }
    print(f"{store.stat().st_size} bytes, best of {RUNS} runs, {os.cpu_count()} processors")
    print(f"{'':40}{'wall s':>10}{'cpu s':>10}")
    best = []
    for name, command in commands.items():
        wall, processor = measure(command)
        best.append(wall)
        print(f"{name:40}{wall:>10.3f}{processor:>10.3f}")
    return best[0] < GOAL


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(folder) / "BCD"
        if len(sys.argv) == 1:
            path.write_bytes(example_store())
        sys.exit(0 if main(path) else 1)
