"""serial-console: Emergency Management Services are off for the default loader, or speak on another port or speed.

Without them Azure's serial console stays dark, and it is the only way in while the network is not up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from vmrescue.checks import steps
from vmrescue.checks.boot_elements import create_object, object_name, set_element
from vmrescue.checks.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.bcd import BcdObject
    from vmrescue.checks.policy import Policy
    from vmrescue.plan import Change
    from vmrescue.windows import Installation

ID = "serial-console"
EMS = 0x260000B0  # BcdOSLoaderBoolean_EmsEnabled
EMS_PORT = 0x15000022  # BcdLibraryInteger_EmsPort
EMS_BAUD_RATE = 0x15000023  # BcdLibraryInteger_EmsBaudRate
EMS_SETTINGS = UUID("0ce4991b-e6b3-4b16-b23c-5e0d9250e5d9")
EMS_SETTINGS_TYPE = 0x20100000  # an object that any application inherits from


def check(installation: Installation, policy: Policy) -> Iterator[Finding]:
    store = installation.boot.store
    loader = store.default_loader()
    settings = store.object(EMS_SETTINGS)
    wanted = {"emsport": (EMS_PORT, policy.ems_port), "emsbaudrate": (EMS_BAUD_RATE, policy.ems_baud_rate)}
    found = {name: _value(settings, number) for name, (number, _) in wanted.items()}
    ems = _value(loader, EMS)
    changes: list[Change] = []
    if loader is not None and ems is not True:
        changes.append(set_element(installation, loader.guid, EMS, b"\x01"))
    if settings is None:
        changes.append(create_object(installation, EMS_SETTINGS, EMS_SETTINGS_TYPE))
    changes += [
        set_element(installation, EMS_SETTINGS, number, right.to_bytes(8, "little"))
        for name, (number, right) in wanted.items()
        if found[name] != right
    ]
    if not changes:
        return
    off = loader is not None and ems is not True
    yield Finding(
        check=ID,
        severity="advice",
        summary=_summary(loader, off, found),
        meaning="Azure's serial console, the only way in while the network is not up, would stay dark.",
        step=steps.SERIAL_AND_DUMP,
        evidence={
            "loader": object_name(loader) if loader else None,
            "found": {"ems": ems, **found},
            "wanted": {"ems": True, **{name: right for name, (_, right) in wanted.items()}},
        },
        changes=tuple(changes),
    )


def _value(entry: BcdObject | None, number: int) -> Any:
    element = entry.element(number) if entry else None
    return element.value if element else None


def _summary(loader: BcdObject | None, off: bool, found: dict[str, Any]) -> str:
    port = f"{{emssettings}} has port {found['emsport'] or 'unset'}, speed {found['emsbaudrate'] or 'unset'}"
    return f"EMS is off for the default loader {object_name(loader)}; {port}" if off and loader else port
