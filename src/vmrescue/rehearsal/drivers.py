"""Drivers that the loader loads before the kernel runs: each boot-start service in its order, and its file.

If a driver is missing whose key calls it critical (ErrorControl 3), the path ends. For other drivers the sources differ
on whether the loader goes on, so these are odd. Whether the kernel needs them to reach its disk is decided in the next
stage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.readers.file_system import Wanted
from vmrescue.rehearsal import endings
from vmrescue.rehearsal.about import BadFile, BadService
from vmrescue.rehearsal.files import FaultKind
from vmrescue.rehearsal.loader import ending_of, file_fact
from vmrescue.rehearsal.own_services import is_own
from vmrescue.rehearsal.services import BOOT, CRITICAL, DISABLED, DRIVER_TYPES, IGNORED
from vmrescue.rehearsal.stage import Fact, odd, stop, unknown
from vmrescue.windows.pe import HEAD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.rehearsal.files import Fault
    from vmrescue.rehearsal.services import Service
    from vmrescue.rehearsal.way import Way

ENDS = endings.NO_DRIVER, endings.BAD_DRIVER, endings.DRIVER_OF_OTHER_MACHINE
FILE_SYSTEM = "Ntfs"
MOST = 500  # drivers; a healthy Windows has some 90


def drivers(way: Way) -> Iterator[Fact]:
    """The stage's facts: a line for those that are there, one for each that is not."""
    loaded = way.services.boot_drivers
    if len(loaded) > MOST:
        yield unknown("boot-start drivers", f"there are {len(loaded)}: the first {MOST} were looked at")
        loaded = loaded[:MOST]
    paths = [path for service in loaded if (path := way.path_of(service))]
    way.windows.volume.files.announce([Wanted(path, HEAD) for path in paths])
    for service in sorted(loaded, key=lambda each: each.path.lower()):
        way.fault_of(service)  # by their names: neighbours in a folder's index cost little
    bad = [(service, fault) for service in loaded if (fault := way.fault_of(service))]
    yield Fact("boot-start drivers", f"{len(loaded) - len(bad)} of {len(loaded)} have a file")
    for service, fault in bad:
        yield _fact(way, service, fault)
    yield from _unordered(way)
    yield from _file_system(way)


def _fact(way: Way, service: Service, fault: Fault) -> Fact:
    what = f"driver {service.name} ({service.path})"
    late = any(start != BOOT for start in way.services.overrides(service).values())
    about = BadService(
        way.services.control_set,
        service.name,
        service.start,
        file=BadFile(way.windows.volume, way.path_of(service) or service.path, fault),
        critical=service.error_control == CRITICAL,
        expected=late or service.error_control in (IGNORED, None),
    )
    if fault.kind is FaultKind.UNKNOWN:
        return unknown(what, fault.said)
    if late:
        return odd(what, f"{fault.said}; StartOverride says that certain hardware does not need it", about)
    if service.error_control == CRITICAL:
        return stop(what, f"{fault.said}; its key calls that critical", ending_of(fault, ENDS), about)
    if service.error_control in (IGNORED, None):
        return odd(what, f"{fault.said}; its key says to go on without it", about)
    return odd(what, f"{fault.said}; whether the loader goes on is not certain", about)


def _unordered(way: Way) -> Iterator[Fact]:
    """What has the loader, or the kernel, take drivers otherwise than on other disks."""
    if not way.services.groups:
        said = "it is not there, or no list: in which order drivers start is not certain"
        yield odd("ServiceGroupOrder\\List", said)
    for service in way.services:
        if service.start == BOOT and service.type not in DRIVER_TYPES and is_own(service.name):
            said = f"its Type is {service.type}, which is no driver's: whether the kernel starts it is not certain"
            yield odd(f"driver {service.name}", said)


def _file_system(way: Way) -> Iterator[Fact]:
    """The loader loads the file system of Windows' volume whatever its start value says, unless it is off."""
    service = way.services.find(FILE_SYSTEM)
    if service is None:
        yield stop("file system driver", f"there is no service {FILE_SYSTEM}", endings.NO_FILE_SYSTEM_DRIVER)
    elif service.start == DISABLED:
        about = BadService(way.services.control_set, service.name, service.start)
        yield stop(
            "file system driver", f"{FILE_SYSTEM} is off (Start {DISABLED})", endings.NO_FILE_SYSTEM_DRIVER, about
        )
    elif not service.is_boot_driver and (path := way.path_of(service)):
        yield file_fact(way, path, ENDS)
