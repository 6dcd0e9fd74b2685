r"""crash-dump: a control set does not ask for a complete memory dump, which support needs to find the next cause.

Wanted in ``ControlSetNNN\Control\CrashControl``: CrashDumpEnabled 1 (complete), DumpFile, NMICrashDump 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.checks import steps
from vmrescue.checks.finding import Finding
from vmrescue.plan import RegistryData, SetValue
from vmrescue.registry.value_type import ValueType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.policy import Policy
    from vmrescue.windows import Installation, OperatingSystem

ID = "crash-dump"
CRASH_CONTROL = r"Control\CrashControl"


def check(installation: Installation, policy: Policy) -> Iterator[Finding]:
    if installation.os is None:
        return
    room = room_for_dump(installation.os, policy)
    for control_set in installation.os.control_sets:
        finding = _check_control_set(installation.os, f"{control_set}\\{CRASH_CONTROL}", policy, room)
        if finding:
            yield finding


def room_for_dump(windows: OperatingSystem, policy: Policy) -> str | None:
    """Why a complete dump would not fit on the OS volume; None where it would, or where the RAM is not known."""
    on_os_volume = policy.dump_file.upper().startswith(("%SYSTEMROOT%", "%SYSTEMDRIVE%", "C:"))
    free = windows.volume.files.free_bytes
    if policy.ram is None or not on_os_volume or free > policy.ram:
        return None
    return (
        f"a complete dump needs more than the VM's {policy.ram >> 20} MB of RAM, and the OS volume has "
        f"{free >> 20} MB free: name another disk with --dump-file, such as F:\\MEMORY.DMP"
    )


def _wanted(policy: Policy) -> dict[str, RegistryData]:
    return {
        "CrashDumpEnabled": RegistryData.dword(1),
        "DumpFile": RegistryData.expand_sz(policy.dump_file),
        "NMICrashDump": RegistryData.dword(1),
    }


def _is_right(found: RegistryData | None, wanted: RegistryData) -> bool:
    if found is None or found == wanted or wanted.type != ValueType.EXPAND_SZ:
        return found == wanted
    same_path = str(found.data).upper() == str(wanted.data).upper()
    return same_path and (found.type == ValueType.EXPAND_SZ or "%" not in str(wanted.data))


def _check_control_set(windows: OperatingSystem, key: str, policy: Policy, room: str | None) -> Finding | None:
    hive = windows.system
    found = {name: hive.data(key, name) for name in _wanted(policy)}
    wrong = {name: data for name, data in _wanted(policy).items() if not _is_right(found[name], data)}
    if not wrong:
        return None
    ram = "the VM's RAM is not known (--ram): that the dump fits was not checked" if policy.ram is None else None
    return Finding(
        check=ID,
        severity="advice",
        summary=f"{key} does not ask for a complete dump ({', '.join(wrong)})" + (f"; {room}" if room else ""),
        meaning="If the VM stops again there will be no complete memory dump to learn from.",
        step=steps.SERIAL_AND_DUMP,
        evidence={
            "hive": hive.path,
            "key": key,
            "values": [
                {
                    "value": name,
                    "found": None if (seen := found[name]) is None else seen.to_dict(),
                    "wanted": data.to_dict(),
                }
                for name, data in wrong.items()
            ],
            "bytes_free": windows.volume.files.free_bytes,
            "ram": policy.ram,
            "note": room or ram,
        },
        changes=() if room else tuple(SetValue(hive.ref, key, name, found[name], data) for name, data in wrong.items()),
    )
