"""Memory dumps: which kind a control set asks for, whether its drive is there, and whether it fits."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from support.installation import SIZE, installation
from vmrescue import Policy
from vmrescue.checks.settings.crash_dump import crash_dump
from vmrescue.checks.subject import Subject
from vmrescue.errors import UsageError
from vmrescue.plan import DeleteValue, SetValue
from vmrescue.registry.value_type import ValueType

if TYPE_CHECKING:
    from support.hives import Keys, Value
    from vmrescue.checks.finding import Finding

MIB = 1 << 20
OWN = struct.pack("<IQ", 0x1234, MIB)  # the volume of `support.installation`
CD_ROM = r"\??\SCSI#CdRom&Ven_Msft&Prod_Virtual_DVD-ROM#000002".encode("utf-16-le")
RIGHT: dict[str, Value] = {
    "CrashDumpEnabled": 1,
    "DumpFile": (ValueType.EXPAND_SZ, "%SystemRoot%\\MEMORY.DMP\0".encode("utf-16-le")),
    "NMICrashDump": 1,
}


def look(values: dict[str, Value], policy: Policy | None = None) -> list[Finding]:
    system: Keys = {
        "MountedDevices": {r"\\DosDevices\\C:": OWN, r"\\DosDevices\\E:": CD_ROM},
        r"ControlSet001\Control\CrashControl": RIGHT | values,
    }
    return list(crash_dump.look(Subject(installation(system), policy or Policy(ram=SIZE * 8))))


def small() -> Policy:
    """Of a VM whose dump fits: more than that is free on the volume in memory."""
    policy = Policy()
    object.__setattr__(policy, "ram", 16 * MIB)  # no VM has so little
    return policy


def test_what_is_asked_for_is_right() -> None:
    assert look({}, Policy()) == []
    assert look({}, small()) == []


def test_an_active_dump_is_no_complete_one() -> None:
    [finding] = look({"FilterPages": 1}, Policy())
    assert "does not ask for a complete dump (FilterPages)" in finding.summary
    [change] = finding.changes
    assert isinstance(change, DeleteValue)
    assert change.name == "FilterPages"
    assert finding.evidence["values"] == [
        {"value": "FilterPages", "found": {"type": "REG_DWORD", "data": 1}, "wanted": None}
    ]


def test_a_dump_on_a_drive_that_is_not_there_comes_to_one_that_is() -> None:
    [finding] = look({"DumpFile": r"E:\MEMORY.DMP", "DedicatedDumpFile": r"Q:\dedicated.sys"}, Policy())
    assert "DumpFile is on E:, an optical drive" in finding.summary
    assert "DedicatedDumpFile is on Q:, no drive that MountedDevices knows" in finding.summary
    kinds = {type(change): change.name for change in finding.changes if isinstance(change, SetValue | DeleteValue)}
    assert kinds == {SetValue: "DumpFile", DeleteValue: "DedicatedDumpFile"}


def test_a_dump_on_a_volume_at_hand_stays_where_its_owner_put_it() -> None:
    assert look({"DumpFile": r"C:\dumps\full.dmp"}, Policy()) == []
    [finding] = look({"DumpFile": r"C:\dumps\full.dmp"}, Policy(dump_file=r"F:\MEMORY.DMP"))
    assert "(DumpFile)" in finding.summary
    assert len(finding.changes) == 1


def test_a_dump_larger_than_its_volume_is_said_though_all_is_set() -> None:
    [finding] = look({})
    assert "asks for a complete dump, for which there is no room" in finding.summary
    assert "the OS volume has 32 MiB free (it is smaller than the dump: 63 MiB in all)" in finding.summary
    assert finding.changes == ()
    assert finding.tell == ("dump_file",)


def test_a_dedicated_file_that_has_no_room_is_said() -> None:
    values: dict[str, Value] = {"DedicatedDumpFile": r"C:\dedicated.sys", "DumpFile": r"Q:\MEMORY.DMP"}
    [finding] = look(values, Policy(ram=SIZE * 8, dump_file=r"Q:\MEMORY.DMP"))
    assert "DedicatedDumpFile: a complete dump needs more" in finding.summary
    assert finding.changes == ()


def test_no_dump_is_sent_to_an_optical_drive() -> None:
    [finding] = look({"NMICrashDump": 0}, Policy(dump_file=r"E:\MEMORY.DMP"))
    assert "a dump cannot be written to E:, an optical drive" in finding.summary
    assert finding.changes == ()


@pytest.mark.parametrize(
    "path", ["MEMORY.DMP", "F:MEMORY.DMP", "F:\\", "\\MEMORY.DMP", "F:\\a\\", "F:/MEMORY.DMP", "F:\\a?b", ""]
)
def test_a_dump_goes_to_a_full_path(path: str) -> None:
    with pytest.raises(UsageError, match="a full path"):
        Policy(dump_file=path)


def test_a_control_set_that_asks_for_a_complete_dump_is_not_said_not_to() -> None:
    [finding] = look({"NMICrashDump": 0}, Policy())
    assert "asks for a complete dump, but not as it is wanted (NMICrashDump)" in finding.summary
