"""The faults of a file of the boot path that its size and its first page show."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.errors import FormatError, NotFoundError, UnsupportedError, UsageError
from vmrescue.readers.file_system import link_above
from vmrescue.rehearsal.wim import HEADER, read_wim
from vmrescue.units import counted
from vmrescue.windows.pe import FIRST, HEAD, read_program

if TYPE_CHECKING:
    from vmrescue.volumes.disk import Volume


class FaultKind(StrEnum):
    """What is wrong with a file."""

    MISSING = "missing"
    EMPTY = "empty"
    ZEROS = "zeros"
    NO_PROGRAM = "no program"
    CUT = "cut"
    MACHINE = "machine"
    NO_WIM = "no WIM"
    NO_IMAGE = "no image"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Fault:
    """What is wrong, and how it is said."""

    kind: FaultKind
    said: str


def fault_of_file(volume: Volume, path: str, program: bool = True, machine: str | None = None) -> Fault | None:
    """What is wrong with a file; None where nothing is, as far as its size and its first page tell.

    Args:
        program: whether it has to be one (PE).
        machine: for which machine; None where that is not known.
    """
    try:
        size, head = _head(volume, path, program)
    except NotFoundError:
        if link := link_above(volume.files, path):
            return Fault(FaultKind.UNKNOWN, f"\\{link} is a reparse point: where that leads, only a start tells")
        return Fault(FaultKind.MISSING, "it is not there")
    except (FormatError, UnsupportedError, UsageError) as error:  # a name that fits several; compressed as a whole
        return Fault(FaultKind.UNKNOWN, str(error))
    if not size:
        return Fault(FaultKind.EMPTY, "it is empty")
    if not any(head):
        return Fault(FaultKind.ZEROS, f"its first {len(head)} bytes are zeros")
    return _fault_of_program(head, size, machine) if program else None


def _head(volume: Volume, path: str, program: bool) -> tuple[int, bytes]:
    """(size, first bytes) of a file: as many as tell, which of nearly every program are few."""
    size, head = volume.files.head(path, FIRST)
    if len(head) < FIRST or (_has_headers(head) if program else any(head)):
        return size, head
    return volume.files.head(path, HEAD)


def _has_headers(head: bytes) -> bool:
    try:
        read_program(head)
    except FormatError:
        return False
    return True


def _fault_of_program(head: bytes, size: int, machine: str | None) -> Fault | None:
    try:
        found = read_program(head)
    except FormatError as error:
        return Fault(FaultKind.NO_PROGRAM, str(error))
    if found.end > size:
        return Fault(FaultKind.CUT, f"it has {counted(size, 'byte')}, and its headers say {found.end}")
    if machine and found.machine != machine:
        return Fault(FaultKind.MACHINE, f"it is a program for {found.machine}, not for {machine}")
    return None


def fault_of_wim(volume: Volume, path: str) -> Fault | None:
    """What is wrong with the file of a disk in memory; None where nothing is, as far as its header tells.

    Of a file that is no WIM by its name only what would be wrong with any.
    """
    fault = fault_of_file(volume, path, program=False)
    if fault or not path.lower().endswith(".wim"):
        return fault
    size, head = volume.files.head(path, HEADER.size)
    try:
        found = read_wim(head)
    except FormatError as error:
        return Fault(FaultKind.NO_WIM, str(error))
    if found.end > size:
        return Fault(FaultKind.CUT, f"it has {counted(size, 'byte')}, and its header says {found.end}")
    if not 0 < found.started <= found.images:
        said = f"image {found.started} is" if found.started else "none is"
        return Fault(FaultKind.NO_IMAGE, f"of its {counted(found.images, 'image')} {said} marked to be started")
    return None


def machine_of(volume: Volume, path: str) -> str | None:
    """The machine that a program is for; None where it is none that can be read."""
    try:
        return read_program(_head(volume, path, program=True)[1]).machine
    except (FormatError, NotFoundError, UnsupportedError, UsageError):
        return None


def machine_of_windows(volume: Volume, root: str) -> str | None:
    """The machine that a Windows is for: what two of its first programs say; None where no two agree."""
    programs = (f"{root}\\System32\\{name}" for name in ("ntoskrnl.exe", "hal.dll", "ntdll.dll"))
    found = [machine for path in programs if (machine := machine_of(volume, path))]
    return next((machine for machine in found if found.count(machine) > 1), None)
