"""The temporary drive follows from the VM size's name."""

from __future__ import annotations

import pytest

from vmrescue import Policy
from vmrescue.checks.vm_size import temporary_drive
from vmrescue.errors import UsageError


@pytest.mark.parametrize(
    "size",
    [
        "Standard_D2s_v3",  # up to v3 all have one
        "Standard_DS2_v2",
        "Standard_A1",
        "Standard_B2ms",
        "Standard_F8s_v2",
        "Standard_L8s_v3",
        "Standard_NC6s_v3",
        "Standard_D4ds_v5",  # v4 and v5: with a d
        "Standard_E4-2ds_v5",
        "Standard_D4ads_v5",
        "Standard_NC24ads_A100_v4",
        "Standard_D4as_v4",  # Dasv4 has one without a d
        "Standard_E8as_v4",
        "Standard_DC2ds_v3",
    ],
)
def test_these_sizes_have_a_temporary_drive_for_the_page_file(size: str) -> None:
    assert temporary_drive(size) is True


@pytest.mark.parametrize(
    "size",
    [
        "Standard_D4s_v5",  # v4 and v5: without a d
        "Standard_E16_v4",
        "Standard_D4as_v5",
        "Standard_D4ds_v6",  # from v6 on the temporary disk is raw at every start
        "Standard_D4s_v6",
        "Standard_E8ads_v7",
        "Standard_B2ts_v2",
        "Standard_B4as_v2",
        "Standard_DC2s_v3",
        "Standard_M12s_v3",
    ],
)
def test_these_sizes_have_none(size: str) -> None:
    assert temporary_drive(size) is False
    assert Policy.azure(size).page_file == r"C:\pagefile.sys 0 0"


@pytest.mark.parametrize("text", ["", "D4ds_v5", "Standard_", "Standard_D4ds_v5; rm", "m5.large", "Standard_D4ds_vX"])
def test_a_text_that_names_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not the name of an Azure VM size"):
        temporary_drive(text)
