"""What a Windows needs to get from its firmware to a logon: a table of files and services, by who asks for them.

Sources: Microsoft's "Stop error 7B" article and support articles on Azure VMs that do not start; the services, their
start types and groups as healthy Windows 10 and Server 2019 have them (`docs/boot.md`). The files are stubs.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stub_pe import BOOT_APPLICATION, EFI_APPLICATION, NATIVE, WINDOWS_GUI, stub

if TYPE_CHECKING:
    from pathlib import Path

    from registry_text import Keys, Value

SYSTEM32 = "Windows/System32"
DRIVERS = f"{SYSTEM32}/drivers"


@dataclass(frozen=True)
class Service:
    """A driver's key; `file` is None where it is called as its key, `path` where ImagePath is written out."""

    start: int
    error_control: int
    group: str = ""
    file: str | None = None
    has_path: bool = True
    type: int = 1


BOOT, AT_SYSTEM, ON_DEMAND = 0, 1, 3
LOG, STOP = 1, 3  # ErrorControl: normal, critical
SERVICES: dict[str, Service] = {
    "ACPI": Service(BOOT, STOP, "Core"),
    "acpiex": Service(BOOT, STOP, "Core"),
    "pci": Service(BOOT, STOP, "Boot Bus Extender"),
    "msisadrv": Service(BOOT, STOP, "Boot Bus Extender"),
    "vdrvroot": Service(BOOT, STOP, "Boot Bus Extender"),
    "pdc": Service(BOOT, STOP, "Boot Bus Extender"),
    "partmgr": Service(BOOT, STOP, "Boot Bus Extender"),
    "spaceport": Service(BOOT, STOP, "Boot Bus Extender"),
    "volmgr": Service(BOOT, STOP, "System Bus Extender"),
    "volmgrx": Service(BOOT, STOP, "System Bus Extender"),
    "mountmgr": Service(BOOT, STOP, "System Bus Extender"),
    "vmbus": Service(BOOT, LOG, "System Bus Extender"),
    "vpci": Service(BOOT, LOG, "System Bus Extender"),
    "storvsc": Service(BOOT, LOG, "SCSI Miniport"),
    "storflt": Service(BOOT, LOG, "", "vmstorfl.sys"),
    "stornvme": Service(BOOT, STOP, "SCSI Miniport"),
    "storahci": Service(BOOT, STOP, "SCSI Miniport"),
    "atapi": Service(BOOT, STOP, "SCSI Miniport"),
    "intelide": Service(BOOT, STOP, "System Bus Extender"),
    "pciide": Service(BOOT, STOP, "System Bus Extender"),
    "disk": Service(BOOT, LOG, "SCSI Class"),
    "EhStorClass": Service(BOOT, LOG, "PnP Filter"),
    "FltMgr": Service(BOOT, STOP, "FSFilter Infrastructure", type=2),
    "FileInfo": Service(BOOT, LOG, "FSFilter Bottom", type=2),
    "Wof": Service(BOOT, LOG, "FSFilter Compression", has_path=False, type=2),
    "Fs_Rec": Service(BOOT, 0, "Boot File System", has_path=False, type=8),
    "KSecDD": Service(BOOT, STOP, "Base"),
    "KSecPkg": Service(BOOT, STOP, "Cryptography"),
    "CNG": Service(BOOT, STOP, "Core"),
    "CLFS": Service(BOOT, STOP, "Filter"),
    "pcw": Service(BOOT, LOG, "Base"),
    "Wdf01000": Service(BOOT, LOG, "WdfLoadGroup"),
    "WindowsTrustedRT": Service(BOOT, STOP, "Core"),
    "volume": Service(BOOT, STOP),
    "volsnap": Service(BOOT, STOP),
    "fvevol": Service(BOOT, STOP, "PnP Filter"),
    "rdyboost": Service(BOOT, STOP, "PnP Filter"),
    "iorate": Service(BOOT, STOP, "PnP Filter"),
    "NDIS": Service(BOOT, STOP, "NDIS Wrapper"),
    "Tcpip": Service(BOOT, LOG, "PNP_TDI"),
    "WFPLWFS": Service(BOOT, LOG, "NDIS"),
    "Mup": Service(BOOT, LOG, "Network", type=2),
    "Ntfs": Service(ON_DEMAND, LOG, "Boot File System", has_path=False, type=2),
    "cdrom": Service(AT_SYSTEM, LOG, "SCSI CDROM Class"),
    "afd": Service(AT_SYSTEM, LOG, "PNP_TDI"),
    "netvsc": Service(ON_DEMAND, LOG, "NDIS"),
}
OVERRIDDEN = ("intelide", "pciide", "atapi", "storahci")  # by StartOverride: hardware that this machine has not
GROUPS = (
    "System Reserved", "EMS", "WdfLoadGroup", "Boot Bus Extender", "System Bus Extender", "SCSI miniport", "Port",
    "Primary Disk", "SCSI Class", "SCSI CDROM Class", "FSFilter Infrastructure", "FSFilter System", "FSFilter Bottom",
    "FSFilter Compression", "Boot File System", "Base", "Filter", "NDIS Wrapper", "Cryptography", "PNP_TDI", "NDIS",
)  # fmt: skip
CLASSES: dict[str, tuple[str, dict[str, list[str]]]] = {
    "{4d36e967-e325-11ce-bfc1-08002be10318}": (
        "DiskDrive",
        {"UpperFilters": ["partmgr"], "LowerFilters": ["EhStorClass"]},
    ),
    "{71a27cdd-812a-11d0-bec7-08002be2092f}": (
        "Volume",
        {"UpperFilters": ["volsnap"], "LowerFilters": ["fvevol", "iorate", "rdyboost"]},
    ),
    "{4d36e97b-e325-11ce-bfc1-08002be10318}": ("SCSIAdapter", {}),
    "{4d36e96a-e325-11ce-bfc1-08002be10318}": ("hdc", {}),
    "{4d36e97d-e325-11ce-bfc1-08002be10318}": ("System", {}),
}
# What the loader needs beside the drivers that have a key, and what the kernel and its first processes need.
KERNEL = (
    "ntoskrnl.exe", "hal.dll", "kd.dll", "kdcom.dll", "mcupdate_GenuineIntel.dll", "mcupdate_AuthenticAMD.dll",
    "PSHED.dll", "BOOTVID.dll", "CI.dll", "ApiSetSchema.dll",
)  # fmt: skip
IMPORTED = (
    "tm.sys", "msrpc.sys", "clipsp.sys", "cmimcext.sys", "werkernel.sys", "ntosext.sys", "storport.sys",
    "classpnp.sys", "netio.sys", "vmbkmcl.sys", "wdfldr.sys", "ntfs.sys",
)  # fmt: skip
PROCESSES = (
    "ntdll.dll", "smss.exe", "autochk.exe", "csrss.exe", "wininit.exe", "winlogon.exe", "services.exe", "lsass.exe",
    "userinit.exe", "kernel32.dll",
)  # fmt: skip
TABLES = {f"{SYSTEM32}/{name}": name.encode() * 64 for name in ("C_1252.NLS", "C_437.NLS", "l_intl.nls")} | {
    "Windows/INF/errata.inf": b"[Version]\r\n",
    "Windows/apppatch/drvmain.sdb": struct.pack("<II4s", 3, 1, b"sdbf"),
}
WIM_SIZE, WIM_HEADER, WIM_ENTRY, IS_IMAGE = 4096, 208, 50, 2
RECOVERY = "Recovery/WindowsRE"
CODE_PAGES = {"ACP": "1252", "OEMCP": "437"}


