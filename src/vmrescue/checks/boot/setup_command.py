"""setup-command: a program of setup is to run before anybody can log on, though setup is finished."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from vmrescue.checks.check import check
from vmrescue.checks.facts import Setting
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part
from vmrescue.errors import VmRescueError
from vmrescue.plan import RegistryData
from vmrescue.registry.operations import SetValue
from vmrescue.windows.hive_changes import hive_changes
from vmrescue.windows.programs import find_program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.finding import Finding
    from vmrescue.checks.subject import Subject
    from vmrescue.windows import OperatingSystem

SETUP, TYPE, COMMAND = "Setup", "SetupType", "CmdLine"
IN_PROGRESS = ("SystemSetupInProgress", "OOBEInProgress", "UpgradeInProgress", "FactoryPreInstallInProgress")
STATE, IMAGE_STATE, COMPLETE = r"Microsoft\Windows\CurrentVersion\Setup\State", "ImageState", "IMAGE_STATE_COMPLETE"
NOTHING, EMPTY = RegistryData.dword(0), RegistryData.sz("")


@check(
    "setup-command",
    family="boot",
    severity="warning",
    title="Windows is to run a setup command at the start, though setup is finished",
    meaning="Windows runs the command before anybody can log on. When it ends, SetupType 1 leads to another start, "
    "and SetupType 2 to the logon. No source says what happens if the command's program is gone.",
    fires="SetupType in SYSTEM\\Setup is not 0, though ImageState says that the image is complete and no other flag "
    "says that setup goes on. It is advice if the program of CmdLine is there",
    repair="set SetupType to 0, and CmdLine to an empty text",
    source='Microsoft, "The Windows Vista Setup program runs a script file to enable custom deployment tasks": '
    'CmdLine, SetupType; its forum, "SetupType and CmdLine at HKEY_LOCAL_MACHINE\\System\\Setup": what 1 and 2 are; '
    '"Windows Setup States": ImageState',
    step=RunbookStep.REPAIR_VM,
    needs=(Part.WINDOWS,),
    applicability="on_request",
)
def setup_command(subject: Subject) -> Iterator[Finding]:
    windows = subject.windows
    hive = windows.system
    if not hive.number(SETUP, TYPE) or not _is_finished(windows):
        return
    command = hive.text(SETUP, COMMAND) or ""
    gone = find_program(subject.installation.drives, windows, command).gone
    wanted = {TYPE: NOTHING, COMMAND: EMPTY}
    yield setup_command.finding(
        f"Setup\\SetupType is {hive.number(SETUP, TYPE)}: {command or 'nothing'} is to run at the start"
        + (", and is not there" if gone and command else ""),
        severity=None if gone else "advice",
        facts=tuple(Setting(hive.path, SETUP, name, hive.data(SETUP, name), data) for name, data in wanted.items()),
        changes=hive_changes(hive, [SetValue(SETUP, name, data.type, data.raw) for name, data in wanted.items()]),
    )


def _is_finished(windows: OperatingSystem) -> bool:
    """Whether Windows itself says so: a VM that is yet to be set up has the same command."""
    if any(windows.system.number(SETUP, flag) for flag in IN_PROGRESS):
        return False
    with suppress(VmRescueError):  # a SOFTWARE that cannot be read says nothing
        state = windows.software.text(STATE, IMAGE_STATE) if windows.software else None
        return state == COMPLETE
    return False
