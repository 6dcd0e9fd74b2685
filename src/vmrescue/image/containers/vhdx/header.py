"""The two headers of a VHDX: the current one, and new ones ([MS-VHDX] 2.2.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.device import check_range
from vmrescue.errors import FormatError, UnsupportedError
from vmrescue.image.containers.vhdx.layout import (
    HEADER,
    HEADER_SIGNATURE,
    HEADERS_AT,
    MIB,
    NO_GUID,
    SECTOR,
    Header,
    is_sound,
    sealed,
)

if TYPE_CHECKING:
    from vmrescue.device import Readable


@dataclass(frozen=True)
class Current:
    """The current header, which of the two places it is in, and what is odd about the other one."""

    header: Header
    slot: int
    notes: tuple[str, ...] = ()

    @property
    def has_log(self) -> bool:
        """Whether the log has to be replayed before anything else is read."""
        return self.header.log_guid != NO_GUID


def read_current(store: Readable) -> Current:
    """The header that counts: the sound one with the higher sequence number.

    Raises:
        FormatError: none is sound, or two sound ones contradict each other.
        UnsupportedError: the file is of a later version.
    """
    check_range("VHDX file", HEADERS_AT[1], SECTOR, store.size)
    raw = [store.read_at(at, SECTOR) for at in HEADERS_AT]
    sound = [slot for slot in (0, 1) if is_sound(raw[slot], HEADER_SIGNATURE)]
    if not sound:
        expected = f"a sound header there or at byte {HEADERS_AT[1]}"
        raise FormatError("VHDX header", HEADERS_AT[0], expected, raw[0][:4])
    headers = {slot: Header(*HEADER.unpack_from(raw[slot])[2:]) for slot in sound}
    slot = max(sound, key=lambda each: headers[each].sequence)
    if len(sound) == 2 and headers[0].sequence == headers[1].sequence and headers[0] != headers[1]:
        raise FormatError("VHDX header", HEADERS_AT[1], "one of the two headers to be the newer one", "two alike")
    lost = [at for each, at in enumerate(HEADERS_AT) if each not in sound]
    notes = tuple(f"the VHDX's header at byte {at} is damaged: the other one is used" for at in lost)
    _check(headers[slot], HEADERS_AT[slot], store.size)
    return Current(headers[slot], slot, notes)


def _check(header: Header, at: int, size: int) -> None:
    if header.version != 1:
        raise UnsupportedError(f"the VHDX is of version {header.version}: only version 1 is supported")
    if header.log_guid == NO_GUID:
        return  # nothing in the log counts
    if header.log_version:
        raise UnsupportedError(f"the VHDX's log is of version {header.log_version}: only version 0 is supported")
    if not header.log_length or header.log_length % MIB or header.log_offset % MIB or header.log_offset < MIB:
        found = f"{header.log_length} bytes at {header.log_offset}"
        raise FormatError("VHDX header", at + 68, "a log of whole MiB at a whole MiB", found)
    check_range("VHDX log", header.log_offset, header.log_length, size)


def build_header(header: Header) -> bytes:
    """The bytes of a header."""
    return sealed(HEADER.pack(HEADER_SIGNATURE, 0, *header).ljust(SECTOR, b"\0"))
