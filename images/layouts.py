"""Healthy disks as the Setup of each Windows lays them out, from 7 to Server 2025: small volumes, whole boot paths.

Sources: Microsoft, "Configure UEFI/GPT-Based Hard Drive Partitions", "Configure BIOS/MBR-Based Hard Drive Partitions",
and their editions for Windows 7 to 10; the drivers that older ones have not, as what later ones are said to have added.
"""

from __future__ import annotations

import os
import struct
import subprocess
import tempfile
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import boot_path
from boot_data import Place, boot_store
from boot_path import DRIVERS, RECOVERY, SYSTEM32, boot_manager, file_of, wim, write_master_code, write_volume_code
from build import DISK_GUID, MIB, SIGNATURE, TEMPORARY_DISK, fill_esp, hive_of, mounted, run, starts_at
from registry_text import reg_text
from windows_data import default, sam, security, software, system

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry_text import Keys, Value

RESERVED, ESP, MSR, OS, RESCUE = "system reserved", "EFI system", "Microsoft reserved", "Windows", "recovery"
GPT_CODES = {ESP: "ef00", MSR: "0c01", OS: "0700", RESCUE: "2700"}
MBR_CODES = {RESERVED: "7", OS: "7", RESCUE: "27"}
OS_SIZE = 420  # MiB, so that enough is free; Setup takes the rest of the disk
# What came with Windows 8 and with Windows 10: older ones have neither the services nor the files.
SINCE_8 = {"acpiex", "pdc", "spaceport", "storahci", "stornvme", "WFPLWFS", "EhStorClass"}
SINCE_10 = {"volume", "iorate", "Wof", "WindowsTrustedRT", "vpci"}
NEW_FILES = {"clipsp.sys", "cmimcext.sys", "werkernel.sys", "ntosext.sys", "kd.dll"}


@dataclass(frozen=True)
class Layout:
    """A disk.

    Attributes:
        name, product, build: of the Windows.
        parts: the partitions in their order, with their sizes in MiB.
        style: ``mbr`` or ``gpt``.
        recovery: on which of them Windows RE lies.
        absent: services that this Windows has not.
    """

    name: str
    product: str
    build: str
    style: str
    parts: tuple[tuple[str, int], ...]
    recovery: str = RESCUE
    absent: frozenset[str] = field(default=frozenset())

    @property
    def uefi(self) -> bool:
        return self.style == "gpt"


OLD, MIDDLE = frozenset(SINCE_8 | SINCE_10), frozenset(SINCE_10)
SERVER = "Windows Server {} Datacenter"
LAYOUTS = (
    Layout("7", "Windows 7 Enterprise", "7601", "mbr", ((RESERVED, 100), (OS, OS_SIZE)), OS, OLD),
    Layout("2008-r2-one-partition", "Windows Server 2008 R2 Datacenter", "7601", "mbr", ((OS, OS_SIZE),), OS, OLD),
    Layout("8.1", "Windows 8.1 Pro", "9600", "mbr", ((RESERVED, 350), (OS, OS_SIZE)), RESERVED, MIDDLE),
    Layout("2012-r2-gen-2", "Windows Server 2012 R2 Datacenter", "9600", "gpt",
           ((RESCUE, 300), (ESP, 100), (MSR, 128), (OS, OS_SIZE)), RESCUE, MIDDLE),
    Layout("2016-gen-1", SERVER.format(2016), "14393", "mbr", ((RESERVED, 500), (OS, OS_SIZE)), RESERVED),
    Layout("2019-gen-2", SERVER.format(2019), "17763", "gpt", ((RESCUE, 499), (ESP, 99), (MSR, 16), (OS, OS_SIZE))),
    Layout("10-recovery-behind", "Windows 10 Pro", "19045", "mbr", ((RESERVED, 50), (OS, OS_SIZE), (RESCUE, 509))),
    Layout("11", "Windows 10 Enterprise", "22631", "gpt", ((ESP, 100), (MSR, 16), (OS, OS_SIZE), (RESCUE, 650))),
    Layout("2022-gen-1", SERVER.format(2022), "20348", "mbr", ((RESERVED, 500), (OS, OS_SIZE)), RESERVED),
    Layout("2025-gen-2", SERVER.format(2025), "26100", "gpt", ((ESP, 100), (MSR, 16), (OS, OS_SIZE), (RESCUE, 672))),
)  # fmt: skip


def build(layout: Layout, folder: Path) -> Path:
    """The disk, as a raw image with holes."""
    disk = folder / f"{layout.name}.raw"
    with disk.open("wb") as stream:
        stream.truncate((sum(size for _, size in layout.parts) + 3) * MIB)
    guids = {role: uuid.uuid5(DISK_GUID, role) for role, _ in layout.parts}
    starts = _partition(layout, disk, guids)
    places = {role: _place(layout, guids[role], start) for role, start in starts.items()}
    boot = next(role for role in (ESP, RESERVED, OS) if role in places)
    store = boot_store(places[boot], places[OS], layout.uefi, False, layout.product, places[layout.recovery])
    for role, size in layout.parts:
        if role == MSR:
            continue
        with _attached(disk, starts[role], size) as volume:
            if role == ESP:
                run("mkfs.vfat", "-F", "32", "-s", "1", "-n", "SYSTEM", volume)
                path = disk.parent / "BCD"
                path.write_bytes(_hive("BCD", store))
                fill_esp(volume, path)
                continue
            run("mkntfs", "-Q", "-F", *starts_at(starts[role]), volume)
            with mounted(volume) as root:
                if role == boot:
                    _write(root, {"Boot/BCD": _hive("BCD", store), "bootmgr": boot_manager(uefi=False)})
                if role == layout.recovery:
                    _write(root, _recovery())
                if role == OS:
                    _write_windows(root, layout, guids[OS], starts[OS])
            if role == boot:
                write_volume_code(volume)
    return disk


