"""Plays the faults of this folder, and prints a table: ``python -m tests.faults [NAME ...]``.

With ``--update`` the recordings (`expect.json`, `expect.txt`) are made anew, to be reviewed as a difference of git; a
play that is not as the recipe expects by hand is told, and not recorded. With ``--keep FOLDER NAME`` the disk is only
made, and left there. Needs root, as the tests do.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "images")]  # as pyproject.toml tells pytest

from support.fault import load, names  # noqa: E402
from support.fault_play import keep, make, must_be_as_recorded, play, rescue  # noqa: E402
from vmrescue.errors import FormatError  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.fault import Fault

    Deed = Callable[[Fault, Path], str]


def compared(fault: Fault, folder: Path) -> str:
    """Plays it, and holds it to its recipe and to its recordings."""
    must_be_as_recorded(fault, play(fault, folder))
    return "holds"


def updated(fault: Fault, folder: Path) -> str:
    """Plays it, holds it to its recipe, and records it."""
    return "recorded" if keep(fault, play(fault, folder)) else "as before"


def rescued(fault: Fault, folder: Path) -> str:
    rescue(fault, folder)
    return "holds"


def done(deed: Deed, fault: Fault) -> tuple[str, str]:
    """What came of it, and what differs."""
    with tempfile.TemporaryDirectory(prefix="vmrescue-fault-") as folder:
        try:
            return deed(fault, Path(folder)), ""
        except (AssertionError, FormatError) as error:  # a file that is not read says so by its name
            return "differs", str(error) or "an assertion does not hold"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    deeds = parser.add_mutually_exclusive_group()
    deeds.add_argument("--keep", type=Path, metavar="FOLDER", help="only make the disk, in this folder")
    deeds.add_argument("--rescue", action="store_true", help="rescue each disk instead of repairing it")
    deeds.add_argument("--update", action="store_true", help="write expect.json and expect.txt anew")
    chosen = parser.parse_args()
    if chosen.keep and len(chosen.names) != 1:
        parser.error("--keep makes one disk: name one fault, and give each a folder of its own")
    if os.geteuid():
        parser.error("a fault is made with loop devices and mounts, which need root")
    wanted = chosen.names or names()
    if unknown := set(wanted) - set(names()):
        parser.error(f"there is no fault {min(unknown)}")
    if chosen.keep:
        print(make(load(wanted[0]), chosen.keep))
        return 0
    deed = updated if chosen.update else rescued if chosen.rescue else compared
    failed = 0
    for name in wanted:
        began = time.monotonic()
        word, differs = done(deed, load(name))
        failed += bool(differs)
        print(f"{word:9} {time.monotonic() - began:5.1f} s  {name}", flush=True)
        if differs:
            print(differs)
    print(f"{len(wanted) - failed} of {len(wanted)} hold")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
