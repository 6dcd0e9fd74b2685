"""Builds the sample images with tools of others: mkntfs, mkfs.vfat, mtools, sfdisk, sgdisk, hivexregedit, qemu-img …

Run as root (it mounts volumes it has just made): ``python images/build.py [NAME …]``. The results lie beside this file,
compressed. Only the empty hive that hivexregedit starts from is made by vmrescue.
"""

from __future__ import annotations

import lzma
import shutil
import struct
import subprocess
import sys
import tempfile
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from boot_data import Place, boot_store
from boot_path import boot_manager, write_files, write_master_code, write_volume_code
from registry_text import Keys, reg_text
from vmrescue.registry import Hive
from windows_data import default, sam, security, software, system

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAMS = ("mkntfs", "mkfs.vfat", "mmd", "mcopy", "sfdisk", "sgdisk", "hivexregedit", "ntfs-3g", "ntfsfix", "umount")

MIB = 1 << 20
HERE = Path(__file__).parent
FREE_WHEN_FULL = 200 * MIB  # less than the 300 MB that the procedure asks for
PAGE_FILE = 32 * MIB
MADE = datetime(2026, 11, 22, tzinfo=UTC)  # so that a hive is the same each time it is made
SECTOR, SERIAL_AT, SERIAL = 512, 0x48, bytes.fromhex("1122334455667788")

SIGNATURE = 0x5A3C17E9
DISK_GUID = uuid.UUID("6f0d6a51-3b77-4e0c-9a53-2d1f0c5b8e01")
ESP_GUID = uuid.UUID("6f0d6a51-3b77-4e0c-9a53-2d1f0c5b8e02")
OS_GUID = uuid.UUID("6f0d6a51-3b77-4e0c-9a53-2d1f0c5b8e03")
TEMPORARY_DISK = struct.pack("<IQ", 0x7E57D15C, MIB)  # the first partition of another disk, which has an MBR


@dataclass(frozen=True)
class Part:
    """A partition to be made: where it lies (MiB), and how its volume is formatted."""

    start: int
    size: int
    formatter: tuple[str, ...]


def run(*command: str | Path) -> None:
    """Quiet, unless it fails: mkntfs says of every file that it is no block device."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {done.returncode}: {done.stderr}")


@contextmanager
def mounted(volume: Path) -> Iterator[Path]:
    """An NTFS volume mounted for writing."""
    with tempfile.TemporaryDirectory() as folder:
        run("ntfs-3g", volume, folder)
        try:
            yield Path(folder)
        finally:
            run("umount", folder)


def write_hive(path: Path, keys: Keys) -> None:
    """An empty hive, filled by hivexregedit."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(hive_of(path.name, reg_text(keys)))


def hive_of(name: str, text: str) -> bytes:
    """A hive with what stands in a .reg document."""
    with tempfile.TemporaryDirectory() as folder:
        hive, document = Path(folder) / name, Path(folder) / "keys.reg"
        hive.write_bytes(Hive.create(name, clock=lambda: MADE).to_bytes())
        document.write_text(text)
        run("hivexregedit", "--merge", hive, document)
        return hive.read_bytes()


