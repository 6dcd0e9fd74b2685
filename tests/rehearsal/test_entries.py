"""What the boot manager may not take of an entry: odd, where ReactOS' boot manager alone says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import vmrescue
from boot_data import BOOTMGR, LOADER, RECOVERY
from support.fault_disk import FaultDisk
from support.machine import need_root
from vmrescue.rehearsal.stage import State

if TYPE_CHECKING:
    from pathlib import Path

ENTRY, MANAGER = rf"\Objects\{LOADER}", rf"\Objects\{BOOTMGR}"


def told(text: str, folder: Path) -> list[tuple[str, State, str]]:
    """What is not as it should be on the way of a healthy disk, in whose store hivexregedit merged this."""
    need_root()
    disk = FaultDisk.copy_of("gen2", folder)
    disk.make([{"registry": "BCD", "text": text}])
    facts = vmrescue.rehearse(disk.path).facts()
    return [(fact.what.partition(" ")[0], fact.state, fact.said) for fact in facts if fact.state is not State.OK]


def key(owner: str, element: int, value: str) -> str:
    return f'[{owner}\\Elements\\{element:08x}]\n"Element"={value}'


def text(value: str) -> str:
    return "hex(1):" + (value + "\0").encode("utf-16-le").hex(",")


@pytest.mark.parametrize(
    ("edit", "what", "said"),
    [
        (r"[-\Description]", "boot", "its hive has no key Description"),
        (rf"[-{ENTRY}\Elements\12000004]", "description", "it is not set"),
        (rf"[-{ENTRY}\Elements\12000002]", "path", r"the boot manager takes \Windows\System32\winload.efi"),
        (rf"[-{ENTRY}\Elements\22000002]", "systemroot", "it is not set"),
        (key(ENTRY, 0x12000005, "dword:00000001"), "locale", "a value of registry type 4, not REG_SZ"),
        (key(ENTRY, 0x12000005, "-"), "locale", "its key holds no value"),
        (key(MANAGER, 0x25000004, "hex:"), "timeout", "an integer of 1 to 8 bytes was expected"),
        (f'[{ENTRY}\\Description]\n"Type"=dword:10200005', "type", "though its path is that of a loader of Windows"),
        (f'[{ENTRY}\\Description]\n"Type"=dword:00000003', "type", "though its path is that of a loader of Windows"),
        (
            key(MANAGER, 0x24000001, "hex(7):" + (RECOVERY + "\0\0").encode("utf-16-le").hex(",")),
            "default",
            f"displayorder does not name it: {RECOVERY} may be started, its first",
        ),
    ],
)
def test_what_is_not_sure_of_an_entry_is_odd(edit: str, what: str, said: str, quick_folder: Path) -> None:
    found = told(edit, quick_folder)
    assert [(name, state) for name, state, _ in found] == [(what, State.ODD)]
    assert said in found[0][2]


@pytest.mark.parametrize(
    ("edit", "what", "said"),
    [
        (f"[-{ENTRY}\\Description]", "type", "the store does not say what kind of entry it is"),
        (f'[{ENTRY}\\Description]\n"Type"=hex:03,00,20,10', "type", "the store does not say what kind of entry it is"),
        (key(ENTRY, 0x22000002, text('"\\Windows"')), "systemroot", "is no path of a folder"),
        (key(ENTRY, 0x12000002, text("")), "loader", "the entry names no file"),
    ],
)
def test_what_no_boot_manager_can_take_ends_the_start(edit: str, what: str, said: str, quick_folder: Path) -> None:
    name, state, text = told(edit, quick_folder)[0]
    assert (name, state, said in text) == (what, State.STOP, True)
