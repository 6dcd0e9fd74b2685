"""The boot stores of the samples, by element. Sources: Microsoft's BCD reference; those of `vmrescue.bcd.device`."""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from registry_text import Keys, Value

BOOTMGR = "{9dea862c-5cdd-4e70-acc1-f32b344d4795}"
MEMDIAG = "{b2721d73-1db4-4c62-bf78-c548a880142d}"
BADMEMORY = "{5189b25c-5558-4bf2-bca4-289b11bd29e2}"
EMSSETTINGS = "{0ce4991b-e6b3-4b16-b23c-5e0d9250e5d9}"
DBGSETTINGS = "{4636856e-540f-4170-a130-a84776f4c654}"
GLOBALSETTINGS = "{7ea2e1ac-2e61-4728-aaa3-896d9d0a9f0e}"
BOOTLOADERSETTINGS = "{6efb52bf-1766-41db-a6b3-0ee5eff72bd7}"
LOADER = "{0f6f5a2e-3c1d-11ef-9a77-00155d3a2b01}"
RESUME = "{0f6f5a2d-3c1d-11ef-9a77-00155d3a2b01}"

RECOVERY = "{0f6f5a2f-3c1d-11ef-9a77-00155d3a2b01}"
RAMDISK_OPTIONS = "{0f6f5a30-3c1d-11ef-9a77-00155d3a2b01}"
RECOVERY_IMAGE, RAMDISK_FILE = "\\Recovery\\WindowsRE\\Winre.wim", "\\Recovery\\WindowsRE\\boot.sdi"

APPLICATION_BOOTMGR = 0x10100002
APPLICATION_LOADER = 0x10200003
APPLICATION_RESUME = 0x10200004
APPLICATION_MEMDIAG = 0x10200005
INHERIT_ANY = 0x20100000
INHERIT_LOADER = 0x20200003
DEVICE_OPTIONS = 0x30000000

PARTITION_DEVICE, GPT, MBR = 6, 0, 1


@dataclass(frozen=True)
class Place:
    """A partition as a boot device names it: GUIDs on GPT; signature and byte offset on MBR."""

    disk: uuid.UUID | int
    partition: uuid.UUID | int

    def device(self) -> bytes:
        """The device element: 16 bytes of options, then kind, flags, size, reserved and the partition's names."""
        if isinstance(self.disk, uuid.UUID) and isinstance(self.partition, uuid.UUID):
            which, style, disk = self.partition.bytes_le, GPT, self.disk.bytes_le
        else:
            which, style, disk = struct.pack("<Q8x", self.partition), MBR, struct.pack("<I12x", self.disk)
        return (
            bytes(16)
            + struct.pack("<4I", PARTITION_DEVICE, 0, 0x48, 0)
            + which
            + struct.pack("<2I", 0, style)
            + disk
            + bytes(16)
        )

    def ramdisk(self, path: str, options: str) -> bytes:
        """A device element of a disk in memory, filled from a file on this partition."""
        inner = self.device()[16:] + (path + "\0").encode("utf-16-le")
        file = struct.pack("<3I", 1, 12 + len(inner), 5) + inner
        body = struct.pack("<I2QI", 3, 0, 0, 0) + file  # 3: a disk in memory; base, size and offset come later
        return uuid.UUID(options).bytes_le + struct.pack("<4I", 0, 1, 16 + len(body), 0) + body


def integer(number: int) -> bytes:
    return struct.pack("<Q", number)


