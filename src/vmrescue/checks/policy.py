"""What counts as right for a VM: the rules that the checks measure an image against."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from vmrescue.arguments import typed
from vmrescue.dataclass import dataclass
from vmrescue.errors import UsageError
from vmrescue.rehearsal.platform import NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping

DRIVE = re.compile(r"[A-Za-z]:")
FULL_PATH = re.compile(r'(?:[A-Za-z]:|%[A-Za-z]+%)(?:\\[^\\/:*?"<>|\x00-\x1f]+)+')  # of a file, as Windows spells it
LEAST_RAM = 256 << 20  # bytes; what Windows Server Core needs at least is twice that
ASK_THE_DISK = "?:"
AZURES = "D:"  # Azure's letter for a temporary drive
OS_DRIVE = "C:"  # what Azure's images call the volume of Windows


@typed
@dataclass(frozen=True)
class Policy:
    r"""The rules. The defaults are Azure's, as Microsoft's procedure states them.

    Args:
        temp_drive: the letter of the VM's temporary drive, where the page file belongs; None where the VM has none
            that could hold it: the page file then belongs on the volume of Windows. ``"?:"``, the default: nobody has
            said it; the VM's size decides, where it is named, and what the disk tells.
        vm_size: the name of the VM's size, which decides whether there is a temporary drive.
        ram: the VM's memory in bytes, which a complete dump must fit into the free space; None where it is not known.
        dump_file: where the memory dump is to be written, as Windows spells it.
        min_free: bytes that must be free on the OS volume.
        max_pieces: in how many pieces $MFT, a hive, the page file or the loader may lie.
        min_free_extent: bytes that the longest stretch of free space must have, where twice as much is free.
        ems_port: the serial port of the console.
        ems_baud_rate: its speed, in bits a second.
        boot_menu: whether the boot menu is to show on the serial console too.
        platform: the machine's hardware, whose drivers are needed at the start: ``azure``, ``hyper-v``, ``kvm``,
            ``vmware``, ``nvme``; ``auto``: what the disk tells.
    """

    temp_drive: str | None = ASK_THE_DISK
    vm_size: str | None = None
    ram: int | None = None
    dump_file: str = r"%SystemRoot%\MEMORY.DMP"
    min_free: int = 300 << 20
    max_pieces: int = 64
    min_free_extent: int = 64 << 20
    ems_port: int = 1
    ems_baud_rate: int = 115200
    boot_menu: bool = False
    platform: str = "auto"

    def __post_init__(self) -> None:
        if self.platform not in NAMES:
            raise UsageError(f"there is no platform {self.platform!r}; there are {', '.join(NAMES)}")
        if self.vm_size is not None:
            _ = self._has_drive_by_size  # raises where it is no size's name
        if self.temp_drive not in (None, ASK_THE_DISK) and not DRIVE.fullmatch(str(self.temp_drive)):
            raise UsageError(f"a drive is a letter and a colon, like D:, not {self.temp_drive!r}")
        if not FULL_PATH.fullmatch(self.dump_file):
            raise UsageError(
                f"a dump is written to a file with a full path, like F:\\MEMORY.DMP, not {self.dump_file!r:.80}"
            )
        if self.min_free < 0:
            raise UsageError("the space that must be free cannot be negative")
        if self.ram is not None and self.ram < LEAST_RAM:
            raise UsageError(f"no Windows VM has {self.ram} bytes of memory; write 16G for 16 GiB")
        if self.max_pieces < 0 or self.min_free_extent < 0:
            raise UsageError("neither pieces nor the length of free space can be negative")
        if self.ems_port < 1 or self.ems_baud_rate < 1:
            raise UsageError("a serial port's number and its speed are 1 at least")

    @classmethod
    def azure(cls, vm_size: str | None = None) -> Policy:
        """The default; with a VM size's name (``Standard_D4ds_v5``) this size decides of the temporary drive."""
        return cls(vm_size=vm_size)

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Policy:
        """The policy of which only these fields differ from the default. Raises UsageError for one that is none."""
        known = {each.name for each in fields(cls)}
        if unknown := sorted(set(said) - known):
            raise UsageError(f"a policy has no {unknown[0]!r:.40}; it has {', '.join(sorted(known))}")
        return cls(**said)

    @property
    def said(self) -> dict[str, str | int | bool | None]:
        """The fields that differ from the default: see `of`."""
        return {
            each.name: getattr(self, each.name) for each in fields(self) if getattr(self, each.name) != each.default
        }

    @property
    def has_temp_drive(self) -> bool | None:
        """Whether the VM has a temporary drive, as far as it was said: by its letter, or by the VM's size."""
        if self.temp_drive != ASK_THE_DISK:
            return self.temp_drive is not None
        return self._has_drive_by_size

    @property
    def _has_drive_by_size(self) -> bool | None:
        if not self.vm_size:
            return None
        from vmrescue.checks.vm_size import temporary_drive  # here, because its table is slow to import

        return temporary_drive(self.vm_size)

    @property
    def page_file_drive(self) -> str:
        """Where the page file belongs by Azure's convention and by what was said; the check asks the disk too."""
        if self.has_temp_drive is False:
            return OS_DRIVE
        return AZURES if self.temp_drive in (None, ASK_THE_DISK) else str(self.temp_drive).upper()

    @property
    def page_file(self) -> str:
        """The line for that drive in PagingFiles: sized by Windows."""
        return page_file_line(self.page_file_drive)


def page_file_line(drive: str) -> str:
    """The line wanted in PagingFiles where the page file belongs on a drive: sized by Windows."""
    return f"{drive}\\pagefile.sys 0 0"
