"""Checks of what stands in a start's way: where it is not certain that it does, there is no alarm and no change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.hives import hive
from support.installation import installation
from vmrescue.checks import Policy
from vmrescue.checks.rules import CHECKS
from vmrescue.checks.subject import Subject

if TYPE_CHECKING:
    from support.hives import Keys, Value
    from vmrescue.checks import Finding

SOFTWARE = r"Windows\System32\config\SOFTWARE"
COMPLETE: Keys = {r"Microsoft\Windows\CurrentVersion\Setup\State": {"ImageState": "IMAGE_STATE_COMPLETE"}}
SERVICE: dict[str, Value] = {"Type": 1, "Start": 0, "ErrorControl": 1}
SECOND: Keys = {"Select": {"Current": 1, "Default": 1, "LastKnownGood": 2}}


def found(
    check: str, system: Keys, files: dict[str, bytes] | None = None, software: Keys | None = None
) -> list[Finding]:
    given = {**(files or {}), **({SOFTWARE: hive(software)} if software else {})}
    return list(CHECKS[check].look(Subject(installation(system, files=given), Policy())))


@pytest.mark.parametrize(
    ("setup", "software", "files", "severities"),
    [
        ({"SetupType": 2, "CmdLine": "oobe\\gone.exe"}, COMPLETE, {}, ["warning"]),
        ({"SetupType": 2, "CmdLine": ""}, COMPLETE, {}, ["warning"]),
        ({"SetupType": 2, "CmdLine": "cmd /k x"}, COMPLETE, {r"Windows\System32\cmd.exe": b"MZ"}, ["advice"]),
        ({"SetupType": 2, "CmdLine": '"%ProgramFiles%\\a b\\c.exe" /x'}, COMPLETE, {}, ["advice"]),
        ({"SetupType": 2, "CmdLine": "Z:\\c.exe"}, COMPLETE, {}, ["advice"]),
        ({"SetupType": 2, "CmdLine": "oobe\\gone.exe", "OOBEInProgress": 1}, COMPLETE, {}, []),
        ({"SetupType": 2, "CmdLine": "oobe\\gone.exe"}, None, {}, []),
        ({"SetupType": 0, "CmdLine": "oobe\\gone.exe"}, COMPLETE, {}, []),
    ],
)
def test_a_command_of_setup_counts_where_windows_says_that_it_is_finished(
    setup: dict[str, object], software: Keys | None, files: dict[str, bytes], severities: list[str]
) -> None:
    findings = found("setup-command", {"Setup": setup}, files, software)  # type: ignore[dict-item]
    assert [each.severity for each in findings] == severities
    assert all(each.applicability == "on_request" for each in findings)


def test_no_command_of_setup_is_not_one_that_is_gone() -> None:
    [finding] = found("setup-command", {"Setup": {"SetupType": 2, "CmdLine": ""}}, software=COMPLETE)
    assert finding.summary == "Setup\\SetupType is 2: nothing is to run at the start"


@pytest.mark.parametrize(
    ("lines", "left"),
    [
        (["autocheck autochk *"], None),
        (["autocheck autochk /r \\??\\C:", "autocheck autochk *"], None),
        (["gone.exe"], ["autocheck autochk *"]),
        (["autocheck autochk *", "gone /x"], ["autocheck autochk *"]),
        (["C:\\elsewhere\\gone.exe"], None),
        ([], None),
    ],
)
def test_of_boot_execute_only_programs_by_plain_names_are_looked_for(lines: list[str], left: list[str] | None) -> None:
    files = {r"Windows\System32\autochk.exe": b"MZ"}
    findings = found("boot-execute", {r"ControlSet001\Control\Session Manager": {"BootExecute": lines}}, files)
    after = [change.after.data for each in findings for change in each.changes]  # type: ignore[attr-defined]
    assert after == ([left] if left else [])


def test_a_driver_whose_file_may_be_missing_is_none_that_is_lost() -> None:
    services: Keys = {
        r"ControlSet001\Services\gone": SERVICE,
        r"ControlSet002\Services\gone": SERVICE,
        r"ControlSet001\Services\ignored": SERVICE | {"ErrorControl": 0},
        r"ControlSet001\Services\later": SERVICE,
        r"ControlSet001\Services\later\StartOverride": {"0": 3},
        r"ControlSet001\Services\elsewhere": SERVICE | {"ImagePath": "\\??\\Z:\\x.sys"},
        r"ControlSet001\Services\there": SERVICE,
        r"ControlSet001\Services\storvsc": SERVICE,
        r"ControlSet001\Services\clfs": SERVICE | {"ErrorControl": 3},
    }
    files = {r"Windows\System32\drivers\there.sys": b"MZ"}
    findings = {each.summary.split()[1]: each for each in found("lost-driver", services | SECOND, files)}
    assert set(findings) == {"gone", "clfs"}
    assert findings["clfs"].severity == "critical"
    assert findings["clfs"].changes == ()
    assert "one of Windows' own" in findings["clfs"].meaning
    assert [change.title for change in findings["gone"].changes] == [
        rf"set ControlSet00{number}\Services\gone\Start" for number in (1, 2)
    ]


def test_the_verifier_counts_where_it_names_drivers() -> None:
    memory = r"ControlSet001\Control\Session Manager\Memory Management"
    assert not found("driver-verifier", {memory: {"VerifyDriverLevel": 1}})
    assert not found("driver-verifier", {memory: {"VerifyDrivers": " "}})
    [finding] = found("driver-verifier", {memory: {"VerifyDrivers": "a.sys b.sys", "VerifyDriverLevel": 1}})
    assert [change.kind for change in finding.changes] == ["delete-value", "delete-value"]
