"""serial-console: Emergency Management Services are off for the default loader, or speak on another port or speed.

Without them Azure's serial console stays dark, and it is the only way in while the network is not up. The boot menu
there is asked for by the policy only. Source of what it takes: Microsoft, "Azure Serial Console for Windows", section
"Enable the Windows boot menu in the serial console".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from vmrescue.bcd import Format, ObjectType, edits, objects
from vmrescue.checks.check import check
from vmrescue.checks.fact import SettingDifference
from vmrescue.checks.facts import BootSettings
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part
from vmrescue.windows.hive_changes import hive_changes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from vmrescue.bcd import BcdObject, Store
    from vmrescue.checks.finding import Finding
    from vmrescue.checks.policy import Policy
    from vmrescue.checks.subject import Subject
    from vmrescue.registry.operations import Operation

EMS = 0x260000B0  # BcdOSLoaderBoolean_EmsEnabled
EMS_PORT = 0x15000022  # BcdLibraryInteger_EmsPort
EMS_BAUD_RATE = 0x15000023  # BcdLibraryInteger_EmsBaudRate
BOOT_EMS = 0x16000020  # BcdLibraryBoolean_EmsEnabled
DISPLAY_BOOT_MENU = 0x26000020  # BcdBootMgrBoolean_DisplayBootMenu
TIMEOUT = 0x25000004  # BcdBootMgrInteger_Timeout
MENU_SECONDS = 10
EMS_SETTINGS = objects.BY_ALIAS["emssettings"].guid
EMS_SETTINGS_TYPE = ObjectType(0x20100000)  # an object that any application inherits from
BOOT_MANAGER = objects.BY_ALIAS["bootmgr"].guid


class _Setting(NamedTuple):
    """One element as it is to be; `name` is bcdedit's."""

    name: str
    guid: UUID
    element: int
    format: Format
    right: int


@check(
    "serial-console",
    family="boot",
    severity="advice",
    title="EMS is off for the default loader, or its port or speed differ",
    meaning="Azure's serial console, the only way in while the network is not up, would show nothing.",
    fires="`ems` of the default loader is not on, or `emsport` and `emsbaudrate` of {emssettings} are not 1 and "
    "115200 (or what the policy says), or an element that the loader prefers to these has another value. If the "
    "policy asks for the boot menu there, it also fires if the menu is not shown",
    repair="set the elements",
    source='Microsoft, "Azure Serial Console for Windows", "Enable the Windows boot menu in the serial console"',
    step=RunbookStep.SERIAL_AND_DUMP,
    needs=(Part.BOOT_STORE,),
)
def serial_console(subject: Subject) -> Iterator[Finding]:
    store, loader = subject.boot.store, subject.boot.windows_loader
    settings = _settings(store, loader, subject.policy)
    found = {each.name: _value(store.find(each.guid), each.element) for each in settings}
    wanted: list[Operation] = []
    if store.find(EMS_SETTINGS) is None:
        wanted += edits.create_object(EMS_SETTINGS, EMS_SETTINGS_TYPE)
    wanted += [
        edits.set_element(each.guid, each.element, each.format, each.right)
        for each in settings
        if found[each.name] != each.right
    ]
    changes = hive_changes(subject.boot.hive, wanted)
    if not changes:
        return
    differences = tuple(SettingDifference(each.name, found[each.name], each.right) for each in settings)
    yield serial_console.finding(
        _summary(loader, settings, found),
        facts=(BootSettings(loader.identifier if loader else None, differences),),
        changes=changes,
    )


def _settings(store: Store, loader: BcdObject | None, policy: Policy) -> list[_Setting]:
    settings = [_Setting("ems", loader.guid, EMS, Format.BOOLEAN, True)] if loader else []
    settings += [
        _Setting("emsport", EMS_SETTINGS, EMS_PORT, Format.INTEGER, policy.ems_port),
        _Setting("emsbaudrate", EMS_SETTINGS, EMS_BAUD_RATE, Format.INTEGER, policy.ems_baud_rate),
    ]
    for name, number, right in (
        ("emsport", EMS_PORT, policy.ems_port),
        ("emsbaudrate", EMS_BAUD_RATE, policy.ems_baud_rate),
    ):
        first = loader.inherited(number) if loader else None
        if first is not None and first.object.guid != EMS_SETTINGS:  # it comes before that of {emssettings}
            owner = first.object.guid
            settings.append(_Setting(f"{name} of {objects.identifier_of(owner)}", owner, number, Format.INTEGER, right))
    if policy.boot_menu and store.find(BOOT_MANAGER):
        settings += [
            _Setting("displaybootmenu", BOOT_MANAGER, DISPLAY_BOOT_MENU, Format.BOOLEAN, True),
            _Setting("timeout", BOOT_MANAGER, TIMEOUT, Format.INTEGER, MENU_SECONDS),
            _Setting("bootems", BOOT_MANAGER, BOOT_EMS, Format.BOOLEAN, True),
        ]
    return settings


def _value(entry: BcdObject | None, number: int) -> Any:
    """The value that takes effect: the object's own, or one that it inherits; None for one that means nothing."""
    element = entry.inherited(number) if entry else None
    return element.sound_value if element else None


def _summary(loader: BcdObject | None, settings: list[_Setting], found: dict[str, Any]) -> str:
    parts = []
    if loader and found["ems"] is not True:
        parts.append(f"EMS is off for the default loader {loader.identifier}")
    parts.append(f"{{emssettings}} has port {found['emsport'] or 'unset'}, speed {found['emsbaudrate'] or 'unset'}")
    parts += [
        f"{each.name}, which comes first, is {found[each.name] or 'unset'}"
        for each in settings
        if each.element in (EMS_PORT, EMS_BAUD_RATE) and each.guid != EMS_SETTINGS and found[each.name] != each.right
    ]
    if any(each.guid == BOOT_MANAGER and found[each.name] != each.right for each in settings):
        parts.append("the boot menu does not show there")
    return "; ".join(parts)
