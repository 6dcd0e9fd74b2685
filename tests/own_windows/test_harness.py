"""The harness itself, on machines that are no Windows: boot code that shows the same prompt where it is whole.

What makes the prompt is `tests/support/firmware/*.asm`: of a BIOS, the boot code of the active volume; of UEFI, a boot
manager that finds its boot store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from own_windows.trials import MANAGERS_OF_ZEROS, Harness, Trial
from support.fault_disk import FaultDisk
from support.firmware_judge import give_programs
from support.machine import need_root, run

if TYPE_CHECKING:
    from pathlib import Path

ACTIVE = 446  # of the first partition's entry in an MBR
HIDDEN = 2048 * 512 + 0x1C  # of the volume in it
SECONDS = 600  # for a machine that is slow
NO_ACTIVE = Trial("no partition is active", (1,), "no active partition", patch=((ACTIVE, b"\0"),))
OTHER_PLACE = Trial("the volume is of another place", (1,), "A disk read error", patch=((HIDDEN, b"\x3f\0"),))
NOTHING = Trial("nothing is wrong", (1,), "never told")


def stub(generation: int, folder: Path) -> Path:
    """A disk that shows the prompt; of generation 1 as a VHD."""
    made = FaultDisk.copy_of(f"gen{generation}", folder)
    give_programs(made, "-DPROMPT")
    if generation == 2:
        return made.path
    image = folder / "stub.vhd"
    run("qemu-img", "convert", "-O", "vpc", "-o", "subformat=fixed,force_size=on", made.path, image)
    return image


def harness(generation: int, folder: Path) -> Harness:
    return Harness(generation, folder, SECONDS, SECONDS, off=1, accelerated=False, memory=256)


def test_a_bios_machine_is_stopped_by_faults_and_starts_once_it_is_rescued(quick_folder: Path) -> None:
    need_root()
    runs = harness(1, quick_folder)
    prepared = runs.prepared(stub(1, quick_folder))

    for trial in (NO_ACTIVE, OTHER_PLACE):
        stopped = runs.play(trial, prepared)
        assert stopped.told

    with pytest.raises(AssertionError, match="it starts all the same"):
        runs.play(NOTHING, prepared)


def test_a_uefi_machine_is_stopped_by_a_fault_and_its_screen_is_kept(quick_folder: Path) -> None:
    need_root()
    runs = harness(2, quick_folder)
    prepared = runs.prepared(stub(2, quick_folder))

    stopped = runs.play(MANAGERS_OF_ZEROS, prepared)

    assert stopped.told
    assert stopped.picture.read_bytes().startswith(b"\x89PNG")
