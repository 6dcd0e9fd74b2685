"""What vmrescue's commands cost, beside other programs that do the same, in one run and one table.

Run as root, in an environment where ``.[test]`` is installed, with hivex, mkntfs, ntfs-3g and sgdisk:
``PYTHONPATH=tests:images python -m benchmarks``. Each row is a whole command as a user gives it: its start, its checks,
its backup, its journal. Each peer does the same edit, without checks and without a way back. Processor time is what the
operating system counts for a command and all that it starts, so that other work on the machine disturbs it less than
the clock, though not nothing. Ours and the peer take turns; medians are shown.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import defrag, peers
from benchmarks.disks import LISTED, Disk, foreign, own, system_hive
from benchmarks.measured import Cost, cost, in_turns, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

LEFT = 0, 1  # a command that did its work, and perhaps left findings
VALUE = r"HKLM\SYSTEM\CurrentControlSet\Control\CrashControl"
PAGE_FILE = r"\pagefile.sys"


class Row(NamedTuple):
    """A command, and the peer's that does the same. `{}` in a word is the image's path.

    `before`: a command that is made first and not counted; `edits`: whether each run needs a fresh copy.
    """

    title: str
    command: Sequence[str]
    peer: Sequence[str] = ()
    edits: bool = False
    before: Sequence[str] = ()


def vmrescue(*words: str) -> list[str]:
    return [str(Path(sys.executable).parent / "vmrescue"), *words]


def on_disk(files: int) -> list[Row]:
    """The rows for a disk; `files` are in its large folder."""
    delete = vmrescue("rm", "{}:3", PAGE_FILE, "--yes")
    set_value = vmrescue("reg", "{}", "add", VALUE, "/v", "AutoReboot", "/t", "REG_DWORD", "/d", "0", "/f", "--yes")
    return [
        Row("diagnose", vmrescue("diagnose", "{}"), [sys.executable, "-c", peers.DISSECT, "{}"]),
        Row("repair, with the page file", vmrescue("repair", "{}", "--yes"), edits=True),
        Row("rm pagefile.sys", delete, [*peers.DELETE, "{}"], edits=True),
        Row("undo of that", vmrescue("undo", "{}"), edits=True, before=delete),
        Row("reg add, one value", set_value, [*peers.SET_VALUE, "{}"], edits=True),
        Row("expand --size 256G --dry-run", vmrescue("expand", "{}", "--size", "256G", "--dry-run")),
        Row("cleanup --list", vmrescue("cleanup", "{}", "--list")),
        Row(
            f"ls of {LISTED:,} entries",
            vmrescue("ls", "{}:3", f"listed {LISTED}"),
            [*peers.mounted(f"ls -l 'os/listed {LISTED}'"), "{}"],
        ),
        Row(
            f"ls of {files:,} entries",
            vmrescue("ls", "{}:3", f"listed {files}"),
            [*peers.mounted(f"ls -l 'os/listed {files}'"), "{}"],
        ),
    ]


def on_hive() -> list[Row]:
    """The rows for a real SYSTEM hive of 11.4 MB, as a file."""
    set_value = vmrescue("reg", "{}", "add", VALUE, "/v", "AutoReboot", "/t", "REG_DWORD", "/d", "0", "/f", "--yes")
    return [
        Row("reg add, one value", set_value, [*peers.SET_VALUE_IN_HIVE, "{}"], edits=True),
        Row("reg query /s", vmrescue("reg", "{}", "query", r"HKLM\SYSTEM", "/s"), [*peers.WALK_HIVE, "{}"]),
    ]


def measured(row: Row, disk: Disk, rounds: int) -> tuple[Cost, Cost | None]:
    """What a row costs, ours and the peer's."""

    def act(command: Sequence[str], statuses: Sequence[int]) -> Callable[[], Cost]:
        def run() -> Cost:
            path = str(disk.path if row.edits else disk.built)
            if row.edits:
                disk.fresh()
            if row.before:
                cost([word.replace("{}", path) for word in row.before], LEFT)
            return cost([word.replace("{}", path) for word in command], statuses)

        return run

    acts = [act(row.command, LEFT)]
    if row.peer:
        acts.append(act(row.peer, (0,)))
    ours, *peer = in_turns(acts, rounds)
    return ours, peer[0] if peer else None


