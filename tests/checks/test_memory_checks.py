r"""What withholds memory from a start: who reads the list of bad pages, and whether it uses them all the same.

{badmemory} is inherited by {globalsettings}, and that by boot manager and loader: each goes by its own elements first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import vmrescue
from support.fault_disk import FaultDisk

if TYPE_CHECKING:
    from pathlib import Path

BAD_MEMORY = "{5189b25c-5558-4bf2-bca4-289b11bd29e2}"
LOADER = "{0f6f5a2e-3c1d-11ef-9a77-00155d3a2b01}"
PAGES, ACCESS = "1700000a", "1600000b"  # badmemorylist, badmemoryaccess
LIST = "64,00,00,00,00,00,00,00"
ON, OFF = "01", "00"
ZERO, MIB = "00,00,00,00,00,00,00,00", "00,00,10,00,00,00,00,00"


def found(check: str, folder: Path, *elements: tuple[str, str, str]) -> list[tuple[str, str]]:
    """Of each finding its severity and summary, with these elements of objects in the store."""
    text = "\n\n".join(
        f'[\\Objects\\{owner}\\Elements\\{element}]\n"Element"=hex(3):{data}' for owner, element, data in elements
    )
    disk = FaultDisk.copy_of("gen1", folder)
    disk.make([{"registry": "BCD", "text": text}])
    return [(each.severity, each.summary) for each in vmrescue.diagnose(disk.path, only=[check]).findings]


@pytest.mark.parametrize(
    ("access", "severity"),
    [
        ([(BAD_MEMORY, ACCESS, ON)], "advice"),
        ([(BAD_MEMORY, ACCESS, OFF)], "critical"),
        ([(LOADER, ACCESS, ON)], "critical"),  # the boot manager still withholds them
        ([(BAD_MEMORY, ACCESS, ON), (LOADER, ACCESS, OFF)], "critical"),
    ],
    ids=["for all", "said to be off", "for the loader alone", "for all but the loader"],
)
def test_bad_pages_are_used_where_all_who_read_the_list_use_them(
    access: list[tuple[str, str, str]], severity: str, tmp_path: Path
) -> None:
    [finding] = found("bad-memory", tmp_path, (BAD_MEMORY, PAGES, LIST), *access)
    assert finding[0] == severity


def test_a_list_of_the_loaders_own_is_the_loaders_alone(tmp_path: Path) -> None:
    lists = ((BAD_MEMORY, PAGES, LIST), (LOADER, PAGES, LIST), (LOADER, ACCESS, ON))
    severities = {summary.partition(" ")[0]: severity for severity, summary in found("bad-memory", tmp_path, *lists)}
    assert severities.pop("{badmemory}") == "critical"
    assert list(severities.values()) == ["advice"]


@pytest.mark.parametrize(
    ("element", "data", "count"),
    [("15000007", ZERO, 1), ("15000007", MIB, 1), ("1500000d", ZERO, 0), ("1500000d", MIB, 1), ("1500000e", ZERO, 0)],
    ids=["truncatememory 0", "truncatememory", "relocatephysical 0", "relocatephysical", "avoidlowmemory 0"],
)
def test_a_limit_of_zero_withholds_nothing_but_where_it_is_an_upper_one(
    element: str, data: str, count: int, tmp_path: Path
) -> None:
    assert len(found("memory-limit", tmp_path, (LOADER, element, data))) == count
