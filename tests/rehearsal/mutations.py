"""Single faults of a healthy disk, each with what it means for a start: a table that shares no line with the rehearsal.

What is needed is said by the recipe that made the disk (`images/boot_path.py`) and by the articles on Azure VMs that do
not start. The faults are made by tools of others: ntfs-3g, mtools, hivexregedit, sgdisk, sfdisk.
"""

from __future__ import annotations

import tempfile
import uuid
import zlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import boot_data
import boot_path
import build
from stub_pe import stub
from support.machine import run
from support.machine_disk import mounted_ntfs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Edit = Callable[[Path], None]

MIB = 1 << 20
# byte offset and bytes of the volume of Windows, and of the volume that boots
WINDOWS = {1: (33 * MIB, 606 * MIB), 2: (57 * MIB, 580 * MIB)}
RESERVED = MIB, 32 * MIB
ESP = MIB
CONFIG = "Windows/System32/config"
STORES = {1: "Boot/BCD", 2: "EFI/Microsoft/Boot/BCD"}


@dataclass(frozen=True)
class Mutation:
    """One fault.

    Attributes:
        generation: of the disk.
        title: what is done.
        make: does it to the raw disk.
        stops: whether the start ends for it; False: it does not, or no source is sure.
    """

    generation: int
    title: str
    make: Edit
    stops: bool


def all_of(generation: int) -> list[Mutation]:
    """Every fault there is in the table."""
    return [
        *_files(generation),
        *_boot_files(generation),
        *_values(generation),
        *_elements(generation),
        *_layout(generation),
    ]


# The drivers without which Hyper-V and Azure give the kernel no disk. A machine of generation 1 has IDE beside.
EVERYWHERE = {"ACPI", "disk", "volmgr", "partmgr"}
BUS = {1: set[str](), 2: {"vmbus", "storvsc"}}
FILTERS = {name for _, filters in boot_path.CLASSES.values() for names in filters.values() for name in names}
FATAL_PROGRAMS = {
    "ntoskrnl.exe", "hal.dll", "ntdll.dll", "smss.exe", "csrss.exe", "wininit.exe", "winlogon.exe", "services.exe",
    "lsass.exe",
}  # fmt: skip
HIVES = {"SYSTEM", "SOFTWARE", "SAM", "SECURITY", "DEFAULT"}


def needed_files(generation: int) -> set[str]:
    """The files of Windows' volume without which a start ends."""
    suffix = "efi" if generation == 2 else "exe"
    drivers = {
        boot_path.file_of(name)
        for name, row in boot_path.SERVICES.items()
        if (row.start == 0 and row.error_control == boot_path.STOP and name not in boot_path.OVERRIDDEN)
        or name in EVERYWHERE | BUS[generation] | FILTERS
    }
    return {
        *(f"{boot_path.SYSTEM32}/{name}" for name in (*FATAL_PROGRAMS, f"winload.{suffix}")),
        *(f"{boot_path.DRIVERS}/{name}" for name in (*drivers, "ntfs.sys")),
        *(f"{CONFIG}/{name}" for name in HIVES),
    }


def _files(generation: int) -> Iterator[Mutation]:
    needed = needed_files(generation)
    there = {*boot_path.files(uefi=generation == 2), *(f"{CONFIG}/{name}" for name in HIVES)}
    for path in sorted(there):
        edits: dict[str, Callable[[Path], None]] = {"removed": Path.unlink, "zeroed": _zero, "emptied": _empty}
        if path.lower().endswith((".exe", ".sys", ".dll", ".efi")) or path.startswith(CONFIG):
            edits["cut"] = _cut
        if path in needed and path.lower().endswith((".exe", ".sys", ".dll", ".efi")):
            edits["for another machine"] = _other_machine
        for how, edit in edits.items():
            yield Mutation(generation, f"{path} {how}", partial(_on_windows, generation, path, edit), path in needed)


