"""The state of an NTFS volume: whether Windows dismounted it cleanly, and what still has to be done."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from vmrescue.arguments import typed
from vmrescue.errors import NotFoundError, in_volume
from vmrescue.ntfs.directory import find_file
from vmrescue.ntfs.log.state import log_reasons
from vmrescue.ntfs.store import FileStore
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.ntfs.structures.system_files import LOG_FILE, UPCASE, VOLUME
from vmrescue.signatures import ASLEEP
from vmrescue.volume.bitlocker import read_bitlocker
from vmrescue.volume.state import StateName, VolumeState

if TYPE_CHECKING:
    from vmrescue.device import BlockDevice

DIRTY, CHKDSK_UNDERWAY = 0x0001, 0x4000  # flags of $VOLUME_INFORMATION
HIBERNATION_FILE = "hiberfil.sys"
UNFINISHED = (StateName.HIBERNATED, StateName.LOG_PENDING)
NTFS_3 = 3  # the major version since Windows 2000
_INFORMATION = struct.Struct("<8xBBH")  # version, flags


@typed
def volume_state(device: BlockDevice) -> VolumeState:
    """The state of a volume, also of one encrypted by BitLocker, which `NtfsVolume` cannot open.

    Raises:
        FormatError: it is not encrypted and no sound NTFS volume.
    """
    if bitlocker := read_bitlocker(device):
        return VolumeState(StateName.ENCRYPTED, bitlocker.reasons)
    return read_state(FileStore(device))


def read_state(store: FileStore) -> VolumeState:
    """The state of an NTFS volume. Reads a few records, the log's restart pages, and a path in the root directory."""
    found: list[tuple[StateName, list[str]]] = [
        (StateName.HIBERNATED, _hibernation(store)),
        (StateName.LOG_PENDING, log_reasons(store.file(LOG_FILE).stream(Kind.DATA))),
        (StateName.DIRTY, _dirty(store)),
    ]
    if not any(some for name, some in found if name in UNFINISHED):
        _look_at_system_files(store)
    reasons = [reason for _, some in found for reason in some]
    return VolumeState(next((name for name, some in found if some), StateName.CLEAN), reasons)


def _look_at_system_files(store: FileStore) -> None:
    """Raises FormatError where a record is damaged without which no driver mounts the volume.

    A log that is to be replayed may mend them, and a Windows that sleeps has them in its memory.
    """
    for number in range(UPCASE + 1):
        store.file(number)


def _hibernation(store: FileStore) -> list[str]:
    try:
        file = find_file(store, HIBERNATION_FILE)
    except NotFoundError:
        return []
    if file.is_directory:
        return []  # Windows cannot keep a hibernation file there
    stream = file.stream(Kind.DATA)
    signature = stream.read_at(0, min(4, stream.size)).upper()
    return [f"{HIBERNATION_FILE} {ASLEEP[signature]}"] if signature in ASLEEP else []


def volume_flags(store: FileStore) -> tuple[int, int, int]:
    """(major version, minor version, flags) of the volume."""
    attribute = store.file(VOLUME).get(Kind.VOLUME_INFORMATION)
    if attribute.non_resident or attribute.value_length < _INFORMATION.size:
        raise in_volume("$VOLUME_INFORMATION", attribute.position, f"{_INFORMATION.size} bytes", attribute.size)
    major, minor, flags = _INFORMATION.unpack_from(attribute.value)
    return major, minor, flags


def _dirty(store: FileStore) -> list[str]:
    _, _, flags = volume_flags(store)
    reasons = {DIRTY: "the volume is marked as dirty", CHKDSK_UNDERWAY: "a check of the volume was broken off"}
    return [reason for flag, reason in reasons.items() if flags & flag]
