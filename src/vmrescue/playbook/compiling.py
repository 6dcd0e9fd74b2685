"""What a playbook's actions come to on an installation: changes of a plan, with what was found there before each.

An action that has nothing to do comes to no change. What would keep a Windows from starting is refused here already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from vmrescue.bcd.edits import delete_element
from vmrescue.commands.bcdedit import parse, run
from vmrescue.commands.bcdedit.context import Context, element_of
from vmrescue.commands.bcdedit.volume_names import VolumeNames
from vmrescue.digests import sha256
from vmrescue.errors import NotFoundError, RefusedError, UsageError
from vmrescue.plan import DeleteFile, FileRef, RegistryData, RenameFile, Step
from vmrescue.playbook.matching import windows_of
from vmrescue.playbook.places import control_sets, files_of, keys_of
from vmrescue.playbook.schema import CURRENT
from vmrescue.readers.file_system import chunks
from vmrescue.registry.operations import DeleteValue, SetValue
from vmrescue.rehearsal.own_services import FILTERS, is_own
from vmrescue.rehearsal.services import DISABLED
from vmrescue.upcase import upper
from vmrescue.windows.hive_changes import hive_changes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmrescue.plan import Change
    from vmrescue.playbook.schema import ElementAction, FileAction, FilterAction, Rules, ValueAction
    from vmrescue.registry.operations import Operation
    from vmrescue.windows import Installation, OperatingSystem

START = "Start"
LISTS = ("UpperFilters", "LowerFilters")


def steps_of(rules: Rules, check: str, installation: Installation) -> tuple[Step, ...]:
    """The steps of the plan, in the order in which the playbook has its actions.

    Args:
        check: what the steps say asks for them.

    Raises:
        RefusedError: more files fit than the playbook allows, or Windows needs what would be turned off.
        VmRescueError: a part that is to be changed is missing or cannot be read; words that bcdedit does not know.
    """
    windows = windows_of(installation)
    return tuple(Step(check, reason, change) for reason, change in _changes(rules, installation, windows))


def _changes(rules: Rules, installation: Installation, windows: OperatingSystem) -> Iterator[tuple[str, Change]]:
    for file in rules.files:
        for change in _file(file, windows):
            yield f"remove {file.remove}" if file.remove else f"rename {file.rename} to {file.to}", change
    for value in rules.values:
        deed, name = ("set", value.set) if value.set is not None else ("delete", value.delete)
        for change in _value(value, windows):
            yield f"{deed} {name or 'the default value'} of {value.hive}\\{value.key}", change
    for service in rules.services:
        for change in _disabled(service.disable, windows):
            yield f"disable the service {service.disable}", change
    yield from _filters(rules.filters, windows)
    for element in rules.elements:
        for change in _element(element, installation):
            said = f"set {element.set} of" if element.set else f"delete {element.delete} of"
            yield f"{said} {element.object}", change


def _file(action: FileAction, windows: OperatingSystem) -> list[Change]:
    path = action.remove or action.rename or ""
    found = files_of(windows, path)
    if len(found) > action.at_most:
        raise RefusedError(f"{len(found)} files are {path}: the playbook allows {action.at_most}")
    place = windows.volume.disk_index, windows.volume.partition.number
    if action.to:
        return [
            RenameFile(file, sha256(chunks(windows.volume.files.stored(file.path))), action.to)
            for file in (FileRef(*place, name) for name, entry in found if entry.name != action.to)
        ]
    return [DeleteFile(FileRef(*place, name), entry.size) for name, entry in found]


def _value(action: ValueAction, windows: OperatingSystem) -> list[Change]:
    wanted: list[Operation] = []
    for key in keys_of(windows, action.hive, action.key, all_sets=True):
        if action.set is None:
            wanted.append(DeleteValue(key, action.delete or ""))
            continue
        data = action.registry_data
        *_, parent, name = ["", *key.split("\\")]
        if upper(parent) == "SERVICES" and upper(action.set) == upper(START) and data.data == DISABLED:
            _must_not_be_own(name)
        wanted.append(SetValue(key, action.set, data.type, data.raw))
    return hive_changes(windows.hive(action.hive), wanted)


def _disabled(service: str, windows: OperatingSystem) -> list[Change]:
    """In each control set that may boot and has the service."""
    _must_not_be_own(service)
    off = RegistryData.dword(DISABLED)
    keys = keys_of(windows, "SYSTEM", f"{CURRENT}\\Services\\{service}", all_sets=True)
    there = [key for key in keys if windows.system.key(key) is not None]
    return hive_changes(windows.system, [SetValue(key, START, off.type, off.raw) for key in there])


def _must_not_be_own(service: str) -> None:
    if is_own(service):
        raise RefusedError(f"the playbook disables the service {service}, without which Windows may not start")


def _filters(actions: Iterable[FilterAction], windows: OperatingSystem) -> Iterator[tuple[str, Change]]:
    """Of one list all names together: it is one value."""
    lost: dict[str, set[str]] = {}
    for action in actions:
        if upper(action.remove) in FILTERS:
            raise RefusedError(f"the playbook takes out {action.remove}, a filter without which Windows may not start")
        lost.setdefault(upper(action.device_class), set()).add(upper(action.remove))
    for device_class, names in lost.items():
        for control_set in control_sets(windows, all_sets=True):
            key = f"{control_set}\\Control\\Class\\{device_class}"
            for change in hive_changes(windows.system, without_filters(windows, key, names)):
                yield f"take {', '.join(sorted(names))} out of the filters of {device_class}", change


def without_filters(windows: OperatingSystem, key: str, names: set[str]) -> Iterator[Operation]:
    """What takes these names (in capitals) out of a class's lists; a list that is then empty goes."""
    for value in LISTS:
        found = windows.system.data(key, value)
        lines = found.data if found and isinstance(found.data, list) else []
        left = [line for line in lines if upper(line) not in names]
        if len(left) == len(lines):
            continue
        kept = RegistryData.multi_sz(left)
        yield SetValue(key, value, kept.type, kept.raw) if left else DeleteValue(key, value)


def _element(action: ElementAction, installation: Installation) -> list[Change]:
    """In bcdedit's words: an element that is not there is not deleted."""
    boot, volumes = installation.boot, VolumeNames(installation.volumes)
    try:
        if action.delete is not None:
            entry = Context(boot.store, volumes, uuid4).object(action.object)
            number, _ = element_of(entry, action.delete)
            operations: list[Operation] = [delete_element(entry.guid, number)]
        else:
            words = ["/set", action.object, action.set or "", *_words(action.to)]
            operations = list(run(parse(words), boot.store, volumes).operations)
    except (UsageError, NotFoundError) as error:  # bcdedit's own words have several lines
        said = action.set or action.delete
        kind = UsageError if isinstance(error, UsageError) else NotFoundError  # NoMatchError answers bcdedit alone
        raise kind(f"{said} of {action.object} in {boot}: {' '.join(str(error).split())}") from error
    return hive_changes(boot.hive, operations)


def _words(value: str | list[str] | None) -> list[str]:
    return value if isinstance(value, list) else [value or ""]
