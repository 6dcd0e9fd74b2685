"""Device elements that Windows wrote, one of each kind, and their meaning.

From the stores that come with pybcd (MIT licence): made with bcdedit on Windows 8.1, on an MBR and on a GPT disk.
"""

from __future__ import annotations

from uuid import UUID

from vmrescue.bcd.device import Boot, File, Locate, Partition, RamDisk, Style, VirtualDisk
from vmrescue.bcd.objects import BY_ALIAS

RAM_DISK_OPTIONS = BY_ALIAS["ramdiskoptions"].guid
MBR = Partition(Style.MBR, 0x36234DA4, 0x100000)
GPT = Partition(Style.GPT, UUID("984c884b-4218-4f07-aa93-5ede4c7c5384"), UUID("76cc3abd-2782-4839-af5c-5fc8e6659147"))

_NONE = "00" * 16
_BOOT = "05000000000000004800000000000000" + "00" * 56
_MBR = "060000000000000048000000000000000000100000000000" + "00" * 12 + "01000000a44d2336" + "00" * 28
_GPT = (
    "06000000000000004800000000000000bd3acc7682273948af5c5fc8e6659147"
    "00000000000000004b884c981842074faa935ede4c7c5384" + "00" * 16
)
_RAM_DISK_OPTIONS = "e03455ae24a96c46b836758539a3ee3a"


def _wide(text: str) -> str:
    return (text + "\0").encode("utf-16-le").hex()


# name: (bytes, target, options, bcdedit's text if the MBR partition is C: and the GPT partition has a volume name)
WINDOWS_DEVICES: dict[str, tuple[str, object, UUID | None, str]] = {
    "boot": (_NONE + _BOOT, Boot(), None, "boot"),
    "partition of an MBR disk": (_NONE + _MBR, MBR, None, "partition=C:"),
    "partition of a GPT disk": (_NONE + _GPT, GPT, None, r"partition=\Device\HarddiskVolume2"),
    "file": (
        _NONE
        + "0000000000000000b00000000000000005000000010000009c00000005000000"
        + _MBR
        + _wide(r"\Workspace\metadeploy\boot.wim.aoeu"),
        File(MBR, r"\Workspace\metadeploy\boot.wim.aoeu"),
        None,
        r"file=[C:]\Workspace\metadeploy\boot.wim.aoeu",
    ),
    "RAM disk": (
        _RAM_DISK_OPTIONS
        + "00000000010000009a00000000000000"
        + "03000000"
        + "00" * 20
        + "010000007200000005000000"
        + _BOOT
        + _wide(r"\boot\boot.wim"),
        RamDisk(Boot(), r"\boot\boot.wim"),
        RAM_DISK_OPTIONS,
        r"ramdisk=[boot]\boot\boot.wim,{ramdiskoptions}",
    ),
    "virtual disk on a volume": (
        _NONE
        + "0800000000000000c200000000000000"
        + "00000000020000121e0000000000"
        + "0000000000000000a400000000000000"
        + "06000000"
        + "00" * 20
        + "00000000000000007c00000000000000"
        + "05000000"
        + "010000006800000005000000"
        + _MBR
        + _wide(r"\test.vhd"),
        Locate("", 0x12000002, VirtualDisk(File(MBR, r"\test.vhd"))),
        None,
        r"vhd=[C:]\test.vhd,locate=custom:12000002",
    ),
    "virtual disk on a volume to be searched": (
        _NONE
        + "0800000000000000aa00000000000000"
        + "00000000020000121e0000000000"
        + "00000000000000008c00000000000000"
        + "06000000"
        + "00" * 20
        + "00000000000000006400000000000000"
        + "05000000"
        + "010000005000000005000000"
        + "08000000000000003000000000000000010000000000000000000000"
        + _wide(r"\test.vhd")
        + _wide(r"\test.vhd"),
        Locate("", 0x12000002, VirtualDisk(File(Locate(r"\test.vhd", 0, None), r"\test.vhd"))),
        None,
        r"vhd=[locate]\test.vhd,locate=custom:12000002",
    ),
}


def volume_name(partition: Partition) -> str | None:
    """The names that a Windows with these two volumes would give them."""
    return {MBR: "C:", GPT: r"\Device\HarddiskVolume2"}.get(partition)


def no_volumes(_partition: Partition) -> str | None:
    return None


__all__ = ["GPT", "MBR", "RAM_DISK_OPTIONS", "WINDOWS_DEVICES", "no_volumes", "volume_name"]
