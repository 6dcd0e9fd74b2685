"""Signatures of images and of structures in them that more than one package needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vmrescue.device import BlockDevice

VHD = b"conectix"  # at the start of its footer. Microsoft, "Virtual Hard Disk Image Format Specification", 1.0
VHDX = b"vhdxfile"  # at the start of the file. [MS-VHDX] 2.2.1
GPT = b"EFI PART"  # at the start of either header. UEFI Specification 2.10, 5.3.2
HIVE = b"regf"  # at the start of a hive and of its logs. M. Suhanov, "Windows registry file format specification"
NTFS = b"NTFS    "  # at byte 3 of the volume. linux-ntfs documentation, "$Boot"
BOOT_SIGNATURE = b"\x55\xaa"  # at byte 510 of an MBR, and of a boot sector. UEFI Specification 2.10, 5.2.1
# At the start of hiberfil.sys, and what the file then is or was, after its name.
ASLEEP = {b"HIBR": "holds a sleeping Windows", b"RSTR": "was being restored", b"WAKE": "was being woken from"}
LUKS = b"LUKS\xba\xbe"  # at the start of an encrypted volume, or of a whole image. cryptsetup, "LUKS1 On-Disk Format"


def has_signature(device: BlockDevice, position: int, signature: bytes) -> bool:
    """Whether a device has these bytes at `position`."""
    return position + len(signature) <= device.size and device.read_at(position, len(signature)) == signature