def boot_store(
    boot: Place,
    windows: Place,
    uefi: bool,
    faults: bool,
    title: str = "Windows Server 2019",
    recovery: Place | None = None,
) -> Keys:
    """A store with one loader; with its faults, or with what Azure wants.

    `recovery`: where Windows RE lies, if not beside Windows; the loader then starts it after failures, as Setup has it.
    """
    suffix = "efi" if uefi else "exe"
    rescue = recovery or windows
    manager_path = "\\EFI\\Microsoft\\Boot\\bootmgfw.efi" if uefi else "\\bootmgr"
    loader: dict[int, Value] = {
        0x11000001: windows.device(),
        0x12000002: f"\\Windows\\system32\\winload.{suffix}",
        0x12000004: title,
        0x12000005: "en-US",
        0x14000006: [BOOTLOADERSETTINGS],
        0x14000008: [RECOVERY],
        0x21000001: windows.device(),
        0x22000002: "\\Windows",
        0x23000003: RESUME,
        0x25000020: integer(1),
    }
    ems: dict[int, Value] = {0x16000020: b"\x00"}
    bad: dict[int, Value] = {}
    if faults:
        bad[0x1700000A] = struct.pack("<3Q", 0x1F3A0, 0x1F3A1, 0x7FF00)
        loader[0x15000007] = integer(0x40000000)
    else:
        loader |= {0x260000B0: b"\x01"} | ({0x16000009: b"\x00", 0x250000E0: integer(1)} if recovery is None else {})
        ems |= {0x15000022: integer(1), 0x15000023: integer(115200)}
    objects: dict[str, tuple[int, dict[int, Value]]] = {
        BOOTMGR: (
            APPLICATION_BOOTMGR,
            {
                0x11000001: boot.device(),
                0x12000002: manager_path,
                0x12000004: "Windows Boot Manager",
                0x12000005: "en-US",
                0x14000006: [GLOBALSETTINGS],
                0x23000003: LOADER,
                0x23000006: RESUME,
                0x24000001: [LOADER],
                0x24000010: [MEMDIAG],
                0x25000004: integer(30),
            },
        ),
        LOADER: (APPLICATION_LOADER, loader),
        RESUME: (
            APPLICATION_RESUME,
            {
                0x11000001: windows.device(),
                0x12000002: f"\\Windows\\system32\\winresume.{suffix}",
                0x12000004: "Windows Resume Application",
                0x21000001: windows.device(),
                0x22000002: "\\hiberfil.sys",
            },
        ),
        RECOVERY: (
            APPLICATION_LOADER,
            {
                0x11000001: rescue.ramdisk(RECOVERY_IMAGE, RAMDISK_OPTIONS),
                0x12000002: f"\\Windows\\system32\\winload.{suffix}",
                0x12000004: "Windows Recovery Environment",
                0x14000006: [BOOTLOADERSETTINGS],
                0x21000001: rescue.ramdisk(RECOVERY_IMAGE, RAMDISK_OPTIONS),
                0x22000002: "\\Windows",
                0x26000022: b"\x01",
                0x46000010: b"\x01",
            },
        ),
        RAMDISK_OPTIONS: (
            DEVICE_OPTIONS,
            {0x31000003: rescue.device(), 0x32000004: RAMDISK_FILE},
        ),
        MEMDIAG: (
            APPLICATION_MEMDIAG,
            {0x11000001: boot.device(), 0x12000002: "\\boot\\memtest.exe", 0x12000004: "Windows Memory Diagnostic"},
        ),
        BADMEMORY: (INHERIT_ANY, bad),
        EMSSETTINGS: (INHERIT_ANY, ems),
        DBGSETTINGS: (INHERIT_ANY, {0x15000011: integer(4)}),
        GLOBALSETTINGS: (INHERIT_ANY, {0x14000006: [DBGSETTINGS, EMSSETTINGS, BADMEMORY]}),
        BOOTLOADERSETTINGS: (INHERIT_LOADER, {0x14000006: [GLOBALSETTINGS]}),
    }
    keys: Keys = {"Description": {"KeyName": "BCD00000000", "System": 1, "TreatAsSystem": 1}}
    for guid, (kind, elements) in objects.items():
        keys[f"Objects\\{guid}\\Description"] = {"Type": kind}
        for number, value in elements.items():
            keys[f"Objects\\{guid}\\Elements\\{number:08x}"] = {"Element": value}
    return keys
