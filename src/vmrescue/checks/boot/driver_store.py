r"""A whole copy of one of Windows' own drivers in its driver store, of the same build as the kernel.

``\Windows\System32\DriverStore\FileRepository`` has a folder for each package: the name of its INF file, the machine,
and a hash. Source: Microsoft, "Driver Store".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vmrescue.errors import FormatError, NotFoundError, UnsupportedError, UsageError
from vmrescue.readers.file_system import whole
from vmrescue.rehearsal.files import fault_of_file, machine_of
from vmrescue.upcase import upper
from vmrescue.windows.file_version import LARGEST as LARGEST_PROGRAM
from vmrescue.windows.file_version import file_version

if TYPE_CHECKING:
    from vmrescue.rehearsal.about import BadService
    from vmrescue.windows import OperatingSystem

LARGEST = 16 << 20  # bytes of a driver; those of Windows have some 4 MB at most
MOST = 16  # packages of one name: Windows keeps the latest few
PACKAGE = r"W?(?:{})\.INF_[A-Z0-9]+_[0-9A-F]+"  # of Hyper-V's drivers the INF begins with a W


def spare_driver(windows: OperatingSystem, lost: BadService) -> tuple[str, bytes] | None:
    """The path and the content of a copy for the same machine and build, the newest; None where there is none."""
    if lost.file is None:
        return None
    kernel = f"{windows.root}\\System32\\ntoskrnl.exe"
    machine, build = machine_of(windows.volume, kernel), _version(windows, kernel)
    if machine is None or build is None:
        return None
    name = lost.file.path.rpartition("\\")[2]
    found: list[tuple[tuple[int, ...], str]] = []
    for package in _packages(windows, {lost.name, name.rpartition(".")[0]}):
        path = f"{package}\\{name}"
        if fault_of_file(windows.volume, path, machine=machine) is None and (version := _version(windows, path)):
            found.append((version, path))
    fitting = [each for each in found if each[0][:3] == build[:3]]
    if not fitting:
        return None
    _, path = max(fitting)
    return path, whole(windows.volume.files.open(path), path, LARGEST)


def _packages(windows: OperatingSystem, names: set[str]) -> list[str]:
    """The folders of the packages that are called so."""
    store = f"{windows.root}\\System32\\DriverStore\\FileRepository"
    wanted = re.compile(PACKAGE.format("|".join(re.escape(upper(name)) for name in sorted(names))))
    try:
        entries = windows.volume.files.entries(store)
    except NotFoundError:
        return []
    folders = [entry.name for entry in entries if entry.is_directory and not entry.is_link]
    return [f"{store}\\{name}" for name in folders if wanted.fullmatch(upper(name))][:MOST]


def _version(windows: OperatingSystem, path: str) -> tuple[int, ...] | None:
    """A program's version; None where it says none."""
    try:
        return file_version(whole(windows.volume.files.open(path), path, LARGEST_PROGRAM))
    except (FormatError, NotFoundError, UnsupportedError, UsageError):
        return None
