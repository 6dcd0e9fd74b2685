"""Whether a VM size has a temporary drive: held against what Microsoft's tables print for each size."""

from __future__ import annotations

from pathlib import Path

import pytest

from vmrescue import Policy
from vmrescue.checks.vm_size import temporary_drive
from vmrescue.errors import UsageError

PUBLISHED = Path(__file__).with_name("data") / "vm_sizes_published.txt"


def published() -> dict[str, str]:
    """The size of each VM size's temporary disk, as the pages print it."""
    lines = [line for line in PUBLISHED.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    words = [word.split("=") for line in lines for word in line.partition(": ")[2].split()]
    return {f"Standard_{name}": size for name, size in words}


def test_every_size_of_microsofts_tables_has_the_disk_that_they_say() -> None:
    expected = {name: size.isdigit() and int(size) > 0 for name, size in published().items()}
    assert len(expected) >= 200
    assert {name: temporary_drive(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("standard_d4DS_V5", True),
        (" Standard_E4-2ds_v5 ", True),
        ("Standard_M8-2ms", True),  # constrained: the disk of M8ms
        ("Standard_M416-208ms_v2", True),
        ("Standard_GS5-8", True),
        ("Standard_DS2_v2_Promo", True),
        ("Basic_A1", True),
        ("Standard_NC24ads_A100_v4", True),
        ("Standard_D4as_v4", True),  # though it has no d
        ("Standard_E8as_v4", True),
        ("Standard_D4as_v5", False),
        ("Standard_DC2s_v3", False),
        ("Standard_DC4as_cc_v5", False),
        ("Standard_B2ts_v2", False),
        ("Standard_E8ads_v7", False),  # raw at every start
        ("Standard_L8s_v3", True),
        ("Standard_L8s_v4", False),
    ],
)
def test_case_suffixes_and_constrained_sizes(name: str, wanted: bool) -> None:
    assert temporary_drive(name) is wanted


@pytest.mark.parametrize("name", ["Standard_D3ds_v5", "Standard_Q4ds_v9", "Standard_NV4ads_V710_v5"])
def test_a_size_that_no_table_has_is_not_guessed_at(name: str) -> None:
    assert temporary_drive(name) is None
    assert Policy.azure(name).has_temp_drive is None


@pytest.mark.parametrize("text", ["", "D4ds_v5", "Standard_", "Standard_D4ds_v5; rm", "m5.large", "Standard_D4ds_vX"])
def test_a_text_that_names_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not the name of an Azure VM size"):
        temporary_drive(text)
