"""Whether a VM size has a temporary drive: held against what Microsoft's tables print for each size."""

from __future__ import annotations

import csv
import re
from datetime import date
from importlib.resources import files
from pathlib import Path

import pytest

from vmrescue import Policy
from vmrescue.checks.vm_size import TABLE, temporary_drive
from vmrescue.errors import UsageError

PUBLISHED = Path(__file__).with_name("data") / "vm_sizes_published.txt"
# What Azure's service itself answers (Resource SKUs, MaxResourceVolumeMB), as Azure/karpenter-provider-azure has it,
# of 13 December 2024.
RESOURCE_SKUS = {
    **dict.fromkeys(("A0", "B1s", "B20ms", "D16plds_v5", "D2_v2", "D2_v3", "D2s_v3", "D64s_v3", "DS2_v2"), True),
    **dict.fromkeys(("E4d_v5", "F16s_v2", "M8-2ms", "NC16as_T4_v3", "NC24ads_A100_v4", "NC6s_v3"), True),
    **dict.fromkeys(("D128ds_v6", "D2_v5", "D2as_v6", "DC8s_v3"), False),
}


def published() -> dict[str, str]:
    """The size of each VM size's temporary disk, as the pages print it."""
    lines = [line for line in PUBLISHED.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return dict(word.split("=") for line in lines for word in line.partition(": ")[2].split())


def test_every_size_of_microsofts_tables_has_the_disk_that_they_say() -> None:
    expected = {name: None if size == "?" else size.isdigit() and size != "0" for name, size in published().items()}
    assert len(expected) >= 800
    assert {name: temporary_drive(f"Standard_{name}") for name in expected} == expected
    assert {name: temporary_drive(name) for name in RESOURCE_SKUS} == RESOURCE_SKUS


def test_each_row_of_the_table_names_its_page_and_date_and_no_size_stands_twice() -> None:
    text = files("vmrescue.checks").joinpath(TABLE).read_text(encoding="utf-8")
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    for row in rows:
        assert re.fullmatch(r"(?:sizes/[a-z-]+/)?[a-z0-9-]+", row["page"])
        assert date(2020, 1, 1) < date.fromisoformat(row["date"]) < date(2026, 11, 27)
        assert (row["read"] in ("sizes", "series"), row["temporary_disk"] in ("disk", "none", "raw")) == (True, True)
    names = [size.lower().replace("_", "") for row in rows for size in row["sizes"].split()]
    assert len(names) == len(set(names)) > 1200
    assert len(text) < 150_000


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("standard_d4DS_V5", True),
        ("d4ds_v5", True),
        ("Standard D4ds v5", True),  # as the portal writes it
        (" Standard_E4-2ds_v5 ", True),
        ("Standard_M416-208ms_v2", True),
        ("Standard_E96-24ads_v6", False),
        ("Standard_DS2_v2_Promo", True),
        ("Basic_A1", True),
        ("Standard_NC24ads_A100_v4", True),
        ("Standard_D4as_v4", True),  # though it has no d
        ("Standard_D4as_v5", False),
        ("Standard_DC4as_cc_v5", False),
        ("Standard_E8ads_v7", False),  # raw at every start
        ("Standard_L8s_v3", True),
        ("Standard_L8s_v4", False),
    ],
)
def test_case_suffixes_and_constrained_sizes(name: str, wanted: bool) -> None:
    assert temporary_drive(name) is wanted


@pytest.mark.parametrize(
    "name",
    [
        "Standard_D3ds_v5",
        "Standard_D4ds_v9",
        "Standard_M64-32bds_1_v3",
        "Standard_NV4ads_V710_v5",
        "Standard_NCC40ads_H100_v5",
        "Standard_ND96isr_MI300X_v5",
    ],
)
def test_a_size_that_no_table_has_is_not_guessed_at(name: str) -> None:
    assert temporary_drive(name) is None
    assert Policy.azure(name).has_temp_drive is None


@pytest.mark.parametrize("text", ["", "D", "Standard_", "Standard_D4ds_v5; rm", "m5.large", "Standard_D4ds_v5-", "__"])
def test_a_text_that_names_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not the name of an Azure VM size"):
        temporary_drive(text)


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("Standard_D4dsv5", "D4ds_v5"),
        ("Standard_D4sd_v5", "D4ds_v5"),
        ("Standard_D4d5_v5", "D4d_v5"),
        ("Standard_D4dds_v5", "D4ds_v5"),
        ("Standard_D04ds_v5", "D4ds_v5"),
        ("Standard_D4ds_v55", "D4ds_v5"),
        ("Standard_D4-ds_v5", "D4ds_v5"),
        ("Standard_Banana4d_v5", None),
        ("Standard_Q4ds_v9", None),
        ("Standard_D4ds_A100_v5", None),
    ],
)
def test_a_slip_of_the_pen_is_no_size_and_the_nearest_is_named(slip: str, meant: str | None) -> None:
    with pytest.raises(UsageError) as found:
        Policy.azure(slip)
    assert str(found.value).startswith(f"{slip!r} is not the name of an Azure VM size")
    assert str(found.value).endswith(
        f"did you mean Standard_{meant}?" if meant else "(they look like Standard_D4ds_v5)"
    )
