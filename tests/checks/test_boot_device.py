r"""`boot-device` moves the elements that name a lost partition to where it is now, and no others.

The disk of generation 1 has another signature than its store names, so that every element of the store names a
partition that is lost: that of Windows is found again by the loader on it, the one of recovery by no file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import vmrescue
from boot_data import LOADER, RAMDISK_OPTIONS, RECOVERY, Place
from support.fault_disk import FaultDisk

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20
DEVICE, OS_DEVICE = "11000001", "21000001"


RECOVERS = f"[-\\Objects\\{LOADER}\\Elements\\16000009]\n\n[-\\Objects\\{LOADER}\\Elements\\250000e0]\n\n"


def elements(**said: bytes) -> str:
    """A text for hivexregedit: elements of recovery, to which two starts that failed lead."""
    return RECOVERS + "\n\n".join(
        f'[\\Objects\\{RECOVERY}\\Elements\\{element.removeprefix("e")}]\n"Element"=hex(3):{data.hex(",")}'
        for element, data in said.items()
    )


def moved(disk: FaultDisk) -> set[tuple[str, str]]:
    """The elements that a repair would write: object and element."""
    keys = [
        change["key"].split("\\")
        for finding in vmrescue.diagnose(disk.path, only=["boot-device"]).to_dict()["findings"]
        for change in finding["changes"]
    ]
    return {(key[1].lower(), key[3].lower()) for key in keys}


@pytest.mark.parametrize("same", [True, False], ids=["of Windows", "that is gone"])
def test_recovery_moves_with_the_partition_that_it_names(same: bool, tmp_path: Path) -> None:
    """Its own file is found nowhere: that it lies on the volume of Windows is known of the element alone."""
    disk = FaultDisk.copy_of("gen1", tmp_path)
    with disk.path.open("rb") as stream:
        stream.seek(440)
        signature = int.from_bytes(stream.read(4), "little")
    image = Place(signature, 33 * MIB if same else 700 * MIB).ramdisk(r"\nowhere.wim", RAMDISK_OPTIONS)
    disk.make(
        [{"registry": "BCD", "text": elements(e11000001=image, e21000001=image)}, {"bytes": 440, "hex": "01020304"}]
    )
    written = moved(disk)
    assert (LOADER.lower(), OS_DEVICE) in written
    assert ((RECOVERY.lower(), DEVICE) in written) == same
    assert ((RECOVERY.lower(), OS_DEVICE) in written) == same


def test_where_an_element_is_not_set_no_other_without_a_partition_is_written(tmp_path: Path) -> None:
    """An element that means the boot manager's own device names no partition, as one that is absent does not."""
    boot = bytes(16) + (5).to_bytes(4, "little") + bytes(4) + (72).to_bytes(8, "little") + bytes(56)
    text = elements(e11000001=boot) + f"\n\n[-\\Objects\\{LOADER}\\Elements\\{OS_DEVICE}]"
    disk = FaultDisk.copy_of("gen1", tmp_path)
    disk.make([{"registry": "BCD", "text": text}])
    assert moved(disk) == {(LOADER.lower(), OS_DEVICE)}
