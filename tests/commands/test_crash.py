"""The power fails while a hive's file is edited: it is wholly as before, or wholly as asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from commands.here import output_of
from commands.hives import CRASH_CONTROL, system_hive, written
from support.crash import outcomes, recorded
from vmrescue.image.recovery import open_for_writing

if TYPE_CHECKING:
    from pathlib import Path


def settled(hive: Path) -> bytes:
    """The file once vmrescue has opened it to write again."""
    device, _ = open_for_writing(hive)
    try:
        return device.read_at(0, device.size)
    finally:
        device.close()


def test_an_edit_of_a_hives_file_that_crashes_leaves_it_wholly_old_or_wholly_new(tmp_path: Path) -> None:
    live, crashed = tmp_path / "live", tmp_path / "crashed"
    live.mkdir()
    hive = written(system_hive(), live / "SYSTEM")
    old = hive.read_bytes()
    long = "x" * 8000  # which makes the hive grow

    with recorded(live) as recording:
        output_of("reg", hive, "add", rf"HKLM\SYSTEM\{CRASH_CONTROL}", "/v", "DumpFile", "/d", long, "/f")

    new = hive.read_bytes()
    assert len(new) > len(old)
    found = outcomes(recording, crashed, lambda: settled(crashed / "SYSTEM"))
    assert set(found.values()) == {old, new}
    assert found[0, "keep"] == old
    assert found[len(recording.actions), "lose"] == new, "an edit that had been reported was lost"