def _boot_files(generation: int) -> Iterator[Mutation]:
    paths = (
        {"bootmgr": True}
        if generation == 1
        else {"EFI/Microsoft/Boot/bootmgfw.efi": False, "EFI/Boot/bootx64.efi": False}
    )
    paths |= {STORES[generation]: True}
    for path, fatal in paths.items():
        edits: dict[str, Callable[[Path], None] | None] = {"removed": None, "zeroed": _zero, "emptied": _empty}
        if path == STORES[generation]:
            edits["cut"] = _cut
        for how, edit in edits.items():
            yield Mutation(generation, f"{path} {how}", partial(_on_boot, generation, path, edit), fatal)


def _values(generation: int) -> Iterator[Mutation]:
    services = "ControlSet001\\Services"
    for name in boot_path.SERVICES:
        fatal = name in EVERYWHERE | BUS[generation] | FILTERS | {"Ntfs"}
        yield _registry(generation, f"{name} off", f'[\\{services}\\{name}]\n"Start"=dword:00000004', fatal)
        yield _registry(generation, f"{name} lost", f"[-\\{services}\\{name}]", fatal)
        late = name in EVERYWHERE | BUS[generation]
        yield _registry(generation, f"{name} on demand", f'[\\{services}\\{name}]\n"Start"=dword:00000003', late)
    for guid, (title, _) in boot_path.CLASSES.items():
        text = f'[\\ControlSet001\\Control\\Class\\{guid}]\n"UpperFilters"=hex(7):6e,00,6f,00,6e,00,65,00,00,00,00,00'
        yield _registry(generation, f"a filter of {title} that is none", text, title != "hdc")
    select = {"Default": True, "Current": False, "LastKnownGood": False, "Failed": False}
    for value, fatal in select.items():
        yield _registry(generation, f"Select\\{value} is 7", f'[\\Select]\n"{value}"=dword:00000007', fatal)
    for value in ("SetupType", "SystemSetupInProgress"):
        yield _registry(generation, f"Setup\\{value} is 2", f'[\\Setup]\n"{value}"=dword:00000002', False)


def _elements(generation: int) -> Iterator[Mutation]:
    loader, manager = boot_data.LOADER, boot_data.BOOTMGR
    dead = "{0f6f5aff-3c1d-11ef-9a77-00155d3a2b01}"
    here = build.SIGNATURE if generation == 1 else build.DISK_GUID
    lost = boot_data.Place(here, 1 << 30 if generation == 1 else uuid.UUID(int=7)).device()
    away = boot_data.Place(0x11111111, 1 << 30).device()  # a disk that is not at hand
    for element in (0x11000001, 0x21000001):
        yield _element(generation, loader, element, f"hex:{_hex(lost)}", True)
        yield _element(generation, loader, element, f"hex:{_hex(away)}", False)
        yield _registry(generation, f"{loader} without {element:08x}", f"[-{_key(loader, element)}]", True, "BCD")
    yield _element(generation, loader, 0x12000002, _text("\\Windows\\system32\\none.efi"), True)
    yield _element(generation, loader, 0x22000002, _text("\\Nowhere"), True)
    yield _element(generation, manager, 0x23000003, _text(dead), False)
    yield _element(generation, manager, 0x24000001, f"hex(7):{_hex(dead.encode('utf-16-le') + bytes(4))}", False)
    yield _element(generation, manager, 0x24000002, f"hex(7):{_hex(dead.encode('utf-16-le') + bytes(4))}", False)
    for identifier, fatal in {loader: True, manager: True, boot_data.RESUME: False, boot_data.RECOVERY: False}.items():
        yield _registry(generation, f"{identifier} lost", f"[-\\Objects\\{identifier}]", fatal, "BCD")
    for element in (0x16000049, 0x260000A0, 0x26000090):
        yield _element(generation, loader, element, "hex:01", False)
    yield _element(generation, loader, 0x25000080, "hex:00,00,00,00,00,00,00,00", False)
    yield _element(generation, manager, 0x25000004, "hex:05,00,00,00,00,00,00,00", False)


