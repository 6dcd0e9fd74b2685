r"""The copy of a hive that Windows keeps in ``\Windows\System32\config\RegBack``.

Since Windows 10 version 1803 these files have no bytes, unless EnablePeriodicBackup is set.
Source: Microsoft, "The system registry is no longer backed up to the RegBack folder".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import ReadError, VmRescueError
from vmrescue.registry import Hive
from vmrescue.registry.check import Weight
from vmrescue.windows.registry_file import RegistryFile

if TYPE_CHECKING:
    from vmrescue.windows.operating_system import OperatingSystem


def spare_hive(windows: OperatingSystem, name: str) -> str | None:
    """The path of a copy that is whole: clean, and without damage in any cell; None where there is none."""
    path = f"{windows.config}\\RegBack\\{name}"
    try:
        if not windows.volume.files.size_of(path):
            return None
        hive = RegistryFile(windows.volume, path, replay=False)
        if hive.state.dirty or hive.why_cut():
            return None
        problems = Hive(hive.read(), name=hive.name).check()
    except ReadError:
        raise
    except VmRescueError:  # it is no copy that helps
        return None
    return None if any(problem.weight is Weight.DAMAGE for problem in problems) else path
