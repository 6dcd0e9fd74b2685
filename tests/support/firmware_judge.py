"""What a firmware starts of a disk: SeaBIOS, and OVMF, which is UEFI with a FAT driver of its own; both under QEMU.

Nothing of Windows is on the disks of the tests. In its place are programs that tell on the serial port what they see:
`tests/support/firmware/*.asm`, made by nasm, so that no foreign program is needed.
"""

from __future__ import annotations

import re
import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from support.fault_disk import BOOT, OS
from support.guest import disk, run_guest
from support.machine import need_tool, run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from support.fault_disk import FaultDisk

SOURCES = Path(__file__).with_name("firmware")
SECTOR, MIB = 512, 1 << 20
MASTER_CODE, VOLUME_CODE = slice(0, 440), slice(0x54, 510)  # where boot code lies in a sector
EFI_PLACES = ("EFI/Boot/bootx64.efi", "EFI/Microsoft/Boot/bootmgfw.efi")
EFI_COPY = "Windows/Boot/EFI/bootmgfw.efi"  # on the volume of Windows
SLOT = 4  # the first disk's place on the bus
LOADING = re.compile(r'BdsDxe: loading Boot[0-9A-F]{4} ".*" from PciRoot\(0x0\)/Pci\(0x([0-9A-F]+),0x0\)')
TOLD = re.compile(r"(bootx64\.efi|bootmgfw\.efi|BCD [0-9a-f]{16} [0-9a-f]{16}|error [0-9a-f]{16})")
FNV_BASIS, FNV_PRIME = 0xCBF29CE484222325, 0x100000001B3


@cache
def program(name: str, *options: str) -> bytes:
    """A program of `tests/support/firmware`."""
    with TemporaryDirectory() as folder:
        made = Path(folder) / name
        run("nasm", "-f", "bin", "-i", f"{SOURCES}/", *options, "-o", made, SOURCES / f"{name}.asm")
        return made.read_bytes()


def give_programs(disk: FaultDisk, *options: str) -> None:
    """Puts the programs where a healthy disk of `images/build.py` has code that only stands still.

    With the option ``-DPROMPT`` they end at a prompt, as Windows does, and not with a machine that is off.
    """
    if disk.generation == "gen1":
        _give_boot_code(disk, program("volume", *options))
        return
    manager = program("boot_manager", *options)
    for volume, places in ((BOOT, EFI_PLACES), (OS, (EFI_COPY,))):
        with disk.files(volume) as root:
            for place in places:
                (root / place).write_bytes(manager)


def _give_boot_code(disk: FaultDisk, code: bytes) -> None:
    first, second = code[: VOLUME_CODE.stop - VOLUME_CODE.start], code[SECTOR - VOLUME_CODE.start :]
    with disk.path.open("r+b") as stream:
        stream.write(program("master").ljust(MASTER_CODE.stop, b"\0"))
        for start, size in disk.ranges.values():
            for sector in (start, start + size - SECTOR):  # and the copy of it
                stream.seek(sector + VOLUME_CODE.start)
                stream.write(first)
            stream.seek(start + SECTOR)
            stream.write(second)


def bios_says(image: Path) -> list[str]:
    """The lines that a raw disk prints which SeaBIOS starts; none, if it starts nothing of it."""
    printed = run_guest("-boot", "reboot-timeout=0", *disk(0, image), memory=64)
    return printed.splitlines()


def uefi_says(images: Sequence[Path]) -> list[list[str]]:
    """Of each raw disk the lines that it prints which OVMF starts; all in one machine, one after the other."""
    code = need_tool("OVMF_CODE_4M.fd")
    with TemporaryDirectory() as name:
        folder = Path(name)
        variables = shutil.copy(code.replace("CODE", "VARS"), folder / "variables")
        words = [word for number, image in enumerate([*images, _last_disk(folder)]) for word in _at(number, image)]
        printed = run_guest(
            *("-drive", f"if=pflash,format=raw,readonly=on,file={code}"),
            *("-drive", f"if=pflash,format=raw,file={variables}"),
            *words,
            memory=256,
        )
    parts = LOADING.split(printed)[1:]
    told = {int(place, 16) - SLOT: TOLD.findall(text) for place, text in zip(parts[::2], parts[1::2], strict=True)}
    assert len(images) in told, f"the firmware did not come to the last disk:\n{printed[-3000:]}"
    return [told.get(number, []) for number in range(len(images))]


def _at(number: int, image: Path) -> list[str]:
    *words, device = disk(number, image)
    return [*words, f"{device},addr={SLOT + number:#x}"]


def _last_disk(folder: Path) -> Path:
    """An EFI system partition without a table, whose boot manager switches the machine off."""
    path, manager = folder / "last", folder / "manager"
    manager.write_bytes(program("boot_manager", "-DLAST"))
    with path.open("wb") as stream:
        stream.truncate(4 * MIB)
    run("mkfs.vfat", "-F", "12", path)
    run("mmd", "-i", path, "::/EFI", "::/EFI/Boot")
    run("mcopy", "-i", path, manager, f"::/{EFI_PLACES[0]}")
    return path


def store_line(store: bytes) -> str:
    """What the boot manager prints of a boot store with this content."""
    found = FNV_BASIS
    for byte in store:
        found = (found ^ byte) * FNV_PRIME & (1 << 64) - 1
    return f"BCD {len(store):016x} {found:016x}"
