r"""Finds what Disk Cleanup would remove, by a table of named categories.

A pattern is a path from the OS volume's root in which ``*`` and ``?`` stand for parts of one name, and a last ``**``
for every file below. Reparse points (junctions, symbolic links, mount points) are never followed and never removed.
Sources: Microsoft, "cleanmgr" and "Manage drive space with Storage Sense" for the categories; the folders are those
of the handlers under ``SOFTWARE\Microsoft\Windows\CurrentVersion\Explorer\VolumeCaches``.
"""

from __future__ import annotations

import re
from collections import Counter
from fnmatch import fnmatchcase
from glob import escape
from heapq import nlargest
from itertools import islice
from typing import TYPE_CHECKING

from vmrescue import file_path
from vmrescue.dataclass import dataclass
from vmrescue.errors import NotFoundError, ReadError, UsageError, VmRescueError
from vmrescue.plan import FileRef
from vmrescue.units import MIB
from vmrescue.upcase import upper
from vmrescue.windows.boot_store import find_boot_stores
from vmrescue.windows.loaders import loaders_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from vmrescue.readers.file_system import Entry, FileSystem
    from vmrescue.volumes.disk import Volume
    from vmrescue.windows.operating_system import OperatingSystem

EVERYTHING_BELOW = "**"
DEEPEST = 128  # most folders in a path; Windows allows more, but its own tools do not use them
WINDOWS = "%SystemRoot%"
LARGEST, MOST_FILES = 5, 250_000
METAFILE = re.compile(r"\$(?:Extend\\|[^\\]+$)")  # of NTFS itself; $Recycle.Bin is none


@dataclass(frozen=True)
class Category:
    """Files that can be removed, and why.

    Attributes:
        name: the value of `--category`.
        reason: what these files are, in words.
        patterns: where they are; ``%SystemRoot%`` stands for the Windows folder.
        keep: names that are kept.
        on_request: whether it is cleaned only if it is named.
        condition: when the files may be removed; None: always.
    """

    name: str
    reason: str
    patterns: tuple[str, ...]
    keep: tuple[str, ...] = ()
    on_request: bool = False
    condition: Callable[[OperatingSystem], bool] | None = None


def hibernation_is_off(windows: OperatingSystem) -> bool:
    """Whether hibernation is switched off in Windows, and fast startup, which needs it, with it."""
    try:
        return windows.system.number(f"{windows.current_control_set}\\Control\\Power", "HibernateEnabled") == 0
    except ReadError:
        raise
    except VmRescueError:  # no Windows can be read, so it is not known to be off
        return False


def no_upgrade_goes_on(windows: OperatingSystem) -> bool:
    """Whether no boot entry leads to an upgrade, or its rollback, which needs these files, and Setup is not at work."""
    try:
        disk = windows.volume.disk
        loaders = (each for store in find_boot_stores(disk)[0] for each in loaders_of(store, disk.volumes))
        at_work = windows.system.number("Setup", "SystemSetupInProgress")
        return not at_work and not any(each.goes_on(disk.volumes) for each in loaders)
    except ReadError:
        raise
    except VmRescueError:  # nothing tells that none does
        return False


CATEGORIES = (
    Category("windows-temp", "temporary files of Windows", (rf"{WINDOWS}\Temp\**",)),
    Category("user-temp", "temporary files of the users", (r"Users\*\AppData\Local\Temp\**",)),
    Category("update-downloads", "updates already downloaded", (rf"{WINDOWS}\SoftwareDistribution\Download\**",)),
    Category(
        "delivery-optimization",
        "updates kept for other computers",
        (
            rf"{WINDOWS}\SoftwareDistribution\DeliveryOptimization\**",
            rf"{WINDOWS}\ServiceProfiles\NetworkService\AppData\Local\Microsoft\Windows\DeliveryOptimization\Cache\**",
        ),
    ),
    Category(
        "error-reports",
        "error reports",
        (
            r"ProgramData\Microsoft\Windows\WER\ReportArchive\**",
            r"ProgramData\Microsoft\Windows\WER\ReportQueue\**",
            r"ProgramData\Microsoft\Windows\WER\Temp\**",
            r"Users\*\AppData\Local\Microsoft\Windows\WER\ReportArchive\**",
            r"Users\*\AppData\Local\Microsoft\Windows\WER\ReportQueue\**",
        ),
    ),
    Category(
        "memory-dumps",
        "memory dumps of earlier crashes",
        (
            rf"{WINDOWS}\MEMORY.DMP",
            rf"{WINDOWS}\Minidump\*.dmp",
            rf"{WINDOWS}\LiveKernelReports\**",
            r"Users\*\AppData\Local\CrashDumps\*.dmp",
        ),
    ),
    Category(
        "setup-logs",
        "logs of setup and servicing",
        (rf"{WINDOWS}\Panther\*.log", rf"{WINDOWS}\Logs\CBS\CbsPersist_*", rf"{WINDOWS}\Logs\DISM\*.log"),
    ),
    Category(
        "thumbnails",
        "thumbnail and icon caches",
        (
            r"Users\*\AppData\Local\Microsoft\Windows\Explorer\thumbcache_*.db",
            r"Users\*\AppData\Local\Microsoft\Windows\Explorer\iconcache_*.db",
        ),
    ),
    Category("recycle-bin", "files that users have deleted", (r"$Recycle.Bin\*\**",), keep=("desktop.ini",)),
    Category(
        "hibernation",
        "the hibernation file, though hibernation is off",
        ("hiberfil.sys",),
        condition=hibernation_is_off,
    ),
    Category(
        "previous-windows",
        "earlier Windows installations and the files of upgrades",
        (r"Windows.old\**", r"$Windows.~BT\**", r"$Windows.~WS\**"),
        on_request=True,
        condition=no_upgrade_goes_on,
    ),
    Category(
        "component-store",
        "leftovers of the component store",
        (rf"{WINDOWS}\WinSxS\Temp\PendingDeletes\**", rf"{WINDOWS}\WinSxS\Temp\PendingRenames\**"),
        on_request=True,
    ),
)


