"""What may be done to a volume: whether Windows closed it, and what it left to do."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from vmrescue.errors import FormatError, NotFoundError, RefusedError
from vmrescue.ntfs.directory import find_file
from vmrescue.ntfs.log.state import log_reasons
from vmrescue.ntfs.store import Store
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.ntfs.structures.system_files import LOG_FILE, VOLUME
from vmrescue.volume.bitlocker import read_bitlocker

if TYPE_CHECKING:
    from vmrescue.device import BlockDevice

StateName = Literal["clean", "dirty", "log pending", "hibernated", "encrypted"]
DIRTY, CHKDSK_UNDERWAY = 0x0001, 0x4000  # flags of $VOLUME_INFORMATION
HIBERNATION_FILE = "hiberfil.sys"
ASLEEP = {b"HIBR": "holds a sleeping Windows", b"RSTR": "was being restored", b"WAKE": "was being woken from"}
_INFORMATION = struct.Struct("<8xBBH")  # version, flags


@dataclass(frozen=True)
class VolumeState:
    """The gravest of what was found, and every reason, in sentences.

    `clean`: all edits are safe. `dirty`: Windows will check the volume; edits are safe. `log pending`: files' content
    may be changed in place, nothing else. `hibernated`, `encrypted`: nothing may be changed.
    """

    name: StateName
    reasons: list[str]

    def check_content(self) -> None:
        """Raises RefusedError where not even the content of a file may be changed in place."""
        if self.name in ("hibernated", "encrypted"):
            raise RefusedError(f"the volume is {self.name} ({'; '.join(self.reasons)}): nothing on it may be changed")

    def check_metadata(self) -> None:
        """Raises RefusedError where files may not be created, deleted or resized."""
        self.check_content()
        if self.name == "log pending":
            reasons = "; ".join(self.reasons)
            raise RefusedError(f"NTFS's log has work to redo ({reasons}): only content of the same size may be written")


def volume_state(device: BlockDevice) -> VolumeState:
    """The state of a volume that may be encrypted by BitLocker, which `NtfsVolume` cannot open.

    Raises:
        FormatError: it is neither encrypted nor a sound NTFS volume.
    """
    if bitlocker := read_bitlocker(device):
        return VolumeState("encrypted", bitlocker.reasons)
    return read_state(Store(device))


def read_state(store: Store) -> VolumeState:
    """The state of an NTFS volume; reads a few records, the log's restart pages, and a path of the root directory."""
    found: list[tuple[StateName, list[str]]] = [
        ("hibernated", _hibernation(store)),
        ("log pending", log_reasons(store.file(LOG_FILE).stream(Kind.DATA))),
        ("dirty", _dirty(store)),
    ]
    reasons = [reason for _, some in found for reason in some]
    return VolumeState(next((name for name, some in found if some), "clean"), reasons)


def _hibernation(store: Store) -> list[str]:
    try:
        stream = find_file(store, HIBERNATION_FILE).stream(Kind.DATA)
    except NotFoundError:
        return []
    signature = stream.read_at(0, min(4, stream.size)).upper()
    return [f"{HIBERNATION_FILE} {ASLEEP[signature]}"] if signature in ASLEEP else []


def volume_flags(store: Store) -> tuple[int, int, int]:
    """NTFS's major and minor version, and the flags of the volume."""
    attribute = store.file(VOLUME).get(Kind.VOLUME_INFORMATION)
    if attribute.non_resident or attribute.value_length < _INFORMATION.size:
        raise FormatError("$VOLUME_INFORMATION", attribute.position, f"{_INFORMATION.size} bytes", attribute.size)
    major, minor, flags = _INFORMATION.unpack_from(attribute.value)
    return major, minor, flags


def _dirty(store: Store) -> list[str]:
    _, _, flags = volume_flags(store)
    reasons = {DIRTY: "the volume is marked as dirty", CHKDSK_UNDERWAY: "a check of the volume was broken off"}
    return [reason for flag, reason in reasons.items() if flags & flag]
