"""Volumes encrypted by BitLocker: recognising them by their first sector, and their state according to the metadata.

Sources: libbde's "BitLocker Drive Encryption (BDE) format" for the headers and identifiers; cryptsetup's and
dissect.fve's readers for the states.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING
from uuid import UUID

from vmrescue.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.device import BlockDevice

SECTOR = 512
OEM_NAME = b"-FVE-FS-"  # at byte 3 of the volume, and at the start of each copy of the metadata
JUMP_OF_VISTA = b"\xeb\x52\x90"
IDENTIFIERS = (
    UUID("4967d63b-2e29-4ad8-8399-f6a339e3d001").bytes_le,
    UUID("92a84d3b-dd80-4d0e-9e4e-b1e3284eaed8").bytes_le,  # of volumes with only the used space encrypted
)
IDENTIFIER_AT, IDENTIFIER_OF_TO_GO_AT = 160, 424  # followed by the position of the metadata's first copy
IDENTIFIER_SIZE = 16
PLACE_OF_VISTA_AT = 0x38  # field with the position of the metadata, in clusters

STATES = {1: "decrypted", 2: "being converted", 3: "paused", 4: "encrypted", 5: "being converted"}
DECRYPTED, ENCRYPTED = 1, 4
METADATA = 65536  # most bytes of one copy
CLEAR_KEY = 0x0000  # protection type of a master key that is stored in the clear
_BLOCK = struct.Struct("<8sHHHH")  # signature, size, version, state, next state
_VERSIONS = (1, 2)  # versions of the block; in version 1 (Vista) only the unit of the size differs (dissect.fve)
_ENTRIES_AT = 64 + 48  # after the headers of the block and of the metadata
_ENTRY = struct.Struct("<HHHH")  # size, type of the entry, type of its value, version
_MASTER_KEY = (2, 8)
_PROTECTION_AT = _ENTRY.size + 26
_U16, _U32, _U64 = struct.Struct("<H"), struct.Struct("<I"), struct.Struct("<Q")


@dataclass(frozen=True)
class BitLocker:
    """What is known of a BitLocker volume without a key.

    Attributes:
        form: ``BitLocker``, ``BitLocker of Windows Vista`` or ``BitLocker To Go``.
        reasons: sentences for the user: what encrypts the volume, and how far the encryption is.
    """

    form: str
    reasons: list[str]


def form_of(sector: bytes) -> str | None:
    """The form of BitLocker according to a volume's first 512 bytes; None if it is no BitLocker volume.

    The first sector does not tell whether all of the volume is encrypted, a part of it, or nothing yet or any more.
    """
    if _identifier(sector, IDENTIFIER_OF_TO_GO_AT):
        return "BitLocker To Go"
    if sector[3:11] == OEM_NAME:
        return "BitLocker of Windows Vista" if sector[:3] == JUMP_OF_VISTA else "BitLocker"
    return "BitLocker" if _identifier(sector, IDENTIFIER_AT) else None


def is_bitlocker(device: BlockDevice) -> bool:
    """Whether it is a BitLocker volume, in any form and state."""
    return device.size >= SECTOR and form_of(device.read_at(0, SECTOR)) is not None


def read_bitlocker(device: BlockDevice) -> BitLocker | None:
    """What is known of a volume without a key; None if it is no BitLocker volume."""
    sector = device.read_at(0, SECTOR) if device.size >= SECTOR else b""
    form = form_of(sector)
    if form is None:
        return None
    return BitLocker(form, [f"{form} encrypts the volume", *_progress(device, _metadata_place(sector))])


def _identifier(sector: bytes, at: int) -> bool:
    return sector[at : at + IDENTIFIER_SIZE] in IDENTIFIERS


def _metadata_place(sector: bytes) -> int:
    """The position of the metadata's first copy according to the first sector, in bytes from the volume's start."""
    for at in (IDENTIFIER_OF_TO_GO_AT, IDENTIFIER_AT):
        if _identifier(sector, at):
            return int(_U64.unpack_from(sector, at + IDENTIFIER_SIZE)[0])
    (sector_size,) = _U16.unpack_from(sector, 11)
    cluster: int = sector_size * sector[13]
    return int(_U64.unpack_from(sector, PLACE_OF_VISTA_AT)[0]) * cluster


def _progress(device: BlockDevice, place: int) -> list[str]:
    """Sentences about the volume's state from its metadata; empty if the metadata have an unknown form."""
    if not 0 < place <= device.size - _ENTRIES_AT:
        return []
    data = device.read_at(place, min(METADATA, device.size - place))
    signature, _, version, state, wanted = _BLOCK.unpack_from(data)
    if signature != OEM_NAME or version not in _VERSIONS:
        return []
    said = []
    if state in STATES and state != ENCRYPTED:
        goal = {DECRYPTED: ", to be decrypted", ENCRYPTED: ", to be encrypted"}.get(wanted, "")
        said.append(f"it is {STATES[state]}{'' if wanted == state else goal}")
    if any(protection == CLEAR_KEY for protection in _protections(data)):
        said.append("protection is suspended: a key that opens it lies on the disk in the clear")
    return said


def _protections(metadata: bytes) -> Iterator[int]:
    """The protection type of each copy of the volume's master key."""
    end = min(len(metadata), 64 + _U32.unpack_from(metadata, 64)[0])
    at = _ENTRIES_AT
    while at + _PROTECTION_AT + 2 <= end:
        size, *kind, _ = _ENTRY.unpack_from(metadata, at)
        if size < _ENTRY.size:
            return
        if tuple(kind) == _MASTER_KEY:
            yield int(_U16.unpack_from(metadata, at + _PROTECTION_AT)[0])
        at += size
