"""What the program in a boot record makes of its entries, and what is not known where these overlap."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import vmrescue
from support.fault_disk import FaultDisk
from support.machine import need_root
from vmrescue.rehearsal.stage import State

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ENTRIES, ENTRY = 446, 16


def changed(folder: Path, edit: Callable[[bytearray], None]) -> vmrescue.Rehearsal:
    """The rehearsal of a healthy disk whose boot record was edited so."""
    need_root()
    disk = FaultDisk.copy_of("gen1", folder).path
    with disk.open("r+b") as stream:
        record = bytearray(stream.read(512))
        edit(record)
        stream.seek(0)
        stream.write(record)
    return vmrescue.rehearse(disk)


def test_a_flag_that_is_none_before_the_active_entry_ends_the_start(quick_folder: Path) -> None:
    """Windows' programs say "Invalid partition table": thestarman.pcministry.com/asm/bochs/Invalid.htm."""

    def other_order(record: bytearray) -> None:
        first, second = record[ENTRIES : ENTRIES + ENTRY], record[ENTRIES + ENTRY : ENTRIES + 2 * ENTRY]
        record[ENTRIES : ENTRIES + 2 * ENTRY] = b"\x01" + second[1:] + first

    stop = changed(quick_folder, other_order).stop
    assert stop is not None
    assert (stop.stage, stop.screen) == ("firmware", "Invalid partition table")
    assert stop.reason == "partition table: entry 1 has a flag that is none of an active partition"


def test_a_flag_that_is_none_behind_the_active_entry_ends_nothing(quick_folder: Path) -> None:
    def behind(record: bytearray) -> None:
        record[ENTRIES + ENTRY] = 1

    assert changed(quick_folder, behind).stop is None


def test_where_partitions_overlap_nothing_is_said_to_end_the_start(quick_folder: Path) -> None:
    """They are not looked into; a BIOS reads the first sector of the active one all the same."""

    def third(record: bytearray) -> None:
        record[ENTRIES + 2 * ENTRY : ENTRIES + 3 * ENTRY] = struct.pack("<B3xB3xII", 0, 7, 4096, 8192)

    rehearsal = changed(quick_folder, third)
    assert rehearsal.stop is None
    assert [(fact.what, fact.state) for fact in rehearsal.stage("firmware").facts][-1] == (
        "active partition",
        State.UNKNOWN,
    )
    assert rehearsal.stage("boot-manager").state is State.UNKNOWN


def test_a_signature_counts_where_a_bios_begins(quick_folder: Path) -> None:
    """What is told of the active volume as critical (`boot-sector-without-a-signature`) is a warning of another."""
    need_root()
    disk = FaultDisk.copy_of("gen1", quick_folder)
    disk.make([{"bytes": 510, "volume": "os", "zeros": 2}])
    diagnosis = vmrescue.diagnose(disk.path)
    assert [(finding.check, finding.severity) for finding in diagnosis.findings] == [("boot-sector", "warning")]
    assert diagnosis.to_dict()["boot"]["stop"] is None
