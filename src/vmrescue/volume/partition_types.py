"""Partition types: MBR type bytes and GPT type GUIDs, with their names and roles.

Sources: Microsoft, "PARTITION_INFORMATION_GPT" and "Disk Partition Types" (winioctl); UEFI 2.10, 5.3.3; Andries
Brouwer's list of MBR types; util-linux' lists. Only types that a Windows VM's disks have, or that its engineer must not
touch, are named.
"""

from __future__ import annotations

from typing import Literal
from uuid import UUID

Role = Literal[
    "EFI system",
    "Microsoft reserved",
    "recovery",
    "basic data",
    "extended",
    "GPT protective",
    "dynamic disk",
    "storage spaces",
    "Linux",
    "other",
]

# For roles of partitions that are only parts of something: of what.
PARTS_OF: dict[Role, str] = {"dynamic disk": "a dynamic disk", "storage spaces": "a storage pool"}

EXTENDED_TYPES = frozenset({0x05, 0x0F, 0x85})
GPT_PROTECTIVE = 0xEE

MBR_TYPES: dict[int, tuple[str, Role]] = {
    0x01: ("FAT12", "basic data"),
    0x04: ("FAT16 below 32 MiB", "basic data"),
    0x05: ("extended", "extended"),
    0x06: ("FAT16", "basic data"),
    0x07: ("NTFS, exFAT or ReFS", "basic data"),
    0x0B: ("FAT32", "basic data"),
    0x0C: ("FAT32, LBA", "basic data"),
    0x0E: ("FAT16, LBA", "basic data"),
    0x0F: ("extended, LBA", "extended"),
    0x11: ("hidden FAT12", "other"),
    0x14: ("hidden FAT16 below 32 MiB", "other"),
    0x16: ("hidden FAT16", "other"),
    0x17: ("hidden NTFS", "other"),
    0x1B: ("hidden FAT32", "other"),
    0x1C: ("hidden FAT32, LBA", "other"),
    0x1E: ("hidden FAT16, LBA", "other"),
    0x27: ("Windows recovery", "recovery"),
    0x42: ("logical disk manager", "dynamic disk"),
    0x82: ("Linux swap", "Linux"),
    0x83: ("Linux file system", "Linux"),
    0x84: ("hibernation", "other"),
    0x85: ("Linux extended", "extended"),
    0x86: ("FAT16 of a volume set of NT", "dynamic disk"),
    0x87: ("NTFS of a volume set of NT", "dynamic disk"),
    0x8E: ("Linux LVM", "Linux"),
    0xA0: ("hibernation", "other"),
    0xA5: ("FreeBSD", "other"),
    0xA6: ("OpenBSD", "other"),
    0xA9: ("NetBSD", "other"),
    0xD7: ("Storage Spaces", "storage spaces"),
    0xE7: ("Storage Spaces", "storage spaces"),
    0xEE: ("GPT protective", "GPT protective"),
    0xEF: ("EFI system", "EFI system"),
    0xFD: ("Linux RAID", "Linux"),
}

GPT_TYPES: dict[UUID, tuple[str, Role]] = {
    UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b"): ("EFI system", "EFI system"),
    UUID("e3c9e316-0b5c-4db8-817d-f92df00215ae"): ("Microsoft reserved", "Microsoft reserved"),
    UUID("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7"): ("basic data", "basic data"),
    UUID("de94bba4-06d1-4d40-a16a-bfd50179d6ac"): ("Windows recovery", "recovery"),
    UUID("5808c8aa-7e8f-42e0-85d2-e1e90434cfb3"): ("logical disk manager metadata", "dynamic disk"),
    UUID("af9b60a0-1431-4f62-bc68-3311714a69ad"): ("logical disk manager data", "dynamic disk"),
    UUID("e75caf8f-f680-4cee-afa3-b001e56efc2d"): ("Storage Spaces", "storage spaces"),
    UUID("e7addcb4-dc34-4539-9a76-ebbd07be6f7e"): ("Storage Spaces data", "storage spaces"),
    UUID("0fc63daf-8483-4772-8e79-3d69d8477de4"): ("Linux file system", "Linux"),
    UUID("0657fd6d-a4ab-43c4-84e5-0933c84b4f4f"): ("Linux swap", "Linux"),
    UUID("e6d6d379-f507-44c2-a23c-238f2a3df928"): ("Linux LVM", "Linux"),
    UUID("21686148-6449-6e6f-744e-656564454649"): ("BIOS boot", "other"),
}


def describe_type(type_: int | UUID) -> tuple[str, Role]:
    """The name and role of an MBR type byte or a GPT type GUID; an unknown one's name is its number."""
    if isinstance(type_, UUID):
        return GPT_TYPES.get(type_, (f"type {type_}", "other"))
    return MBR_TYPES.get(type_, (f"type 0x{type_:02x}", "other"))
