r"""Volumes that are encrypted below their file system by another product than BitLocker: what tells of them.

Such a volume has no signature: its first sector looks like chance. VeraCrypt, and TrueCrypt before it, are known by
their program in the boot record, or on the EFI system partition. Sources: VeraCrypt's BootSector.asm, which begins with
its name (TrueCrypt's, of which it was made, differs in that), and its BootEncryption.cpp for the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from vmrescue.device import BlockDevice

DiskEncryption = Literal["VeraCrypt", "TrueCrypt"]

PROGRAMS: dict[bytes, DiskEncryption] = {
    b" VeraCrypt Boot Loader\r\n": "VeraCrypt",
    b" TrueCrypt Boot Loader\r\n": "TrueCrypt",
}
UEFI_PROGRAM = r"EFI\VeraCrypt\DcsBoot.efi"
SECTOR = 512
CHANCE = 190  # different bytes in a sector; of 512 by chance 221 differ, of a program and its texts at most about 150


def encryption_of_record(record: bytes) -> DiskEncryption | None:
    """Whose program a master boot record holds; None where it is that of no encryption that is known."""
    return next((name for text, name in PROGRAMS.items() if text in record), None)


def may_be_encrypted(device: BlockDevice) -> bool:
    """Whether the first sector looks like chance, as one does that is encrypted, or was overwritten so."""
    return device.size >= SECTOR and len(set(device.read_at(0, SECTOR))) >= CHANCE
