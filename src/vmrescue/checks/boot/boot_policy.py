"""boot-policy: starts that fail lead into Windows RE, where nobody on Azure can do anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vmrescue.bcd import edits
from vmrescue.bcd.elements import Format
from vmrescue.checks.check import check
from vmrescue.checks.fact import SettingDifference
from vmrescue.checks.facts import BootSettings
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part
from vmrescue.windows.hive_changes import hive_changes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.bcd import BcdObject
    from vmrescue.checks.finding import Finding
    from vmrescue.checks.subject import Subject


class _Setting(NamedTuple):
    name: str  # bcdedit's
    element: int
    format: Format
    right: int


AZURE = "azure"  # as the policy calls the machine
# Microsoft, "Prepare a Windows VHD or VHDX to upload to Azure": what it sets for the loader
RECOVERY = _Setting("recoveryenabled", 0x16000009, Format.BOOLEAN, False)
POLICY = _Setting("bootstatuspolicy", 0x250000E0, Format.INTEGER, 1)  # ignore all failures
SEQUENCE = 0x14000008  # BcdLibraryObjectList_RecoverySequence
SETTINGS = (_Setting("integrityservices", 0x1500004B, Format.INTEGER, 1), RECOVERY, POLICY)


@check(
    "boot-policy",
    family="boot",
    severity="advice",
    title="starts that fail lead into Windows RE",
    meaning="On Azure nobody can see or answer Windows RE. The VM stays there, perhaps with 0xC0000017, and the "
    "first failure is no longer shown.",
    fires="the default loader has a recoverysequence; it has neither recoveryenabled off nor bootstatuspolicy "
    "IgnoreAllFailures; and Windows RE has no room in memory, or the policy says that the machine is Azure's",
    repair="set recoveryenabled, bootstatuspolicy and integrityservices, as Microsoft does for disks that go to Azure",
    source='Microsoft, "Prepare a Windows VHD or VHDX to upload to Azure"',
    step=RunbookStep.REPAIR_VM,
    needs=(Part.BOOT_STORE,),
    applicability="on_request",
)
def boot_policy(subject: Subject) -> Iterator[Finding]:
    loader = subject.boot.windows_loader
    if loader is None or loader.inherited(SEQUENCE) is None:
        return  # it has no Windows RE
    if _value(loader, RECOVERY) == RECOVERY.right or _value(loader, POLICY) == POLICY.right:
        return
    later = subject.rehearsal.later
    if later is None and subject.policy.platform != AZURE:
        return  # elsewhere somebody may see it and answer
    wanted = [edits.set_element(loader.guid, each.element, each.format, each.right) for each in SETTINGS]
    settings = tuple(SettingDifference(each.name, _value(loader, each), int(each.right)) for each in SETTINGS)
    yield boot_policy.finding(
        f"after two starts that fail, {loader.identifier} starts Windows RE" + (f": {later.reason}" if later else ""),
        facts=(BootSettings(loader.identifier, settings),),
        changes=hive_changes(subject.boot.hive, wanted),
    )


def _value(loader: BcdObject, setting: _Setting) -> int | None:
    """The value that takes effect; None where nothing sets it, or it means nothing."""
    element = loader.inherited(setting.element)
    value = element.sound_value if element else None
    return int(value) if isinstance(value, int) else None
