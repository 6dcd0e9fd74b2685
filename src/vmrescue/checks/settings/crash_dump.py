r"""crash-dump: a control set does not ask for a complete memory dump, which support needs to find the next cause.

Wanted in ``ControlSetNNN\Control\CrashControl``: CrashDumpEnabled 1 (complete), DumpFile, NMICrashDump 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.checks.check import check
from vmrescue.checks.facts import DumpSpace, KeySettings
from vmrescue.checks.settings.registry_values import differing, settings_of
from vmrescue.checks.steps import Step
from vmrescue.checks.subject import Part
from vmrescue.plan import RegistryData
from vmrescue.registry.value_type import ValueType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.finding import Finding
    from vmrescue.checks.policy import Policy
    from vmrescue.checks.subject import Subject
    from vmrescue.windows import OperatingSystem

CRASH_CONTROL = r"Control\CrashControl"
NO_RAM = "the VM's RAM is not known: that the dump fits was not checked"


@check(
    "crash-dump",
    family="settings",
    severity="advice",
    title="a control set does not ask for a complete dump, with its file and NMI",
    meaning="If the VM stops again there will be no complete memory dump to learn from.",
    fires="in a control set CrashDumpEnabled is not 1, DumpFile is not the policy's, or NMICrashDump is not 1",
    repair="set the three values in every control set; nothing where the dump would not fit on the OS volume",
    source='Microsoft, "Windows stop error: Status no memory", Control\\CrashControl',
    step=Step.SERIAL_AND_DUMP,
    needs=(Part.WINDOWS,),
)
def crash_dump(subject: Subject) -> Iterator[Finding]:
    windows, policy = subject.windows, subject.policy
    room = room_for_dump(windows, policy)
    for control_set in windows.control_sets:
        if finding := _check_control_set(windows, f"{control_set}\\{CRASH_CONTROL}", policy, room):
            yield finding


def room_for_dump(windows: OperatingSystem, policy: Policy) -> str | None:
    """Why a complete dump would not fit on the OS volume; None where it would, or where the RAM is not known."""
    on_os_volume = policy.dump_file.upper().startswith(("%SYSTEMROOT%", "%SYSTEMDRIVE%", "C:"))
    free = windows.volume.files.free_bytes
    if policy.ram is None or not on_os_volume or free > policy.ram:
        return None
    return (
        f"a complete dump needs more than the VM's {policy.ram >> 20} MB of RAM, and the OS volume has "
        f"{free >> 20} MB free: have it written to another disk, to F:\\MEMORY.DMP for example"
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
    hive, wanted = windows.system, _wanted(policy)
    wrong = differing(hive, key, wanted, _is_right)
    if not wrong:
        return None
    names = ", ".join(each.name for each in wrong)
    note = room or (NO_RAM if policy.ram is None else None)
    return crash_dump.finding(
        f"{key} does not ask for a complete dump ({names})" + (f"; {room}" if room else ""),
        facts=(
            KeySettings(hive.path, key, tuple(wrong)),
            DumpSpace(windows.volume.files.free_bytes, policy.ram, note),
        ),
        changes=() if room else settings_of(hive, key, wrong, wanted),
        tell=["dump_file"] if room else ["ram"] if policy.ram is None else [],
    )
