"""What vmrescue's commands cost, beside other programs that do the same, in one run and one table.

Run as root, in an environment where ``.[test]`` is installed, with hivex, mkntfs, ntfs-3g and sgdisk:
``PYTHONPATH=tests:images python -m benchmarks``. Each row is a whole command as a user gives it: its start, its
checks, its backup, its journal. Each peer does the same edit, without checks and without a way back; ``--older`` adds
an older version of our own. Processor time is what the operating system counts for a command and all that it starts,
so that other work on the machine disturbs it less than the clock, though not nothing. Ours and the peer take turns;
medians are shown.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import containers, defrag, peers, remote
from benchmarks.disks import LISTED, Disk, foreign, own, system_hive
from benchmarks.hives import write_hive
from benchmarks.measured import Cost, cost, in_turns, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

PARTS = ("disk", "listing", "own", "hive", "sizes", "hives", "changes", "defrag", "remote", "containers")
LEFT = 0, 1  # a command that did its work, and perhaps left findings
VALUE = r"HKLM\SYSTEM\CurrentControlSet\Control\CrashControl"
PAGE_FILE = r"\pagefile.sys"


class Row(NamedTuple):
    """A command, and those of peers that do the same. `{}` in a word is the image's path.

    `edits`: whether each run needs a fresh copy; `before`: a command that is made first and not counted.
    """

    title: str
    command: Sequence[str]
    peers: Mapping[str, Sequence[str]] = MappingProxyType({})
    edits: bool = False
    before: Sequence[str] = ()


def vmrescue(*words: str) -> list[str]:
    return [str(Path(sys.executable).parent / "vmrescue"), *words]


def on_disk() -> list[Row]:
    """The rows for a disk."""
    delete = vmrescue("rm", "{}:3", PAGE_FILE, "--yes")
    set_value = vmrescue("reg", "{}", "add", VALUE, "/v", "AutoReboot", "/t", "REG_DWORD", "/d", "0", "/f", "--yes")
    query = [str(Path(sys.executable).with_name("target-query")), "-q", "-f", "hostname,version", "{}"]
    return [
        Row(
            "diagnose",
            vmrescue("diagnose", "{}"),
            {
                "dissect: a script for the values": [sys.executable, "-c", peers.DISSECT, "{}"],
                "target-query: two values": query,
                "mount, hivexsh: six values": [*peers.VALUES, "{}"],
            },
        ),
        Row("repair, with the page file", vmrescue("repair", "{}", "--yes"), edits=True),
        Row("rm pagefile.sys", delete, {"losetup, ntfs-3g, rm": [*peers.DELETE, "{}"]}, edits=True),
        Row("undo of that", vmrescue("undo", "{}"), edits=True, before=delete),
        Row("reg add, one value", set_value, {"losetup, ntfs-3g, hivexregedit": [*peers.SET_VALUE, "{}"]}, edits=True),
        Row("expand --size 256G --dry-run", vmrescue("expand", "{}", "--size", "256G", "--dry-run")),
        Row("cleanup --list", vmrescue("cleanup", "{}", "--list")),
    ]


def of_folders(counts: Sequence[int]) -> list[Row]:
    """The rows for a disk with folders of so many files."""
    return [
        Row(
            f"ls of {count:,} entries",
            vmrescue("ls", "{}:3", f"listed {count}"),
            {"losetup, ntfs-3g, ls -l": [*peers.mounted(f"ls -l 'os/listed {count}'"), "{}"]},
        )
        for count in counts
    ]


def on_hive() -> list[Row]:
    """The rows for a real SYSTEM hive of 11.4 MB, as a file."""
    set_value = vmrescue("reg", "{}", "add", VALUE, "/v", "AutoReboot", "/t", "REG_DWORD", "/d", "0", "/f", "--yes")
    walk = vmrescue("reg", "{}", "query", r"HKLM\SYSTEM", "/s")
    return [
        Row("reg add, one value", set_value, {"hivexsh": [*peers.SET_VALUE_IN_HIVE, "{}"]}, edits=True),
        Row("reg query /s", walk, {"hivexml": [*peers.WALK_HIVE, "{}"]}),
    ]


def of_version(source: Path, command: Sequence[str]) -> list[str]:
    """The command of another version, whose folder `src` is `source`; no words for no command."""
    start = f"import sys; sys.path.insert(0, {str(source)!r}); from vmrescue.cli.main import main; sys.exit(main())"
    return [sys.executable, "-c", start, *command[1:]] if command else []


def measured(row: Row, disk: Disk, rounds: int, older: Path | None = None) -> list[Cost]:
    """What a row costs, ours and the peers', and before those that of an older version, if there is one."""

    def act(command: Sequence[str], statuses: Sequence[int], before: Sequence[str]) -> Callable[[], Cost]:
        def run() -> Cost:
            path = str(disk.path if row.edits else disk.built)
            if row.edits:
                disk.fresh()
            if before:
                cost([word.replace("{}", path) for word in before], LEFT)
            return cost([word.replace("{}", path) for word in command], statuses)

        return run

    ours = [act(row.command, LEFT, row.before)]
    if older:
        ours.append(act(of_version(older, row.command), LEFT, of_version(older, row.before)))
    return in_turns([*ours, *(act(command, (0,), row.before) for command in row.peers.values())], rounds)


