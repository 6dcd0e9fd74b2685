r"""Loader to kernel: the SYSTEM hive, the control set that boots, kernel and hal, tables of letters.

Sources: Microsoft, "Stop error 7B" and the articles on 0xc000014c and 0xc0000225; ReactOS' freeldr for the order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import NotFoundError, VmRescueError
from vmrescue.readers.file_system import Wanted
from vmrescue.registry.base_block import LOG_SUFFIXES
from vmrescue.rehearsal import endings
from vmrescue.rehearsal.about import BadFile, BadHive, DirtyHive
from vmrescue.rehearsal.files import FaultKind, fault_of_file
from vmrescue.rehearsal.stage import Fact, State, odd, stop, unknown
from vmrescue.rehearsal.way import SYSTEM_ROOT
from vmrescue.windows.needed_files import IMPORTED
from vmrescue.windows.operating_system import DEFAULT_ROOT
from vmrescue.windows.pe import HEAD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.rehearsal.files import Fault
    from vmrescue.rehearsal.way import Way
    from vmrescue.windows import OperatingSystem
    from vmrescue.windows.loaders import Loader

KERNEL = ("ntoskrnl.exe", "hal.dll")
CODE_PAGES = "Control\\Nls\\CodePage"
CASE_TABLE = "l_intl.nls"


def loader(way: Way) -> Iterator[Fact]:
    """The stage's facts."""
    yield from _named(way)
    windows = way.windows
    fact = _system_hive(windows)
    yield fact
    yield from _kernel(way)
    yield from _imported(way)
    if fact.state in (State.OK, State.ODD):
        yield from _control_sets(way)
        yield from _languages(way)


def _named(way: Way) -> Iterator[Fact]:
    """Where the entry leads to, if there is no SYSTEM hive; what is looked at then is another Windows."""
    found = way.installation
    entry = found.default_loader
    if entry is None or entry.volume is None or found.choice.windows is not None:
        return
    if entry.root is None and entry.is_windows:
        yield _no_root(way, entry)
    if entry.fault:
        return
    if found.os is not None and found.os.loader is entry:
        return
    if not entry.volume.readable or entry.volume in found.unreadable:
        return
    path = f"{entry.root}\\System32\\config\\SYSTEM"
    if not entry.volume.has_file(path):
        said = f"it is not there, and {entry.entry.identifier} names that place"
        yield stop(f"\\{path} on {entry.volume}", said, endings.NO_SYSTEM_HIVE)


def _no_root(way: Way, entry: Loader) -> Fact:
    what, text = f"systemroot of {entry.entry.identifier}", way.text(entry.entry, SYSTEM_ROOT)
    if not text:
        return odd(what, f"it is not set: whether the loader takes \\{DEFAULT_ROOT}, no source states")
    return stop(what, f"{text} is no path of a folder", endings.NO_SYSTEM_HIVE)


def _system_hive(windows: OperatingSystem) -> Fact:
    what = f"\\{windows.config}\\SYSTEM on {windows.volume}"
    if not windows.has("SYSTEM"):
        return stop(what, "it is not there", endings.NO_SYSTEM_HIVE, BadHive(windows, "SYSTEM"))
    try:
        hive = windows.system
        _ = hive.root
        if why := hive.why_cut():
            return bad_hive(windows, "SYSTEM", why, endings.BAD_SYSTEM_HIVE)
    except VmRescueError as error:
        return bad_hive(windows, "SYSTEM", str(error), endings.BAD_SYSTEM_HIVE)
    if why := hive.why_not_replayable():
        return odd(what, f"{hive.state}; {why}", DirtyHive(hive.volume, hive.path))
    return Fact(what, f"it loads{' with its logs' if hive.state.dirty else ''}")


def bad_hive(windows: OperatingSystem, name: str, why: str, ending: endings.Ending) -> Fact:
    """A hive that does not load as its file has it. Where it has logs, Windows may mend it from these; what is not read
    here, a start may read.
    """
    path = f"{windows.config}\\{name}"
    what = f"\\{path} on {windows.volume}"
    if unread := windows.volume.why_not_read(path):
        return unknown(what, unread)
    if any(windows.volume.files.size_of(path + suffix) for suffix in LOG_SUFFIXES):
        return unknown(what, f"{why}; its logs may hold what mends it")
    return stop(what, why, ending, BadHive(windows, name))


def _control_sets(way: Way) -> Iterator[Fact]:
    system = way.windows.system
    default = system.number("Select", "Default")
    try:
        yield Fact("control set", f"{way.control_set}, which Select\\Default names")
    except NotFoundError as error:
        yield stop("control set", str(error), endings.NO_CONTROL_SET)
        return
    good = system.number("Select", "LastKnownGood")
    if good is not None and way.control_set_of(good) is None:
        yield odd("last known good", f"Select\\LastKnownGood names ControlSet{good:03}, which is not there")
    if failed := system.number("Select", "Failed"):
        yield odd("Select\\Failed", f"control set {failed} was given up by a start")
    current = system.number("Select", "Current")
    if current is not None and current != default:
        yield odd("Select\\Current", f"it names control set {current}, and Default {default}, which the loader takes")


def _kernel(way: Way) -> Iterator[Fact]:
    for name in KERNEL:
        yield file_fact(
            way, f"{way.system32}\\{name}", (endings.NO_KERNEL, endings.BAD_KERNEL, endings.KERNEL_OF_OTHER_MACHINE)
        )


def _imported(way: Way) -> Iterator[Fact]:
    """Libraries that have no key of their own; that a program takes functions from them is not read in its file."""
    volume, places = way.windows.volume, {f"{way.system32}\\{name}": by for name, by in IMPORTED.items()}
    volume.files.announce([Wanted(path, HEAD) for path in places])
    for path, by in places.items():
        if fault := fault_of_file(volume, path, machine=way.machine):
            state = unknown if fault.kind is FaultKind.UNKNOWN else odd
            yield state(f"\\{path} on {volume}", f"{fault.said}; {by} takes functions from it")


def file_fact(way: Way, path: str, ends: tuple[endings.Ending, endings.Ending, endings.Ending]) -> Fact:
    """A program that the path cannot do without; how it ends where that is missing, bad, or of another machine."""
    volume = way.windows.volume
    fault = fault_of_file(volume, path, machine=way.machine)
    what = f"\\{path} on {volume}"
    if fault is None:
        return Fact(what, "it is there")
    if fault.kind is FaultKind.UNKNOWN:
        return unknown(what, fault.said)
    return stop(what, fault.said, ending_of(fault, ends), BadFile(volume, path, fault))


def ending_of(fault: Fault, ends: tuple[endings.Ending, endings.Ending, endings.Ending]) -> endings.Ending:
    missing, bad, machine = ends
    return {FaultKind.MISSING: missing, FaultKind.MACHINE: machine}.get(fault.kind, bad)


def _languages(way: Way) -> Iterator[Fact]:
    """Tables of letters. What a loader shows where one is missing, no source states."""
    system, names = way.windows.system, [CASE_TABLE]
    for value in ("ACP", "OEMCP"):
        page = system.text(f"{way.control_set}\\{CODE_PAGES}", value)
        if page is None:
            yield odd("code pages", f"{CODE_PAGES}\\{value} is not set")
        else:
            names.append(system.text(f"{way.control_set}\\{CODE_PAGES}", page) or f"c_{page}.nls")
    for name in names:
        fault = fault_of_file(way.windows.volume, f"{way.system32}\\{name}", program=False)
        if fault:
            state = unknown if fault.kind is FaultKind.UNKNOWN else odd
            yield state(f"\\{way.system32}\\{name}", fault.said)