@dataclass(frozen=True)
class Removable:
    """A file in a category.

    `size` is its length in bytes. `on_disk`: bytes of clusters that become free; 0 if the file keeps other names.
    """

    category: str
    file: FileRef
    size: int
    on_disk: int


def chosen(names: Collection[str]) -> list[Category]:
    """The categories of these names; without names, all that are not `on_request`. Raises UsageError."""
    known = {category.name: category for category in CATEGORIES}
    unknown = set(names) - set(known)
    if unknown:
        raise UsageError(f"there is no category {min(unknown)!r}; there are {', '.join(known)}")
    return [category for category in CATEGORIES if (category.name in names if names else not category.on_request)]


def removable_files(windows: OperatingSystem, categories: Collection[Category]) -> Iterator[Removable]:
    """The files on the OS volume in these categories; a file with several matching names is given once for each."""
    files, cluster = windows.volume.files, windows.volume.files.cluster_size
    seen: set[str] = set()
    names: Counter[int] = Counter()  # file's number -> number of its names to be removed
    for category in categories:
        if category.condition and not category.condition(windows):
            continue
        for pattern in category.patterns:
            for path, entry in matches(files, file_path.split(pattern.replace(WINDOWS, escape(windows.root)))):
                if path in seen or entry.name.lower() in category.keep:
                    continue
                seen.add(path)
                ref = FileRef(windows.volume.disk_index, windows.volume.partition.number, path)
                names[entry.number] += 1
                on_disk = -(-entry.size // cluster) * cluster if entry.on_disk is None else entry.on_disk
                goes = entry.names <= 1 or names[entry.number] == entry.names
                yield Removable(category.name, ref, entry.size, on_disk if goes else 0)


def largest_files(volume: Volume) -> dict[str, int]:
    """The files of a volume that take the most of it, a MiB at least, largest first: path -> bytes in clusters.

    A file with several names is told by one of them. On a volume of very many files not all are looked at.
    """
    found: dict[object, tuple[int, str]] = {}
    cluster = volume.files.cluster_size
    for path, entry in islice(matches(volume.files, [EVERYTHING_BELOW]), MOST_FILES):
        if METAFILE.match(path):
            continue
        on_disk = -(-entry.size // cluster) * cluster if entry.on_disk is None else entry.on_disk
        found.setdefault(entry.number or path, (on_disk, path))
    return {f"\\{path}": on_disk for on_disk, path in nlargest(LARGEST, found.values()) if on_disk >= MIB}


def is_named(windows: OperatingSystem, path: str, categories: Collection[Category]) -> bool:
    """Whether a path on the volume of Windows is in one of the categories; the file itself is not read."""
    names = [upper(name) for name in file_path.split(path)]
    named = (
        category
        for category in categories
        for pattern in category.patterns
        if _fits(names, [upper(part) for part in file_path.split(pattern.replace(WINDOWS, escape(windows.root)))])
    )
    return any(
        names[-1].lower() not in category.keep and (category.condition is None or category.condition(windows))
        for category in named
    )


def _fits(names: list[str], pattern: list[str]) -> bool:
    if pattern[-1] == EVERYTHING_BELOW:
        pattern = pattern[:-1]
        return len(names) > len(pattern) and all(map(fnmatchcase, names, pattern))
    return len(names) == len(pattern) and all(map(fnmatchcase, names, pattern))


def matches(files: FileSystem, pattern: list[str]) -> Iterator[tuple[str, Entry]]:
    """The files (no folders) whose path matches the pattern, with their paths from the volume's root.

    Each folder is read once: in a damaged volume it may contain itself.
    """
    waiting = [("", pattern, 0)]
    seen: set[int] = set()
    while waiting:
        folder, (part, *rest), depth = waiting.pop()
        for entry in _entries(files, folder, part):
            path = f"{folder}\\{entry.name}".lstrip("\\")
            below = part == EVERYTHING_BELOW
            if entry.is_link or not (below or fnmatchcase(upper(entry.name), upper(part))):
                continue
            if entry.is_directory and (below or rest) and depth < DEEPEST and entry.number not in seen:
                seen |= {entry.number} - {0}
                waiting.append((path, [EVERYTHING_BELOW] if below else rest, depth + 1))
            elif not entry.is_directory and (below or not rest):
                yield path, entry


def _entries(files: FileSystem, folder: str, part: str) -> list[Entry]:
    """The entries of a folder that a part of a pattern may fit: a plain name is looked up, and nothing else is read."""
    try:
        if part == escape(part):
            try:
                found = files.entry(f"{folder}\\{part}".lstrip("\\"))
                return [found] if found else []
            except UsageError:  # several names differ only in case
                pass
        return files.entries(folder)
    except NotFoundError:
        return []