def heading(title: str) -> None:
    heads = ("cpu s", "wall s", "peak MB", "MB read", "x cpu")
    print(f"\n{title} ({load()})\n{'':38}" + "".join(f"{head:>10}" for head in heads), flush=True)


def line(title: str, found: Cost, ours: Cost | None = None) -> None:
    """A program's line; a peer's with how many times its processor time ours took."""
    times = f"{ours.cpu / max(found.cpu, 1e-3):>10.1f}" if ours else ""
    figures = (
        f"{found.cpu:>10.3f}",
        f"{found.wall:>10.3f}",
        f"{found.memory / 1e6:>10.1f}",
        f"{found.read / 1e6:>10.1f}",
    )
    print(f"{title:38}{''.join(figures)}{times}", flush=True)


def compare(title: str, rows: Sequence[Row], disk: Disk, rounds: int, older: Path | None = None) -> None:
    heading(title)
    for row in rows:
        ours, *others = measured(row, disk, rounds, older)
        line(row.title, ours)
        for peer, found in zip([*(["the older version"] if older else []), *row.peers], others, strict=True):
            line(f"    {peer}", found, ours)


def by_container(folder: Path, rounds: int) -> None:
    """A diagnosis of the same disk in each container, and how many times the processor time of the first one's."""
    images = list(containers.images(folder))
    command = vmrescue("diagnose")
    found = in_turns([lambda path=path: cost([*command, str(path)], LEFT) for _, path in images], rounds)  # type: ignore[misc]
    heading(f"diagnose, 127 GB, {containers.FILES:,} files, by container; x the fixed VHD")
    for (title, _), each in zip(images, found, strict=True):
        line(title, each)
        print(f"{'':38}{each.cpu / found[0].cpu:>10.2f}{each.wall / found[0].wall:>10.2f}")


def grow(folder: Path, sizes: Sequence[int], rounds: int) -> None:
    """How the cost of edits grows with the number of files: beside each size, how many times that of the one before."""
    heading("with more files")
    last: dict[str, Cost] = {}
    for size in sizes:
        disk = foreign(folder, size)
        for row in on_disk()[1:3]:
            [ours] = measured(Row(row.title, row.command, edits=True), disk, rounds)
            line(f"{row.title}, {size:,} files", ours)
            if row.title in last:
                print(f"{'    times the row before':38}{ours.cpu / last[row.title].cpu:>10.1f}")
            last[row.title] = ours
        disk.built.unlink()
        disk.path.unlink(missing_ok=True)


def grow_hives(folder: Path, sizes: Sequence[int], rounds: int) -> None:
    """How the cost of an edit and of a listing grows with a hive; sizes in MB."""
    heading("with a larger hive")
    for size in sizes:
        hive = Disk(folder / f"HIVE{size}")
        write_hive(hive.built, system_hive(), size * 1_000_000)
        top = rf"HKLM\HIVE{size}"
        add = vmrescue(
            "reg", "{}", "add", rf"{top}\0000\Select", "/v", "X", "/t", "REG_DWORD", "/d", "0", "/f", "--yes"
        )
        rows = [
            Row("reg add", add, edits=True),
            Row("reg query /s", vmrescue("reg", "{}", "query", top, "/s")),
            Row("reg export", vmrescue("reg", "{}", "export", top, "all.reg", "/y")),
        ]
        for row in rows:
            line(f"{row.title}, {hive.built.stat().st_size / 1e6:,.0f} MB", *measured(row, hive, rounds))
        hive.built.unlink()
        hive.path.unlink(missing_ok=True)


