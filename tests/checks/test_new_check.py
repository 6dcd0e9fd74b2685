"""A new check is a declaration and a few lines; it is tested on hives that the test builds, without a disk."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from support.command import output_of
from support.installation import LOADER, subject
from vmrescue.checks.check import Check, check
from vmrescue.checks.fact import Difference
from vmrescue.checks.facts import KeySettings, Setting
from vmrescue.checks.memory.bad_memory import bad_memory
from vmrescue.checks.rules import CHECKS, chosen, register
from vmrescue.checks.settings.crash_dump import crash_dump
from vmrescue.checks.settings.registry_values import wrong_dword, wrong_start
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part, Subject
from vmrescue.diagnosis.running import run
from vmrescue.plan import DeleteKey, RegistryData, SetValue
from vmrescue.report import explanation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.finding import Finding

SERVICE = r"ControlSet001\Services\TermService"


@check(
    "example-check",
    family="settings",
    severity="warning",
    title="the Remote Desktop service is disabled",
    meaning="Nobody can log on over the network.",
    fires="TermService has Start 4",
    repair="let it start on demand",
    source="Microsoft, troubleshoot-rdp-general-error",
    step=RunbookStep.REPAIR_VM,
    needs=(Part.WINDOWS,),
)
def remote_desktop(subject: Subject) -> Iterator[Finding]:
    yield from wrong_start(remote_desktop, subject, "TermService", right=[3, 2])


@check(
    "example-in-one-line",
    family="settings",
    severity="warning",
    title="connections by Remote Desktop are denied",
    meaning="Nobody can log on over the network.",
    fires="fDenyTSConnections is 1",
    repair="allow them",
    source="Microsoft, troubleshoot-rdp-general-error",
    step=RunbookStep.REPAIR_VM,
    needs=(Part.WINDOWS,),
    applicability="on_request",
)
def remote_desktop_denied(subject: Subject) -> Iterator[Finding]:
    yield from wrong_dword(remote_desktop_denied, subject, r"Control\Terminal Server", "fDenyTSConnections", right=[0])


@pytest.fixture
def registered() -> Iterator[Check]:
    """The check in the table of all, for as long as the test runs."""
    register(remote_desktop)
    yield remote_desktop
    del CHECKS[remote_desktop.id]


@pytest.mark.parametrize(("start", "wrong"), [(4, True), (3, False), (2, False)])
def test_a_check_of_a_services_start_value_is_ten_lines(registered: Check, start: int, wrong: bool) -> None:
    findings, not_checked = run(chosen([registered.id], ()), subject({SERVICE: {"Start": start}}))
    assert not_checked == []
    if not wrong:
        assert findings == []
        return
    [finding] = findings
    found, wanted = RegistryData.dword(4), RegistryData.dword(3)
    hive = r"Windows\System32\config\SYSTEM"
    assert (finding.check, finding.severity, finding.applicability) == ("example-check", "warning", "safe")
    assert finding.summary == rf"{SERVICE}: Start is 4 (disabled), not 3 (on demand)"
    assert finding.facts == (Setting(hive, SERVICE, "Start", found, wanted),)
    [change] = finding.changes
    assert isinstance(change, SetValue)
    assert (change.key, change.name, change.before, change.after) == (SERVICE, "Start", found, wanted)
    assert finding.evidence == {
        "hive": hive,
        "key": SERVICE,
        "value": "Start",
        "found": {"type": "REG_DWORD", "data": 4},
        "wanted": {"type": "REG_DWORD", "data": 3},
    }


def test_a_dword_that_is_not_there_or_of_another_type(registered: Check) -> None:
    assert run([registered], subject({}))[0] == []  # no such service: nothing to say
    [finding] = run([registered], subject({SERVICE: {"Start": "4"}}))[0]
    assert "Start is REG_SZ 4, not 3 (on demand)" in finding.summary
    key = r"ControlSet001\Control\Terminal Server"
    [finding] = run([remote_desktop_denied], subject({key: {"fDenyTSConnections": 1}}))[0]
    assert finding.applicability == "on_request"
    assert finding.on_request


def test_every_control_set_is_looked_at(registered: Check) -> None:
    keys = {
        f"ControlSet00{number}\\Services\\TermService": {"Start": start} for number, start in ((1, 4), (2, 4), (3, 2))
    }
    findings, _ = run([registered], subject(keys))  # type: ignore[arg-type]
    assert [finding.summary.partition("\\")[0] for finding in findings] == ["ControlSet001", "ControlSet002"]


def test_a_registered_check_is_told_wherever_checks_are(registered: Check) -> None:
    assert "example-check" in explanation.list_text()
    assert any(row.startswith("| `example-check` |") for row in explanation.table())
    assert "- **Repair**: Let it start on demand." in explanation.page()
    with pytest.raises(ValueError, match="two checks 'example-check'"):
        register(registered)


def test_a_check_runs_on_a_built_installation_in_milliseconds() -> None:
    built = subject({SERVICE: {"Start": 4}})
    run([remote_desktop], built)  # what is imported then is not the check's
    began = time.perf_counter()
    for _ in range(100):
        run([remote_desktop], built)
    assert (time.perf_counter() - began) / 100 < 0.05


def test_the_checks_of_values_and_of_the_store_run_on_it_too() -> None:
    dump = {r"ControlSet001\Control\CrashControl": {"CrashDumpEnabled": 7, "NMICrashDump": 1, "DumpFile": "Q:\\dump"}}
    [finding] = run([crash_dump], subject(dump))[0]  # type: ignore[arg-type]
    [setting] = [fact for fact in finding.facts if isinstance(fact, KeySettings)]
    assert setting.values[0] == Difference("CrashDumpEnabled", RegistryData.dword(7), RegistryData.dword(1))
    assert [each.name for each in setting.values] == ["CrashDumpEnabled", "DumpFile"]
    frames = (0x1F3A0).to_bytes(8, "little")
    [finding] = run([bad_memory], subject({}, {f"Objects\\{LOADER}\\Elements\\1700000a": {"Element": frames}}))[0]
    assert finding.evidence["page_frames"] == [0x1F3A0]
    assert [type(change) for change in finding.changes] == [DeleteKey]


def test_each_check_lies_in_the_folder_of_its_family_and_has_a_page() -> None:
    for name, each in CHECKS.items():
        assert name == each.id
        assert each.look.__module__ == f"vmrescue.checks.{each.family}.{name.replace('-', '_')}"
    assert output_of("explain", "--format", "markdown") == explanation.page()
