"""Files that Windows needs to start. They are never deleted, only replaced, by a repair or with `put`."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from vmrescue.errors import NotFoundError, UsageError, VmRescueError
from vmrescue.registry.base_block import LOG_SUFFIXES
from vmrescue.upcase import upper
from vmrescue.windows.boot_store import BIOS_STORE, UEFI_STORE
from vmrescue.windows.operating_system import DEFAULT_ROOT
from vmrescue.windows.registry_file import RegistryFile

if TYPE_CHECKING:
    from vmrescue.volumes.disk import Volume

BOOT_FILES = {
    BIOS_STORE: "the boot store",
    UEFI_STORE: "the boot store",
    "bootmgr": "the boot manager",
    r"EFI\Microsoft\Boot\bootmgfw.efi": "the boot manager",
    r"EFI\Boot\bootx64.efi": "the boot manager",
    r"EFI\Boot\bootaa64.efi": "the boot manager",
    r"EFI\Boot\bootia32.efi": "the boot manager",
}
SYSTEM_FILES = {  # in System32
    **{rf"config\{name}": "a hive of Windows" for name in ("SYSTEM", "SOFTWARE", "SAM", "SECURITY", "DEFAULT")},
    "winload.exe": "the loader",
    "winload.efi": "the loader",
    "ntoskrnl.exe": "the kernel",
    "hal.dll": "the kernel's lowest part",
    "ntdll.dll": "the first library of all programs",
    "smss.exe": "the first process",
}
# In System32: what the kernel and its first drivers take functions from since Vista, and which of them does.
# Source: what a boot log (ntbtlog.txt) lists without a key.
IMPORTED = {
    "CI.dll": "the kernel",
    "PSHED.dll": "the kernel",
    "BOOTVID.dll": "the kernel",
    "kdcom.dll": "the kernel",
    "drivers\\classpnp.sys": "the driver disk",
    "drivers\\storport.sys": "each driver of a disk controller",
    "drivers\\wdfldr.sys": "the driver Wdf01000",
    "drivers\\netio.sys": "the driver NDIS",
}


class NeededFiles:
    """The needed files of some disks, in any case or short form. Of a hard-linked file only the used name counts."""

    def __init__(self, roots: set[str]) -> None:
        self._roots = {DEFAULT_ROOT, *roots}
        self._known: dict[Volume, dict[int, tuple[str, str]]] = {}

    def why_needed(self, volume: Volume, path: str, number: int) -> str | None:
        """What the file at a path is for, if Windows needs it under this name; else None.

        `number` identifies the file on its volume (`readers.nature`).
        """
        if volume not in self._known:
            self._known[volume] = self._look_at(volume)
        needed_path, what = self._known[volume].get(number, ("", ""))
        if not what:
            return None
        nature, spelled = volume.files.nature(path), volume.files.spelled(path)
        return None if nature and nature.names > 1 and upper(spelled) != needed_path else what

    def _look_at(self, volume: Volume) -> dict[int, tuple[str, str]]:
        """File's number -> (path as the volume spells it, in capitals; what the file is for)."""
        paths = BOOT_FILES | {
            rf"{root}\System32\{name}": what for root in self._roots for name, what in SYSTEM_FILES.items()
        }
        found: dict[int, tuple[str, str]] = {}
        for path, what in paths.items():
            for spelled in _spellings(volume, path):
                nature = volume.files.nature(spelled)
                if nature and nature.number:
                    found[nature.number] = upper(volume.files.spelled(spelled)), what
                    if "hive" in what or "store" in what:
                        found |= _logs(volume, spelled)
        return found


def _spellings(volume: Volume, path: str) -> list[str]:
    """The path; if several names match only without case, all of them, because any may be the one Windows uses."""
    try:
        return [volume.files.spelled(path)]
    except UsageError:
        folder, _, name = path.rpartition("\\")
        with suppress(UsageError, NotFoundError):  # Windows does not make folders whose names differ only in case
            names = [entry.name for entry in volume.files.entries(folder)]
            return [f"{folder}\\{each}".lstrip("\\") for each in names if upper(each) == upper(name)]
        return []


def _logs(volume: Volume, path: str) -> dict[int, tuple[str, str]]:
    """The logs beside a dirty hive, which have changes that its file lacks."""
    found: dict[int, tuple[str, str]] = {}
    with suppress(VmRescueError):  # a file that is no hive has no logs
        if RegistryFile(volume, path, replay=False).state.dirty:
            for log in (path + suffix for suffix in LOG_SUFFIXES):
                nature = volume.files.nature(log)
                if nature and nature.number:
                    found[nature.number] = upper(volume.files.spelled(log)), "a log that a dirty hive needs"
    return found