def files(uefi: bool) -> dict[str, bytes]:
    """The files on the volume of Windows, by their paths."""
    made = {f"{SYSTEM32}/{name}": stub(name) for name in KERNEL}
    made |= {f"{DRIVERS}/{name}": stub(name) for name in (*map(file_of, SERVICES), *IMPORTED)}
    made |= {f"{SYSTEM32}/{name}": stub(name, NATIVE if name != "userinit.exe" else WINDOWS_GUI) for name in PROCESSES}
    made["Windows/explorer.exe"] = stub("explorer.exe", WINDOWS_GUI)
    suffix = "efi" if uefi else "exe"
    for name in (f"winload.{suffix}", f"winresume.{suffix}"):
        made[f"{SYSTEM32}/{name}"] = made[f"{SYSTEM32}/Boot/{name}"] = stub(name, BOOT_APPLICATION)
    made["Windows/Boot/EFI/bootmgfw.efi"] = boot_manager(uefi=True)
    made["Windows/Boot/PCAT/bootmgr"] = boot_manager(uefi=False)
    made |= {f"{RECOVERY}/Winre.wim": wim(), f"{RECOVERY}/boot.sdi": b"$SDI0001".ljust(4096, b"\0")}
    return made | TABLES


def wim(size: int = WIM_SIZE) -> bytes:
    """A WIM with one image, which a start from it takes: header, table and XML are right, and the image holds nothing.

    Source: Microsoft, "Windows Imaging File Format (WIM)".
    """
    xml = '<WIM><IMAGE INDEX="1"><NAME>Windows RE</NAME></IMAGE></WIM>'.encode("utf-16")
    image = b"\x5a" * (size - WIM_HEADER - WIM_ENTRY - len(xml))
    at_image, at_table, at_xml = WIM_HEADER, WIM_HEADER + len(image), size - len(xml)
    metadata = _part(at_image, len(image), IS_IMAGE)
    table = metadata + struct.pack("<HI20s", 1, 1, hashlib.sha1(image).digest())
    header = struct.pack("<8sIIII16sHHI", b"MSWIM\0\0\0", WIM_HEADER, 0x10D00, 0, 0, b"vmrescue's stub ", 1, 1, 1)
    parts = _part(at_table, len(table), IS_IMAGE) + _part(at_xml, len(xml), IS_IMAGE) + metadata
    return (header + parts + struct.pack("<I", 1)).ljust(WIM_HEADER, b"\0") + image + table + xml


