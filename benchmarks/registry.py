"""What four tasks with a SYSTEM hive cost here and with the readers and editors that the field has, in one run.

Run in an environment where vmrescue, dissect.regf and regipy are installed, with hivexsh and hivexml on the path:
``PYTHONPATH=tests python benchmarks/registry.py``. Python libraries are measured in process, the best of some runs;
programs as processes, start included. All read the hive from its file. It takes minutes: regipy walks slowly.
"""

from __future__ import annotations

import importlib
import logging
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from dissect.regf import regf

from support.real_data import corpus, sdist_file
from vmrescue.registry import Hive, ValueType, hive_state
from vmrescue.registry.log_new import HEADER
from vmrescue.registry.marvin import marvin32

if TYPE_CHECKING:
    from collections.abc import Callable

# Without annotations, so not for the type checker.
RegipyHive = importlib.import_module("regipy.registry").RegistryHive
apply_transaction_logs = importlib.import_module("regipy.recovery").apply_transaction_logs

CONTROL = r"ControlSet001\Control"
CRASH = rf"{CONTROL}\CrashControl"
MEMORY = rf"{CONTROL}\Session Manager\Memory Management"
TEN_VALUES = [
    ("Select", "Current"),
    ("Select", "Default"),
    ("Select", "LastKnownGood"),
    ("MountedDevices", r"\DosDevices\C:"),
    ("MountedDevices", r"\DosDevices\D:"),
    (MEMORY, "PagingFiles"),
    (MEMORY, "ExistingPageFiles"),
    (CRASH, "CrashDumpEnabled"),
    (CRASH, "DumpFile"),
    (CRASH, "AutoReboot"),
]


def best(act: Callable[[], object], runs: int = 5) -> float:
    """The shortest of some runs, in seconds."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        act()
        times.append(time.perf_counter() - start)
    return min(times)


def process(*command: str | Path, stdin: str = "") -> None:
    subprocess.run(command, input=stdin.encode(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)


def table(task: str, times: dict[str, float]) -> None:
    print(f"\n{task}")
    ours = next(iter(times.values()))
    for name, seconds in times.items():
        print(f"  {name:40}{seconds * 1000:>10.1f} ms{seconds / ours:>9.1f} x")


def ten_values(path: Path) -> None:
    def ours() -> None:
        hive = Hive(path.read_bytes())
        for key, name in TEN_VALUES:
            _ = hive.key(key).value(name).data

    def dissect() -> None:
        with path.open("rb") as stream:
            hive = regf.RegistryHive(stream)
            for key, name in TEN_VALUES:
                _ = hive.open(key).value(name).value

    def regipy() -> None:
        hive = RegipyHive(str(path))
        for key, name in TEN_VALUES:
            _ = hive.get_key("\\" + key).get_value(name)

    script = "".join(f"cd \\{key}\nlsval {name}\n" for key, name in TEN_VALUES)
    times = {"vmrescue": best(ours), "dissect.regf": best(dissect), "regipy": best(regipy)}
    times["hivexsh (process)"] = best(lambda: process("hivexsh", path, stdin=script))
    table("open a hive of 11.4 MB and read ten values", times)


def whole_walk(path: Path) -> None:
    def ours() -> None:
        for key in Hive(path.read_bytes()).walk():
            for value in key.values():
                _ = value.name, value.data

    def dissect() -> None:
        with path.open("rb") as stream:
            waiting = [regf.RegistryHive(stream).root()]
            while waiting:
                key = waiting.pop()
                for value in key.values():
                    _ = value.name, value.value
                waiting.extend(key.subkeys())

    def regipy() -> None:
        for _ in RegipyHive(str(path)).recurse_subkeys(fetch_values=True):
            pass

    times = {"vmrescue": best(ours), "dissect.regf": best(dissect, 2), "regipy": best(regipy, 1)}
    times["hivexml (process)"] = best(lambda: process("hivexml", path), 3)
    table("walk all keys and values of it, with names and data", times)


def edit(path: Path, folder: Path) -> None:
    saved = folder / "saved"

    def ours() -> None:
        hive = Hive(path.read_bytes())
        hive.set_value(CRASH, "CrashDumpEnabled", ValueType.DWORD, 1)
        saved.write_bytes(hive.to_bytes())

    def ours_new() -> None:
        hive = Hive(path.read_bytes())
        hive.set_value(CRASH, "DumpFile", ValueType.EXPAND_SZ, "D:\\" + "long" * 50)
        saved.write_bytes(hive.to_bytes())

    script = f"cd \\{CRASH}\nsetval 1\nNMICrashDump\ndword:1\ncommit {saved}\nquit\n"
    times = {"vmrescue, a number in its place": best(ours), "vmrescue, a string that needs a new cell": best(ours_new)}
    times["hivexsh (process)"] = best(lambda: process("hivexsh", "-w", path, stdin=script))
    table("open it, set one value, save it (the others cannot)", times)


def replay(folder: Path) -> None:
    files = {name: folder / name for name in ("SYSTEM_B", "SYSTEM_B.LOG1", "SYSTEM_B.LOG2")}
    for name, path in files.items():
        path.write_bytes(corpus(f"hives/{name}"))
    data, log1, log2 = (path.read_bytes() for path in files.values())
    hive = Hive(data, [log1, log2])
    assert hive.recovered is not None
    bodies = [body for log in (log1, log2) for body in _bodies(log)]
    restored = folder / "restored"

    def regipy() -> None:
        apply_transaction_logs(*map(str, files.values()), str(restored))

    times = {
        "vmrescue": best(lambda: Hive(data, [log1, log2]), 3),
        "  of that, hashing": best(lambda: [marvin32(body) for body in bodies], 3),
        "regipy": best(regipy, 3),
    }
    table(f"recover a hive of 12.4 MB: {hive.recovered}", times)
    print(f"  the result of vmrescue: {hive_state(hive.to_bytes())}, {len(hive.check())} problems")
    print(f"  the result of regipy:   {hive_state(restored.read_bytes()[:4096])}")


def _bodies(log: bytes) -> list[bytes]:
    bodies, position = [], 512
    while log[position : position + 4] == b"HvLE":
        size = int.from_bytes(log[position + 4 : position + 8], "little")
        bodies.append(log[position + HEADER.size : position + size])
        position += size
    return bodies


def main() -> None:
    logging.disable()  # regipy's words about what it cannot decode
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "SYSTEM"
        path.write_bytes(sdist_file("dissect.regf", "tests/_data/SYSTEM.gz"))
        ten_values(path)
        whole_walk(path)
        edit(path, folder)
        replay(folder)


if __name__ == "__main__":
    main()
