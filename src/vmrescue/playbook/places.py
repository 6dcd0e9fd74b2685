"""What a playbook's paths and keys mean on an installation: files by their names, keys by the control sets."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from vmrescue import file_path
from vmrescue.errors import RefusedError
from vmrescue.playbook.schema import CURRENT, SYSTEM_ROOT, has_pattern
from vmrescue.registry import path as key_path
from vmrescue.upcase import upper

if TYPE_CHECKING:
    from vmrescue.readers.file_system import Entry
    from vmrescue.windows import OperatingSystem

MOST_NAMES = 100_000  # in a folder that is looked through


def fits(text: str, pattern: str) -> bool:
    """Whether a text is one that a pattern stands for: * for any letters, ? for one, without case."""
    return fnmatchcase(upper(text), upper(pattern).replace("[", "[[]"))


def files_of(windows: OperatingSystem, path: str) -> list[tuple[str, Entry]]:
    """The plain files on the volume of Windows that a playbook's path stands for, with their paths, by name.

    A folder is none, nor is a link. Raises UsageError where a name fits several that differ only in case.
    """
    first, *names = file_path.split(path)
    if upper(first) == upper(SYSTEM_ROOT):
        names = [*file_path.split(windows.root), *names]
    folder, last = "\\".join(names[:-1]), names[-1]
    files = windows.volume.files
    nature = files.nature(folder) if folder else None
    if nature and nature.link:
        raise RefusedError(
            f"\\{folder} on {windows.volume} is a link, or lies below one: what it leads to is not edited"
        )
    if not has_pattern(last):
        entry = files.entry("\\".join(names))
        found = [entry] if entry else []
    elif folder and nature is None:
        found = []
    else:
        entries = files.entries(folder)
        if len(entries) > MOST_NAMES:
            raise RefusedError(f"\\{folder} on {windows.volume} has {len(entries)} names: more than {MOST_NAMES}")
        found = [entry for entry in entries if fits(entry.name, last)]
    plain = (entry for entry in found if not (entry.is_directory or entry.is_link))
    return [("\\".join([*names[:-1], entry.name]), entry) for entry in plain]


def keys_of(windows: OperatingSystem, hive: str, key: str, all_sets: bool) -> list[str]:
    """The keys that a playbook's key stands for: with ``CurrentControlSet`` one in each set that is meant.

    Args:
        all_sets: each control set that may boot, and not only the one that the loader takes.
    """
    first, *rest = key_path.split(key)
    if hive != "SYSTEM" or upper(first) != upper(CURRENT):
        return [key_path.join([first, *rest])]
    return [key_path.join([name, *rest]) for name in control_sets(windows, all_sets)]


def control_sets(windows: OperatingSystem, all_sets: bool) -> list[str]:
    """The control sets that may boot, the one that the loader takes first. Raises NotFoundError where none is."""
    booting = windows.selected_set("Default") or windows.current_control_set
    return list(dict.fromkeys([booting, *(windows.bootable_control_sets if all_sets else ())]))
