r"""Drive letters: the values ``\DosDevices\X:`` of the SYSTEM hive's key MountedDevices.

Their data: 12 bytes are the signature of an MBR disk (u32) and the partition's byte offset (u64); 24 bytes are
``DMIO:ID:`` and the GUID of a GPT partition; anything else is a device path in UTF-16, of a device that is no partition
of a basic disk (CD-ROM, floppy, USB). `windows.drives` says what each letter stands for.
Microsoft documents none of this: it is what any Windows writes, and what dissect.target reads.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from vmrescue.plan import RegistryData
    from vmrescue.volumes.disk import Volume

NAME = re.compile(r"\\DosDevices\\(?P<letter>[A-Z]:)", re.IGNORECASE | re.ASCII)
GPT_PREFIX = b"DMIO:ID:"
GPT_LENGTH = len(GPT_PREFIX) + 16
MBR_ENTRY = struct.Struct("<IQ")  # disk signature, byte offset of the partition


def _meaning(volume: Volume) -> Iterator[bytes]:
    """The possible data of a value that stands for this volume."""
    disk, partition = volume.disk.table.disk_id, volume.partition
    if isinstance(disk, int):
        yield MBR_ENTRY.pack(disk, partition.start)
    if partition.guid:
        yield GPT_PREFIX + partition.guid.bytes_le


def letter_values(values: Mapping[str, RegistryData]) -> dict[str, bytes]:
    """Letter (``"C:"``) -> data of its value, in the order of the letters."""
    named = ((NAME.fullmatch(name), data.raw) for name, data in values.items())
    return dict(sorted((match["letter"].upper(), raw) for match, raw in named if match))


def drive_letters(values: Mapping[str, RegistryData], volumes: Iterable[Volume]) -> dict[str, Volume]:
    """The guest's letter (``"C:"``) -> volume, for those of `volumes` that have one."""
    meant: dict[bytes, Volume] = {}
    for volume in volumes:
        for data in _meaning(volume):
            meant.setdefault(data, volume)
    return {letter: meant[raw] for letter, raw in letter_values(values).items() if raw in meant}