def heading(title: str, last: str = "the peer's") -> None:
    heads = ("cpu s", "wall s", "peak MB", f"{last}", "x cpu", "peak MB")
    print(f"\n{title} ({load()})\n{'':34}" + "".join(f"{head:>11}" for head in heads), flush=True)


def line(title: str, ours: Cost, peer: Cost | None = None, last: str = "") -> None:
    text = f"{title:34}{ours.cpu:>11.3f}{ours.wall:>11.3f}{ours.memory / 1e6:>11.1f}{last:>11}"
    if peer:
        text = text.rstrip() + f"{peer.cpu:>11.3f}{ours.cpu / max(peer.cpu, 1e-3):>11.1f}{peer.memory / 1e6:>11.1f}"
    print(text, flush=True)


def compare(title: str, rows: Sequence[Row], disk: Disk, rounds: int) -> None:
    heading(title)
    for row in rows:
        line(row.title, *measured(row, disk, rounds))


def grow(folder: Path, sizes: Sequence[int], rounds: int) -> None:
    """How the cost of edits grows with the number of files."""
    heading("with more files: cpu, beside the row above", "for a file")
    last: dict[str, tuple[int, float]] = {}
    for size in sizes:
        disk = foreign(folder, size)
        for row in on_disk(0)[1:3]:
            ours, _ = measured(Row(row.title, row.command, edits=True), disk, rounds)
            before, cpu = last.get(row.title, (0, 0.0))
            more = f"{1e6 * (ours.cpu - cpu) / (size - before):.1f} us" if before else ""
            line(f"{row.title}, {size:,} files", ours, last=more)
            last[row.title] = size, ours.cpu
        disk.built.unlink()
        disk.path.unlink(missing_ok=True)


@contextmanager
def work_folder(kept: Path | None) -> Iterator[Path]:
    if kept:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--files", type=int, default=100_000, help="small files of the disk")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--sizes", default="1000,10000,100000", help="files of the disks that show how it grows")
    options.add_argument("--only", choices=("disk", "own", "hive", "sizes", "defrag"), help="one part of the table")
    options.add_argument("--folder", type=Path, help="where disks are made, and found again by a later run")
    given = options.parse_args()
    if missing := [name for name in ("hivexsh", "mkntfs", "ntfs-3g", "sgdisk") if not shutil.which(name)]:
        sys.exit(f"not installed: {', '.join(missing)}")
    wanted = (given.only,) if given.only else ("disk", "own", "hive", "sizes", "defrag")
    with work_folder(given.folder) as folder:
        if "disk" in wanted:
            kept = folder / f"{given.files}.vhd"
            disk = Disk(kept) if kept.exists() else foreign(folder, given.files, (LISTED, given.files))
            title = f"127 GB, {given.files:,} files and a folder of as many more, made by mkntfs and ntfs-3g"
            compare(title, on_disk(given.files), disk, given.rounds)
        if "own" in wanted:
            compare("127 GB, 2,000 files made by vmrescue", on_disk(0)[1:4], own(folder), given.rounds)
        if "hive" in wanted:
            hive = Disk(folder / "SYSTEM")
            hive.built.write_bytes(system_hive())
            compare("a real SYSTEM hive, 11.4 MB, as a file", on_hive(), hive, given.rounds)
        if "sizes" in wanted:
            grow(folder, [int(size) for size in given.sizes.split(",")], given.rounds)
        if "defrag" in wanted:
            heading("defragmented, beside cp of as many files of that size", "cp")
            for title, ours, peer in defrag.cases(folder):
                line(title, ours, peer)


if __name__ == "__main__":
    main()
