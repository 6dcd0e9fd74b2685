"""serial-console with the boot menu: what Azure's documentation of the serial console sets on the boot manager."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from commands.here import output_of

if TYPE_CHECKING:
    from pathlib import Path

ONLY = ("--only", "serial-console")


def test_the_boot_menu_is_advised_only_when_it_is_asked_for(gen2_healthy: Path) -> None:
    assert "Nothing is wrong in what was checked: the one check found nothing." in output_of(
        "diagnose", gen2_healthy, *ONLY
    )

    document = json.loads(output_of("diagnose", gen2_healthy, *ONLY, "--with-boot-menu", "--format", "json"))

    (finding,) = document["findings"]
    assert finding["severity"] == "advice"
    assert "boot menu" in finding["summary"]
    found = {"displaybootmenu": None, "timeout": 30, "bootems": False}
    assert {name: finding["evidence"]["found"][name] for name in found} == found


def test_a_repair_sets_the_three_elements_and_bcdedit_lists_them(gen2_broken: Path) -> None:
    output_of("repair", gen2_broken, *ONLY, "--with-boot-menu", "--yes")

    listed = output_of("bcdedit", gen2_broken, "/enum", "{bootmgr}")
    assert "displaybootmenu         Yes\n" in listed
    assert "timeout                 10\n" in listed
    assert "bootems                 Yes\n" in listed
    assert "Nothing is wrong in what was checked: the one check found nothing." in output_of(
        "diagnose", gen2_broken, *ONLY, "--with-boot-menu"
    )