def grow_changes(folder: Path, counts: Sequence[int], rounds: int) -> None:
    """How the cost of an edit of a hive of 11.4 MB grows with the number of values that are set, 100 to a key."""
    heading("with more changes")
    hive = Disk(folder / "SYSTEM")
    hive.built.write_bytes(system_hive())
    for count in counts:
        file = folder / "changes.reg"
        file.write_text(reg_file(r"HKEY_LOCAL_MACHINE\SYSTEM\New", count), "utf-16")
        row = Row(f"reg import, {count:,} values", vmrescue("reg", "{}", "import", str(file), "--yes"), edits=True)
        line(row.title, *measured(row, hive, rounds))


def reg_file(top: str, count: int) -> str:
    """A registration file that sets so many values below a key."""
    lines = ["Windows Registry Editor Version 5.00"]
    for number in range(count):
        lines += [] if number % 100 else ["", rf"[{top}\{number // 100}]"]
        lines.append(f'"value {number % 100}"=dword:{number:08x}')
    return "\n".join([*lines, ""])


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
    options.add_argument("--hives", default="10,75,150,300", help="MB of the hives that show how it grows")
    options.add_argument("--changes", default="1,1000,10000,30000", help="values that are set at once")
    options.add_argument("--only", choices=PARTS, help="one part of the table")
    options.add_argument("--folder", type=Path, help="where disks are made, and found again by a later run")
    options.add_argument("--older", type=Path, help="the folder src of an older version, which is measured beside ours")
    given = options.parse_args()
    if missing := [name for name in ("hivexsh", "mkntfs", "ntfs-3g", "sgdisk") if not shutil.which(name)]:
        sys.exit(f"not installed: {', '.join(missing)}")
    wanted = (given.only,) if given.only else PARTS
    with work_folder(given.folder) as folder:
        if "disk" in wanted:
            kept = folder / f"{given.files}.vhd"
            disk = Disk(kept) if kept.exists() else foreign(folder, given.files)
            title = f"127 GB, {given.files:,} files, made by mkntfs and ntfs-3g"
            compare(title, on_disk(), disk, given.rounds, given.older)
        if "listing" in wanted:
            counts = LISTED, given.files
            kept = folder / f"listed {given.files}" / "0.vhd"
            kept.parent.mkdir(exist_ok=True)
            disk = Disk(kept) if kept.exists() else foreign(kept.parent, 0, counts)
            compare("127 GB, folders of so many files", of_folders(counts), disk, given.rounds, given.older)
        if "own" in wanted:
            compare("127 GB, 2,000 files made by vmrescue", on_disk()[1:4], own(folder), given.rounds, given.older)
        if "hive" in wanted:
            hive = Disk(folder / "SYSTEM")
            hive.built.write_bytes(system_hive())
            compare("a real SYSTEM hive, 11.4 MB, as a file", on_hive(), hive, given.rounds, given.older)
        if "sizes" in wanted:
            grow(folder, [int(size) for size in given.sizes.split(",")], given.rounds)
        if "hives" in wanted:
            grow_hives(folder, [int(size) for size in given.hives.split(",")], given.rounds)
        if "changes" in wanted:
            grow_changes(folder, [int(count) for count in given.changes.split(",")], given.rounds)
        if "defrag" in wanted:
            heading("defragmented, beside cp of as many files of that size")
            for title, ours, copied in defrag.cases(folder):
                line(title, ours)
                line("    cp", copied, ours)
        if "remote" in wanted:
            print(f"\na scan over a network whose answers are {remote.DELAY * 1000:.0f} ms late ({load()})")
            print(f"{'':38}" + "".join(f"{head:>10}" for head in ("requests", "depth", "MB", "wall s", "at hand")))
            for title, found in remote.cases(folder, given.rounds):
                figures = f"{found.requests:>10}{found.depth:>10}{found.read / 1e6:>10.1f}"
                print(f"{title:38}{figures}{found.wall:>10.3f}{found.at_hand:>10.3f}", flush=True)
        if "containers" in wanted:
            by_container(folder, given.rounds)


if __name__ == "__main__":
    main()