def _partition(layout: Layout, disk: Path, guids: dict[str, uuid.UUID]) -> dict[str, int]:
    """Writes the table; the first MiB of each partition."""
    starts, at = {}, 1
    for role, size in layout.parts:
        starts[role], at = at, at + size
    if layout.uefi:
        words = [
            word
            for number, (role, size) in enumerate(layout.parts, 1)
            for word in ("-n", f"{number}:{starts[role] * 2048}:+{size}M", "-t", f"{number}:{GPT_CODES[role]}",
                         "-u", f"{number}:{guids[role]}")
        ]  # fmt: skip
        run("sgdisk", *words, "-U", str(DISK_GUID), disk)
        return starts
    active = RESERVED if RESERVED in starts else OS
    rows = [
        f"{starts[role]}MiB,{size}MiB,{MBR_CODES[role]}{',*' if role == active else ''}" for role, size in layout.parts
    ]
    table = "\n".join(["label: dos", f"label-id: 0x{SIGNATURE:08x}", *rows, ""])
    subprocess.run(["sfdisk", "-q", str(disk)], input=table.encode(), check=True)
    write_master_code(disk)
    return starts


def _place(layout: Layout, guid: uuid.UUID, start: int) -> Place:
    return Place(DISK_GUID, guid) if layout.uefi else Place(SIGNATURE, start * MIB)


@contextmanager
def _attached(disk: Path, start: int, size: int) -> Iterator[Path]:
    """A partition as a file of its own, put back where it was taken from."""
    with tempfile.TemporaryDirectory(dir=disk.parent) as folder:
        volume = Path(folder) / "volume"
        with volume.open("wb") as stream:
            stream.truncate(size * MIB)
        yield volume
        _copy_data(volume, disk, start * MIB)


def _copy_data(source: Path, target: Path, offset: int) -> None:
    """Copies what a sparse file holds; its holes are those of the target."""
    with source.open("rb") as reader, target.open("r+b") as writer:
        at, end = 0, source.stat().st_size
        while at < end:
            try:
                at = os.lseek(reader.fileno(), at, os.SEEK_DATA)
            except OSError:  # nothing but a hole is left
                return
            hole = os.lseek(reader.fileno(), at, os.SEEK_HOLE)
            writer.seek(offset + at)
            writer.write(os.pread(reader.fileno(), hole - at, at))
            at = hole


def _write(root: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _recovery() -> dict[str, bytes]:
    return {
        f"{RECOVERY}/Winre.wim": wim(),
        f"{RECOVERY}/boot.sdi": b"$SDI0001".ljust(4096, b"\0"),
    }


def _write_windows(root: Path, layout: Layout, guid: uuid.UUID, start: int) -> None:
    gone = {f"{DRIVERS}/{file_of(name)}" for name in layout.absent}
    if layout.absent:
        gone |= {f"{folder}/{name}" for name in NEW_FILES for folder in (DRIVERS, SYSTEM32)}
    files = {name: data for name, data in boot_path.files(layout.uefi).items() if name not in gone}
    _write(root, {name: data for name, data in files.items() if not name.startswith(f"{RECOVERY}/")})
    letter = b"DMIO:ID:" + guid.bytes_le if layout.uefi else struct.pack("<IQ", SIGNATURE, start * MIB)
    hives = {"SYSTEM": _system(layout, letter), "SOFTWARE": _software(layout)}
    hives |= {"SAM": sam(), "SECURITY": security(), "DEFAULT": default()}
    _write(root, {f"{SYSTEM32}/config/{name}": _hive(name, keys) for name, keys in hives.items()})


def _system(layout: Layout, letter: bytes) -> Keys:
    keys = system("VM", 2 if layout.absent == OLD else 1, {"C:": letter, "D:": TEMPORARY_DISK}, faults=False)
    lost = tuple(f"\\Services\\{name}\\" for name in layout.absent)
    kept = {key: values for key, values in keys.items() if not any(each in f"{key}\\" for each in lost)}
    for key, values in kept.items():
        if "\\Control\\Class\\" in key:
            kept[key] = {name: left for name, value in values.items() if (left := _without(value, layout.absent))}
    return kept


def _without(value: Value, absent: frozenset[str]) -> Value:
    """A list of filters without those that this Windows has not; else the value."""
    return [each for each in value if each not in absent] if isinstance(value, list) else value


def _software(layout: Layout) -> Keys:
    keys = software()
    said = "Server" if "Server" in layout.product else "Client"
    keys["Microsoft\\Windows NT\\CurrentVersion"] |= {
        "ProductName": layout.product,
        "InstallationType": said,
        "CurrentBuild": layout.build,
        "CurrentBuildNumber": layout.build,
    }
    keys["Microsoft\\Windows\\CurrentVersion\\Setup\\State"] = {"ImageState": "IMAGE_STATE_COMPLETE"}
    return keys


def _hive(name: str, keys: Keys) -> bytes:
    return _made(name, reg_text(keys))


@cache
def _made(name: str, text: str) -> bytes:
    """A hive, made once: most are the same on all disks."""
    return hive_of(name, text)