def _layout(generation: int) -> Iterator[Mutation]:
    if generation == 1:
        yield Mutation(1, "the boot record's program is zeros", partial(_write, 0, bytes(440)), True)
        yield Mutation(1, "the disk has another signature", partial(_write, 440, b"\x01\x02\x03\x04"), True)
        yield Mutation(1, "no partition is active", partial(_write, 446, b"\x00"), True)
        yield Mutation(1, "two partitions are active", partial(_write, 462, b"\x80"), True)
        yield Mutation(1, "the active volume's boot sector has no signature", partial(_write, MIB + 510, b"\0\0"), True)
        yield Mutation(
            1, "the active volume's boot sector has no program", partial(_write, MIB + 0x54, bytes(426)), True
        )
        yield Mutation(1, "the active volume's hidden sectors are 63", partial(_write, MIB + 28, b"\x3f\0\0\0"), False)
        return
    table = {
        "-U": ("the disk has another id", "11111111-2222-3333-4444-555555555555", True),
        "-u": ("the OS partition has another id", "3:11111111-2222-3333-4444-555555555555", True),
        "-t": ("the EFI system partition has another type", "1:0700", False),  # firmware differs
        "-c": ("the OS partition has another name", "3:other", False),
    }
    for option, (title, value, fatal) in table.items():
        yield Mutation(2, title, partial(_sgdisk, option, value), fatal)
    yield Mutation(2, "the EFI system partition holds nothing", partial(_write, ESP, bytes(MIB)), True)
    yield Mutation(2, "the OS volume holds nothing", partial(_write, WINDOWS[2][0], bytes(512)), True)


def _zero(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _cut(path: Path) -> None:
    with path.open("r+b") as stream:
        stream.truncate(path.stat().st_size // 2 + 100)


def _other_machine(path: Path) -> None:
    path.write_bytes(stub(path.name, machine="x86"))


def _on_windows(generation: int, path: str, edit: Callable[[Path], None], disk: Path) -> None:
    with mounted_ntfs(disk, *WINDOWS[generation], writable=True) as root:
        edit(root / path)


def _on_boot(generation: int, path: str, edit: Callable[[Path], None] | None, disk: Path) -> None:
    if generation == 1:
        with mounted_ntfs(disk, *RESERVED, writable=True) as root:
            (edit or Path.unlink)(root / path)
        return
    inside = f"{disk}@@{ESP}"
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "file"
        run("mcopy", "-n", "-i", inside, f"::/{path}", copy)
        run("mdel", "-i", inside, f"::/{path}")
        if edit is not None:
            edit(copy)
            run("mcopy", "-i", inside, copy, f"::/{path}")


def _merge(generation: int, hive: str, text: str, disk: Path) -> None:
    def edit(path: Path) -> None:
        with tempfile.TemporaryDirectory() as folder:
            keys = Path(folder) / "keys.reg"
            keys.write_text(f"Windows Registry Editor Version 5.00\n\n{text}\n")
            run("hivexregedit", "--merge", path, keys)

    if hive == "BCD":
        _on_boot(generation, STORES[generation], edit, disk)
    else:
        _on_windows(generation, f"{CONFIG}/{hive}", edit, disk)


def _registry(generation: int, title: str, text: str, fatal: bool, hive: str = "SYSTEM") -> Mutation:
    return Mutation(generation, title, partial(_merge, generation, hive, text), fatal)


def _element(generation: int, identifier: str, element: int, value: str, fatal: bool) -> Mutation:
    text = f'[{_key(identifier, element)}]\n"Element"={value}'
    return _registry(
        generation, f"{identifier} {element:08x} is {value[:20]}… {zlib.crc32(value.encode()):08x}", text, fatal, "BCD"
    )


def _key(identifier: str, element: int) -> str:
    return f"\\Objects\\{identifier}\\Elements\\{element:08x}"


def _text(text: str) -> str:
    return f"hex(1):{_hex(text.encode('utf-16-le') + bytes(2))}"


def _hex(raw: bytes) -> str:
    return ",".join(f"{byte:02x}" for byte in raw)


def _write(offset: int, data: bytes, disk: Path) -> None:
    with disk.open("r+b") as stream:
        stream.seek(offset)
        stream.write(data)


def _sgdisk(option: str, value: str, disk: Path) -> None:
    run("sgdisk", option, value, disk)
