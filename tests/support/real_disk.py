"""A generation 2 disk of real parts, put together by tools of others: a volume that Windows formatted, a real SYSTEM
hive, a real boot store, and a bad memory list put in by hivex."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from support.machine import run
from support.machine_disk import mounted_ntfs
from support.real_data import corpus, sdist_disk, sdist_file

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20
ESP = MIB, 100 * MIB
OS_START = 117 * MIB
# the OS volume's partition, by the hive's own MountedDevices value for C:
OS_GUID = "1e178d94-4f79-41e9-865d-2e5b4328cd23"
PAGE_FRAMES = (0x1A2B3, 0x1A2B4, 0x40000)
BAD_MEMORY = r"\Objects\{5189b25c-5558-4bf2-bca4-289b11bd29e2}\Elements\1700000a"


def windows_volume(target: Path) -> int:
    """dissect.ntfs's `ntfs-cloud.bin`, as shipped: its log has work to replay. Returns its size in bytes."""
    run("cp", "--sparse=always", sdist_disk("dissect.ntfs", "tests/_data/ntfs-cloud.bin.gz"), target)
    return target.stat().st_size


def boot_store(target: Path) -> None:
    """The corpus's UEFI store with a bad memory list, which hivexregedit puts in."""
    target.write_bytes(corpus("hives/BCD-uefi"))
    frames = ",".join(f"{byte:02x}" for byte in struct.pack(f"<{len(PAGE_FRAMES)}Q", *PAGE_FRAMES))
    text = f'Windows Registry Editor Version 5.00\n\n[{BAD_MEMORY}]\n"Element"=hex:{frames}\n'
    edits = target.with_suffix(".reg")
    edits.write_text(text)
    run("hivexregedit", "--merge", target, edits)
    edits.unlink()


def real_disk(folder: Path, recovered: bool = True) -> Path:
    """The disk as a fixed VHD. Unless `recovered`, the OS volume's log is as Windows left it, and holds no hives."""
    volume, esp, store, disk = (folder / name for name in ("volume", "esp", "BCD", "disk.raw"))
    size = windows_volume(volume)
    if recovered:
        run("ntfsrecover", "-k", volume)
    with disk.open("wb") as stream:
        stream.truncate((-(-(OS_START + size) // MIB) + 1) * MIB)  # whole MiB, and room for the backup table
    run("sgdisk", "-n", f"1:{ESP[0] // 512}:+100M", "-t", "1:ef00", disk)
    run(
        "sgdisk",
        "-n",
        f"2:{OS_START // 512}:{(OS_START + size) // 512}",
        "-t",
        "2:0700",
        "-u",
        f"2:{OS_GUID}",
        disk,
    )
    with volume.open("r+b") as stream:
        boot_sector = stream.read(512)
        stream.seek(size)
        stream.write(boot_sector)  # the copy behind the volume, which one that was cut out of its partition lacks
    boot_store(store)
    with esp.open("wb") as stream:
        stream.truncate(ESP[1])
    run("mkfs.vfat", "-F", "32", esp)
    run("mmd", "-i", esp, "::/EFI", "::/EFI/Microsoft", "::/EFI/Microsoft/Boot")
    run("mcopy", "-i", esp, store, "::/EFI/Microsoft/Boot/BCD")
    for part, start in ((esp, ESP[0]), (volume, OS_START)):
        run("dd", f"if={part}", f"of={disk}", "bs=1M", f"seek={start // MIB}", "conv=notrunc,sparse")
    if recovered:
        with mounted_ntfs(disk, OS_START, size, writable=True) as root:
            config = root / "Windows/System32/config"
            config.mkdir(parents=True)
            (config / "SYSTEM").write_bytes(sdist_file("dissect.regf", "tests/_data/SYSTEM.gz"))
    image = folder / "real.vhd"
    run("qemu-img", "convert", "-O", "vpc", "-o", "subformat=fixed,force_size=on", disk, image)
    for part in (volume, esp, store, disk):
        part.unlink()
    return image
