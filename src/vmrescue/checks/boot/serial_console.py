"""serial-console: Emergency Management Services are off for the default loader, or speak on another port or speed.

Without them Azure's serial console stays dark, and it is the only way in while the network is not up. The boot menu
there is asked for by the policy only. Source of what it takes: Microsoft, "Azure Serial Console for Windows", section
"Enable the Windows boot menu in the serial console".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from vmrescue.bcd import Format, ObjectType, edits, objects
from vmrescue.checks import steps
from vmrescue.checks.finding import Finding
from vmrescue.windows.hive_changes import hive_changes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from vmrescue.bcd import BcdObject, Store
    from vmrescue.checks.policy import Policy
    from vmrescue.registry.operations import Operation
    from vmrescue.windows import Installation

ID = "serial-console"
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


def check(installation: Installation, policy: Policy) -> Iterator[Finding]:
    store = installation.boot.store
    loader = installation.boot.loader
    settings = _settings(store, loader, policy)
    found = {each.name: _value(store.find(each.guid), each.element) for each in settings}
    wanted: list[Operation] = []
    if store.find(EMS_SETTINGS) is None:
        wanted += edits.create_object(EMS_SETTINGS, EMS_SETTINGS_TYPE)
    wanted += [
        edits.set_element(each.guid, each.element, each.format, each.right)
        for each in settings
        if found[each.name] != each.right
    ]
    changes = hive_changes(installation.boot.hive, wanted)
    if not changes:
        return
    yield Finding(
        check=ID,
        severity="advice",
        summary=_summary(loader, settings, found),
        meaning="Azure's serial console, the only way in while the network is not up, would stay dark.",
        step=steps.SERIAL_AND_DUMP,
        evidence={
            "loader": loader.identifier if loader else None,
            "found": found,
            "wanted": {each.name: each.right for each in settings},
        },
        changes=tuple(changes),
    )


def _settings(store: Store, loader: BcdObject | None, policy: Policy) -> list[_Setting]:
    settings = [_Setting("ems", loader.guid, EMS, Format.BOOLEAN, True)] if loader else []
    settings += [
        _Setting("emsport", EMS_SETTINGS, EMS_PORT, Format.INTEGER, policy.ems_port),
        _Setting("emsbaudrate", EMS_SETTINGS, EMS_BAUD_RATE, Format.INTEGER, policy.ems_baud_rate),
    ]
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
    if any(each.guid == BOOT_MANAGER and found[each.name] != each.right for each in settings):
        parts.append("the boot menu does not show there")
    return "; ".join(parts)
