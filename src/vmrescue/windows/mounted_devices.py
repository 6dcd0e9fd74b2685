r"""Drive letters: the values ``\DosDevices\X:`` of the SYSTEM hive's key MountedDevices.

Their data (DOMAIN.md; observable on any Windows): 12 bytes = MBR disk signature (u32) and the partition's byte offset
(u64); 24 bytes = ``DMIO:ID:`` and the GPT partition's GUID; anything else is the device path of something that is no
partition of a basic disk (CD-ROM, floppy, USB).
"""

from __future__ import annotations

import struct
import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmrescue.plan import RegistryData
    from vmrescue.volumes.volume import Volume

PREFIX = "\\DosDevices\\"
GPT_PREFIX = b"DMIO:ID:"
MBR_ENTRY = struct.Struct("<IQ")  # disk signature, byte offset of the partition


def is_volume(volume: Volume, data: bytes) -> bool:
    """Whether the data of a MountedDevices value means this volume."""
    if len(data) == MBR_ENTRY.size:
        return MBR_ENTRY.unpack(data) == (volume.disk.table.disk_id, volume.partition.start)
    if len(data) == 24 and data.startswith(GPT_PREFIX):
        return uuid.UUID(bytes_le=data[8:]) == volume.partition.guid
    return False


def drive_letters(values: dict[str, RegistryData], volumes: Iterable[Volume]) -> dict[str, Volume]:
    """The guest's letters (``"C:"``) for those of `volumes` that have one."""
    letters = {}
    at_hand = list(volumes)
    for name, data in values.items():
        if name.upper().startswith(PREFIX.upper()) and len(name) == len(PREFIX) + 2:
            found = next((volume for volume in at_hand if is_volume(volume, data.raw)), None)
            if found:
                letters[name[-2:].upper()] = found
    return dict(sorted(letters.items()))
