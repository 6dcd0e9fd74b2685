r"""The program of a command line, looked for as Windows looks for it (CreateProcess, without its name apart).

In quotes it is what stands between them; without, each part up to a blank may be it, the shortest first. A name that
has no dot gets ``.exe``; one without a folder is looked for in the folders of Windows and along ``Path``. The folder of
the program that starts it, and the current one, are taken to be System32, where those of the logon lie.
Source: Microsoft, "CreateProcessW function": lpApplicationName and lpCommandLine, which differ on whether a path gets
``.exe``: both are looked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue import file_path
from vmrescue.dataclass import dataclass
from vmrescue.errors import ReadError, VmRescueError
from vmrescue.readers.file_system import link_above
from vmrescue.windows.drives import MOVES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.volumes.disk import Volume
    from vmrescue.windows.drives import Drives
    from vmrescue.windows.operating_system import OperatingSystem

ENVIRONMENT, PATH = "Control\\Session Manager\\Environment", "Path"
USUAL_PATH = (
    r"%SystemRoot%\system32;%SystemRoot%;%SystemRoot%\System32\Wbem;%SystemRoot%\System32\WindowsPowerShell\v1.0"
)
OF_WINDOWS = (r"%SystemRoot%\System32", r"%SystemRoot%\System", "%SystemRoot%")
MOST = 32  # places; a long line has a blank after each word

Place = tuple["Volume", str]


@dataclass(frozen=True)
class Program:
    """What was found of a command's program.

    Attributes:
        place: the volume and the path on it; None where it was not found.
        gone: whether it surely is nowhere: every place that Windows would look at is at hand, and was looked at.
    """

    place: Place | None
    gone: bool


def find_program(drives: Drives, windows: OperatingSystem, command: str) -> Program:
    """Looks for the program that a command line starts."""
    sure = True
    for count, path in enumerate(_paths(windows, command)):
        if count == MOST:
            return Program(None, gone=False)
        place = _place(drives, path)
        found = _there(*place) if place else None
        if found:
            return Program(place, gone=False)
        sure = sure and found is not None
    return Program(None, gone=sure)


def _place(drives: Drives, path: str) -> Place | None:
    """The volume and the path on it; None where the volume is not at hand, or the path leads who knows where."""
    drive, rest = drives.of_path(path) or (None, "")
    if drive is None or drive.volume is None or not {*MOVES}.isdisjoint(file_path.split(rest)):
        return None
    return drive.volume, rest


def _there(volume: Volume, path: str) -> bool | None:
    """Whether a file is at a place; None where that is not known: a folder above it may lead elsewhere."""
    try:
        if (nature := volume.files.nature(path)) is not None:
            return not nature.directory
        return None if link_above(volume.files, path) else False
    except ReadError:
        raise
    except VmRescueError:
        return None


def _paths(windows: OperatingSystem, command: str) -> Iterator[str]:
    """The paths that may be meant, in the order in which they are tried."""
    for name in _names(command.strip()):
        names = file_path.split(name)
        if not names:
            continue
        spelled = [name] if "." in names[-1] else [f"{name}.exe", name]
        for each in spelled:
            if len(names) > 1 and name[0] == "\\" and name[:2] != "\\\\" and name[:3] != "\\??":
                yield f"%SystemDrive%{each}"
            elif len(names) > 1 and ":" not in names[0] and "%" not in names[0] and name[0] not in "\\/":
                yield f"{OF_WINDOWS[0]}\\{each}"
            elif len(names) > 1 or ":" in name:
                yield each
            else:
                yield from (f"{folder}\\{each}" for folder in _folders(windows))


def _names(command: str) -> Iterator[str]:
    if command.startswith('"'):
        yield command[1:].partition('"')[0]
        return
    words = command.split(" ")
    yield from (" ".join(words[:count]) for count in range(1, len(words) + 1) if words[count - 1])


def _folders(windows: OperatingSystem) -> list[str]:
    """Those of Windows, and those of Path."""
    path = windows.system.text(f"{windows.current_control_set}\\{ENVIRONMENT}", PATH) or USUAL_PATH
    named = [folder.strip().strip('"').rstrip("\\") for folder in path.split(";")]
    return list(dict.fromkeys([*OF_WINDOWS, *filter(None, named)]))
