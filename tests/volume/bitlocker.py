"""First sectors and metadata of BitLocker's forms, written from libbde's description of the format, and their judge."""

from __future__ import annotations

import struct
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from support.machine import run

MIB = 1 << 20
NORMAL = UUID("4967d63b-2e29-4ad8-8399-f6a339e3d001")
USED_SPACE_ONLY = UUID("92a84d3b-dd80-4d0e-9e4e-b1e3284eaed8")
PLACES = (MIB, 2 * MIB, 3 * MIB)  # of the metadata's copies
TPM, RECOVERY_PASSWORD, CLEAR_KEY = 0x0100, 0x0800, 0x0000
DECRYPTED, ENCRYPTED, SWITCHING = 1, 4, 5


def to_go(volume: bytearray, identifier: UUID = NORMAL) -> None:
    """Marks a FAT32 volume as BitLocker To Go does."""
    volume[3:11] = b"MSWIN4.1"
    struct.pack_into("<16s3Q", volume, 424, identifier.bytes_le, *PLACES)


def windows_7(volume: bytearray, identifier: UUID = NORMAL) -> None:
    """Makes the first sector that of Windows 7 and later."""
    volume[:11] = b"\xeb\x58\x90-FVE-FS-"
    struct.pack_into("<H", volume, 11, 512)
    struct.pack_into("<16s3Q", volume, 160, identifier.bytes_le, *PLACES)
    volume[510:512] = b"\x55\xaa"


def vista(volume: bytearray) -> None:
    """Makes the first sector that of Windows Vista: an NTFS one, in which the place of $MFTMirr is the metadata's."""
    volume[:11] = b"\xeb\x52\x90-FVE-FS-"
    struct.pack_into("<HB", volume, 11, 512, 8)
    struct.pack_into("<Q", volume, 0x38, PLACES[0] // 4096)
    volume[510:512] = b"\x55\xaa"


def add_metadata(volume: bytearray, state: int, wanted: int, *protections: int, version: int = 2) -> None:
    """Three copies of the metadata, with a master key protected in each of these ways."""
    keys = b"".join(_master_key(protection) for protection in protections)
    full_key = _entry(3, 5, bytes(12 + 16 + 44))
    entries = keys + full_key
    size = 48 + len(entries)
    head = struct.pack("<IIII16sIHHQ", size, 1, 48, size, bytes(range(16)), 1, 0x8004, 0x8004, 133_000_000_000_000_000)
    block = struct.pack("<8sHHHHQIIQ3QQ", b"-FVE-FS-", (64 + size + 15) // 16, version, state, wanted,
                        len(volume), 0, 16, 0, *PLACES, 4 * MIB)[:64]  # fmt: skip
    for place in PLACES:
        volume[place : place + 64 + size] = block.ljust(64, b"\0") + head + entries


def _master_key(protection: int) -> bytes:
    fixed = bytes(range(16)) + struct.pack("<QHH", 133_000_000_000_000_000, 0, protection)
    return _entry(2, 8, fixed + _entry(0, 5, bytes(12 + 16 + 44)))


def _entry(role: int, kind: int, value: bytes) -> bytes:
    return struct.pack("<HHHH", 8 + len(value), role, kind, 1) + value


def cryptsetup_says(volume: bytes | bytearray) -> str:
    """What cryptsetup, which shares nothing with us, makes of a volume."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "volume.img"
        path.write_bytes(volume)
        return run("cryptsetup", "--debug", "bitlkDump", path, ok=(0, 1))
