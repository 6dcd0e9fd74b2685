"""What Windows needs to start, and nobody deletes: such a file is replaced, by a repair or with `put`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.windows.boot_store import BIOS_STORE, UEFI_STORE
from vmrescue.windows.installation import DEFAULT_ROOT

if TYPE_CHECKING:
    from vmrescue.windows.volume import Volume

BOOT_FILES = {
    BIOS_STORE: "the boot store",
    UEFI_STORE: "the boot store",
    "bootmgr": "the boot manager",
    r"EFI\Microsoft\Boot\bootmgfw.efi": "the boot manager",
    r"EFI\Boot\bootx64.efi": "the boot manager",
    r"EFI\Boot\bootaa64.efi": "the boot manager",
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


class NeededFiles:
    """Which files of some disks are needed, however they are called: in another case, by a short form, a hard link."""

    def __init__(self, roots: set[str]) -> None:
        self._roots = {DEFAULT_ROOT, *roots}
        self._known: dict[Volume, dict[int, str]] = {}

    def why_needed(self, volume: Volume, number: int) -> str | None:
        """What a file is for, where Windows needs it. `number` is what tells a volume's files apart."""
        if volume not in self._known:
            self._known[volume] = self._look_at(volume)
        return self._known[volume].get(number)

    def _look_at(self, volume: Volume) -> dict[int, str]:
        paths = BOOT_FILES | {
            rf"{root}\System32\{name}": what for root in self._roots for name, what in SYSTEM_FILES.items()
        }
        found = ((volume.files.nature(path), what) for path, what in paths.items())
        return {nature.number: what for nature, what in found if nature and nature.number}
