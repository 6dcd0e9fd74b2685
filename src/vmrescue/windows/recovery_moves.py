r"""References to a recovery partition by its position, which must be changed when the partition is moved.

On a GPT disk the boot store and the registry name a partition by its GUID, which does not change; on an MBR disk by the
disk's signature and the partition's first byte. ``ReAgent.xml``, in ``\Windows\System32\Recovery`` and beside the
recovery image, has the first byte on both kinds of disk. Microsoft does not document the file; its elements have the
attributes ``id`` (the MBR signature, decimal), ``guid`` (the GPT disk's) and ``offset``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vmrescue.bcd import Partition, Style
from vmrescue.bcd import device as bcd_device
from vmrescue.bcd.edits import element_path
from vmrescue.bcd.elements import Format
from vmrescue.digests import sha256
from vmrescue.errors import NotFoundError, RefusedError
from vmrescue.plan import FileRef, PutFile, RegistryData
from vmrescue.readers.file_system import whole
from vmrescue.registry.operations import SetValue
from vmrescue.windows.hive_changes import hive_changes, set_value
from vmrescue.windows.installation import Installation
from vmrescue.windows.mounted_devices import MBR_ENTRY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.plan import Change, MovePartition
    from vmrescue.volumes.disk import Disk, Volume

AGENT_FILE = "ReAgent.xml"
LARGEST_AGENT_FILE = 1 << 20  # bytes; real ones have one or two thousand
BESIDE_IMAGE = rf"Recovery\WindowsRE\{AGENT_FILE}"
LOCATION = re.compile(
    rb'<(?=[^<>]*>)[^<>]*\soffset="(\d{1,20})"[^<>]*>'
)  # the lookahead requires the element's end, so that the search does not start again inside it
OWN_PART = slice(32, 60)  # in a device element for a partition: its first byte, the disk's kind and signature


def references(disk: Disk, moves: list[MovePartition]) -> list[Change]:
    """The changes that update the references in the boot store, the registry and the recovery agent's files.

    Raises:
        NotFoundError: the disk has no Windows, or no boot store.
        RefusedError: the volume of Windows is encrypted, or a file with a reference cannot be understood.
        FormatError: the store or the hive with a reference is damaged.
    """
    if not moves:
        return []
    installation = Installation.of([disk])
    windows = installation.os
    if installation.locked:
        raise RefusedError("the OS volume is encrypted: what names the recovery partition is out of reach")
    if windows is None:
        raise NotFoundError(installation.why_no_windows or "")
    changes: list[Change] = []
    signature = disk.table.disk_id
    if isinstance(signature, int):
        changes += _boot_store(installation, signature, moves)
        changes += _mounted_devices(installation, signature, moves)
    changes += _agent_file(windows.volume, rf"{windows.root}\System32\Recovery\{AGENT_FILE}", moves)
    for move in moves:
        volume = disk.volume(move.file.partition)
        if volume and volume.file_system == "NTFS":
            changes += _agent_file(volume, BESIDE_IMAGE, moves)
    return changes


def _boot_store(installation: Installation, signature: int, moves: list[MovePartition]) -> Iterator[Change]:
    """Changes of the store. A partition's bytes are the same in a device for it and in a device for a file on it."""
    names = [[_name(signature, place) for place in (move.before, move.after)] for move in moves]
    entries = [
        (store, entry) for store in installation.stores or [installation.boot] for entry in store.store.objects()
    ]
    for store, entry in entries:
        for element in entry.elements():
            raw = element.raw
            for old, new in names if element.format is Format.DEVICE else ():
                raw = raw.replace(old, new)
            path = element_path(entry.guid, element.id)
            if raw != element.raw:
                yield from hive_changes(store.hive, [SetValue(path, "Element", element.registry_type, raw)])


def _name(signature: int, place: int) -> bytes:
    return bcd_device.encode(Partition(Style.MBR, signature, place)).raw[OWN_PART]


def _mounted_devices(installation: Installation, signature: int, moves: list[MovePartition]) -> Iterator[Change]:
    assert installation.os is not None, "asked only of a Windows that can be read"
    hive = installation.os.system
    mounted = hive.key("MountedDevices")
    for name, data in mounted.values().items() if mounted else ():
        for move in moves:
            if data.raw == MBR_ENTRY.pack(signature, move.before):
                after = RegistryData(data.type, MBR_ENTRY.pack(signature, move.after))
                yield set_value(hive, "MountedDevices", name, after)


def _agent_file(volume: Volume, path: str, moves: list[MovePartition]) -> Iterator[Change]:
    if not volume.has_file(path):
        return
    before = whole(volume.files.open(path), path, LARGEST_AGENT_FILE)
    if b"\0" in before:
        raise RefusedError(f"\\{path} on {volume} is not in UTF-8: the places in it cannot be brought up to date")
    after = LOCATION.sub(lambda found: _location(found, volume.disk, moves), before)
    if after != before:
        file = FileRef(volume.disk_index, volume.partition.number, path)
        yield PutFile(file, sha256([before]), after)


def _location(found: re.Match[bytes], disk: Disk, moves: list[MovePartition]) -> bytes:
    """The XML element, with a new offset if it refers to a moved partition of this disk."""
    text = found[0]
    disk_id = disk.table.disk_id
    own = b'id="%d"' % disk_id if isinstance(disk_id, int) else b'guid="{%s}"' % str(disk_id).encode()
    for move in moves:
        if int(found[1]) == move.before and own in text.lower():
            return text.replace(b'offset="%b"' % found[1], b'offset="%d"' % move.after)
    return text
