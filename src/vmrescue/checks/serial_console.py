"""serial-console: Emergency Management Services are off for the default loader, or speak on another port or speed.

Without them Azure's serial console stays dark, and it is the only way in while the network is not up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vmrescue.bcd import Format, ObjectType, edits, objects
from vmrescue.checks import steps
from vmrescue.checks.finding import Finding
from vmrescue.windows.hive_changes import boot_changes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.bcd import BcdObject
    from vmrescue.checks.policy import Policy
    from vmrescue.windows import Installation

ID = "serial-console"
EMS = 0x260000B0  # BcdOSLoaderBoolean_EmsEnabled
EMS_PORT = 0x15000022  # BcdLibraryInteger_EmsPort
EMS_BAUD_RATE = 0x15000023  # BcdLibraryInteger_EmsBaudRate
EMS_SETTINGS = objects.BY_ALIAS["emssettings"].guid
EMS_SETTINGS_TYPE = ObjectType(0x20100000)  # an object that any application inherits from


def check(installation: Installation, policy: Policy) -> Iterator[Finding]:
    loader = installation.boot.loader
    settings = installation.boot.store.find(EMS_SETTINGS)
    port_and_speed = {EMS_PORT: policy.ems_port, EMS_BAUD_RATE: policy.ems_baud_rate}
    wanted: list[edits.Edit] = []
    if loader and _value(loader, EMS) is not True:
        wanted.append(edits.set_element(loader.guid, EMS, Format.BOOLEAN, True))
    if settings is None:
        wanted += edits.create_object(EMS_SETTINGS, EMS_SETTINGS_TYPE)
    wanted += [
        edits.set_element(EMS_SETTINGS, number, Format.INTEGER, right)
        for number, right in port_and_speed.items()
        if _value(settings, number) != right
    ]
    changes = boot_changes(installation.boot.hive, wanted)
    if not changes:
        return
    found = {"ems": _value(loader, EMS), "emsport": _value(settings, EMS_PORT)}
    found["emsbaudrate"] = _value(settings, EMS_BAUD_RATE)
    yield Finding(
        check=ID,
        severity="advice",
        summary=_summary(loader, found),
        meaning="Azure's serial console, the only way in while the network is not up, would stay dark.",
        step=steps.SERIAL_AND_DUMP,
        evidence={
            "loader": loader.identifier if loader else None,
            "found": found,
            "wanted": {"ems": True, "emsport": policy.ems_port, "emsbaudrate": policy.ems_baud_rate},
        },
        changes=tuple(changes),
    )


def _value(entry: BcdObject | None, number: int) -> Any:
    """The value that takes effect: the object's own, or one that it inherits."""
    element = entry.inherited(number) if entry else None
    return element.value if element else None


def _summary(loader: BcdObject | None, found: dict[str, Any]) -> str:
    port = f"{{emssettings}} has port {found['emsport'] or 'unset'}, speed {found['emsbaudrate'] or 'unset'}"
    off = loader and found["ems"] is not True
    return f"EMS is off for the default loader {loader.identifier}; {port}" if loader and off else port