def fill(folder: Path, leave: int) -> None:
    """Takes room with a file of zeros until only `leave` bytes are free."""
    free = shutil.disk_usage(folder).free - leave
    target = folder / "Windows/Temp/fill.bin"
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as stream:
        for _ in range(free // MIB):
            stream.write(bytes(MIB))


def write_windows(folder: Path, system_keys: Keys, faults: bool, uefi: bool) -> None:
    """The folders and files of a Windows, as far as a diagnosis looks: the boot path is whole."""
    write_files(folder, uefi)
    config = folder / "Windows/System32/config"
    write_hive(config / "SYSTEM", system_keys)
    for name, keys in {"SOFTWARE": software(), "SAM": sam(), "SECURITY": security(), "DEFAULT": default()}.items():
        write_hive(config / name, keys)
    if faults:
        with (folder / "pagefile.sys").open("wb") as stream:
            stream.write(bytes(PAGE_FILE))
        fill(folder, FREE_WHEN_FULL)


def fill_esp(volume: Path, store: Path) -> None:
    """The boot manager, under its own name and as what a firmware without an entry for it starts, and the store."""
    run("mmd", "-i", volume, "::/EFI", "::/EFI/Microsoft", "::/EFI/Microsoft/Boot")
    run("mcopy", "-i", volume, store, "::/EFI/Microsoft/Boot/BCD")
    run("mmd", "-i", volume, "::/EFI/Boot")
    with tempfile.NamedTemporaryFile() as manager:
        manager.write(boot_manager(uefi=True))
        manager.flush()
        for place in ("Microsoft/Boot/bootmgfw.efi", "Boot/bootx64.efi"):
            run("mcopy", "-i", volume, manager.name, f"::/EFI/{place}")


def starts_at(start: int) -> tuple[str, ...]:
    """What a boot sector says of its place, for mkntfs: sectors before it, and the geometry that Windows takes."""
    return "-p", str(start * MIB // 512), "-H", "255", "-S", "63"


def make_volume(folder: Path, name: str, part: Part) -> Path:
    volume = folder / name
    with volume.open("wb") as stream:
        stream.truncate(part.size * MIB)
    run(*part.formatter, volume)
    if part.formatter[0] == "mkntfs":
        set_serial(volume)
    return volume


def set_serial(volume: Path) -> None:
    """The serial number of an NTFS volume, which mkntfs draws, so that its boot sector is the same each time."""
    with volume.open("r+b") as stream:
        for place in (0, -SECTOR):  # the boot sector, and its copy
            stream.seek(place + SERIAL_AT, 0 if place >= 0 else 2)
            stream.write(SERIAL)


def insert(disk: Path, volume: Path, part: Part) -> None:
    run("dd", f"if={volume}", f"of={disk}", "bs=1M", f"seek={part.start}", "conv=notrunc,sparse", "status=none")


def generation_1(folder: Path, faults: bool) -> Path:
    """MBR, an active System Reserved volume, two control sets."""
    reserved = Part(1, 32, ("mkntfs", "-q", "-F", *starts_at(1), "-L", "System Reserved"))
    os = Part(33, 606, ("mkntfs", "-q", "-F", *starts_at(33)))
    disk = folder / "disk.raw"
    with disk.open("wb") as stream:
        stream.truncate(640 * MIB)
    table = f"label: dos\nlabel-id: 0x{SIGNATURE:08x}\n1MiB,32MiB,7,*\n33MiB,606MiB,7\n"
    subprocess.run(["sfdisk", "-q", str(disk)], input=table.encode(), check=True)
    write_master_code(disk)
    boot_place, os_place = Place(SIGNATURE, MIB), Place(SIGNATURE, 33 * MIB)
    volume = make_volume(folder, "reserved", reserved)
    with mounted(volume) as root:
        write_hive(root / "Boot/BCD", boot_store(boot_place, os_place, uefi=False, faults=faults))
        (root / "bootmgr").write_bytes(boot_manager(uefi=False))
    write_volume_code(volume)
    insert(disk, volume, reserved)
    volume = make_volume(folder, "os", os)
    letters = {"C:": struct.pack("<IQ", SIGNATURE, 33 * MIB), "D:": TEMPORARY_DISK}
    with mounted(volume) as root:
        write_windows(root, system("VM-GEN1", 2, letters, faults), faults, uefi=False)
    if faults:
        run("ntfsfix", volume)  # leaves the volume marked dirty
    insert(disk, volume, os)
    return disk


def generation_2(folder: Path, faults: bool) -> Path:
    """GPT: EFI system partition, Microsoft reserved, OS; one control set, as newer Windows has it."""
    esp = Part(1, 40, ("mkfs.vfat", "-F", "32", "-s", "1", "-n", "SYSTEM"))
    os = Part(57, 580, ("mkntfs", "-q", "-F", *starts_at(57)))
    disk = folder / "disk.raw"
    with disk.open("wb") as stream:
        stream.truncate(640 * MIB)
    run("sgdisk", "-n", "1:2048:+40M", "-t", "1:ef00", "-u", f"1:{ESP_GUID}", "-c", "1:EFI system partition",
        "-n", "2:0:+16M", "-t", "2:0c01", "-c", "2:Microsoft reserved partition",
        "-n", "3:0:+580M", "-t", "3:0700", "-u", f"3:{OS_GUID}", "-c", "3:Basic data partition",
        "-U", str(DISK_GUID), disk)  # fmt: skip
    boot_place, os_place = Place(DISK_GUID, ESP_GUID), Place(DISK_GUID, OS_GUID)
    volume = make_volume(folder, "esp", esp)
    store = folder / "BCD"
    write_hive(store, boot_store(boot_place, os_place, uefi=True, faults=faults))
    fill_esp(volume, store)
    insert(disk, volume, esp)
    volume = make_volume(folder, "os", os)
    letters = {"C:": b"DMIO:ID:" + OS_GUID.bytes_le, "D:": TEMPORARY_DISK}
    with mounted(volume) as root:
        write_windows(root, system("VM-GEN2", 1, letters, faults), faults, uefi=True)
    if faults:
        run("ntfsfix", volume)
    insert(disk, volume, os)
    return disk


# name: (builder, with faults, VHD kind)
SAMPLES = {
    "gen1-broken": (generation_1, True, "fixed"),
    "gen2-broken": (generation_2, True, "dynamic"),
    "gen2-healthy": (generation_2, False, "dynamic"),
}


def build(name: str) -> Path:
    """Builds one sample; returns the compressed image."""
    builder, faults, kind = SAMPLES[name]
    target = HERE / f"{name}.vhd.xz"
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        disk = builder(folder, faults)
        vhd = folder / "disk.vhd"
        run("qemu-img", "convert", "-O", "vpc", "-o", f"subformat={kind},force_size=on", disk, vhd)
        with vhd.open("rb") as source, lzma.open(target, "wb", preset=9 | lzma.PRESET_EXTREME) as packed:
            shutil.copyfileobj(source, packed, MIB)
    return target


if __name__ == "__main__":
    for chosen in sys.argv[1:] or SAMPLES:
        made = build(chosen)
        print(f"{made.name}: {made.stat().st_size} bytes")
