"""Plays the faults of this folder, and prints a table: ``python -m tests.faults [NAME ...]``.

With ``--keep FOLDER NAME`` the disk is only made, and left there. Needs root, as the tests do.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "images")]  # as pyproject.toml tells pytest

from support.fault import Fault, load, names  # noqa: E402


def played(fault: Fault, rescue: bool) -> str:
    """An empty text, or what differs from what the recipe expects."""
    with tempfile.TemporaryDirectory(prefix="vmrescue-fault-") as folder:
        try:
            fault.rescue(Path(folder)) if rescue else fault.play(Path(folder))
        except AssertionError as error:
            return str(error) or "an assertion does not hold"
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--rescue", action="store_true", help="rescue each disk instead of repairing it")
    chosen = parser.parse_args()
    wanted = chosen.names or names()
    if chosen.keep:
        print(load(wanted[0]).make(chosen.keep))
        return 0
    failed = 0
    for name in wanted:
        began = time.monotonic()
        fault = load(name)
        differs = played(fault, chosen.rescue)
        failed += bool(differs)
        print(
            f"{'differs' if differs else 'holds':8} {time.monotonic() - began:5.1f} s  {name}: {fault.recipe['title']}",
            flush=True,
        )
        if differs:
            print(differs)
    print(f"{len(wanted) - failed} of {len(wanted)} hold")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