def _part(at: int, size: int, flags: int) -> bytes:
    return struct.pack("<7sBQQ", size.to_bytes(7, "little"), flags, at, size)


def boot_manager(uefi: bool) -> bytes:
    """bootmgfw.efi; or bootmgr, which begins with code of real mode that goes on to a program behind it."""
    return stub("bootmgfw.efi", EFI_APPLICATION) if uefi else REAL_MODE.ljust(512, b"\x90") + stub("bootmgr.exe")


def file_of(service: str) -> str:
    """A driver's file in the folder of drivers."""
    return SERVICES[service].file or f"{service.lower()}.sys"


def write_files(folder: Path, uefi: bool) -> None:
    """Puts the files into a mounted volume."""
    for name, data in files(uefi).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def control_set(name: str) -> Keys:
    """Of one control set: the services, their order, the filters of classes, and what the session manager reads."""
    control = f"{name}\\Control"
    keys: Keys = {
        f"{control}\\ServiceGroupOrder": {"List": list(GROUPS)},
        f"{control}\\Nls\\CodePage": dict(CODE_PAGES),
        f"{control}\\Nls\\Language": {"Default": "0409"},
    }
    for guid, (title, filters) in CLASSES.items():
        keys[f"{control}\\Class\\{guid}"] = {"Class": title, **filters}
    for service, row in SERVICES.items():
        values: dict[str, Value] = {"Type": row.type, "Start": row.start, "ErrorControl": row.error_control}
        if row.group:
            values["Group"] = row.group
        if row.has_path:
            root = "\\SystemRoot\\" if row.start == ON_DEMAND else ""
            values["ImagePath"] = ("expand", f"{root}System32\\drivers\\{file_of(service)}")
        keys[f"{name}\\Services\\{service}"] = values
        if service in OVERRIDDEN:
            keys[f"{name}\\Services\\{service}\\StartOverride"] = {"0": ON_DEMAND}
    return keys


# Code of real mode: no interrupts, and a halt. A machine that is given it stands still; it only is there.
REAL_MODE = bytes.fromhex("fa f4 eb fd")
VOLUME_CODE_AT, NEXT_SECTOR = 0x54, 512  # of an NTFS volume's boot sector: behind the volume's description
LOADER_NAME = struct.pack("<H", 7) + "BOOTMGR".encode("utf-16-le")  # at the begin of its second sector


def write_master_code(disk: Path) -> None:
    """Boot code for an MBR, which sfdisk leaves empty."""
    with disk.open("r+b") as stream:
        stream.write(REAL_MODE.ljust(64, b"\x90"))


def write_volume_code(volume: Path) -> None:
    """Boot code for an NTFS volume, in the place of what mkntfs writes: a notice that the volume boots nothing."""
    size = volume.stat().st_size
    with volume.open("r+b") as stream:
        for start in (0, size - 512):  # and the boot sector's copy
            stream.seek(start + VOLUME_CODE_AT)
            stream.write(REAL_MODE.ljust(510 - VOLUME_CODE_AT, b"\x90"))
        stream.seek(NEXT_SECTOR)
        stream.write(LOADER_NAME.ljust(512, b"\x90"))
