"""$STANDARD_INFORMATION: a file's times, attributes and security. Source: linux-ntfs documentation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import in_volume
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.ntfs.structures.fields import Number

if TYPE_CHECKING:
    from vmrescue.ntfs.store import File

SHORT_SIZE, SIZE = 0x30, 0x48  # before NTFS 3.0, and since


class StandardInformation:
    """Times are in 100 ns since 1601, UTC. The security id is 0 if the file has a descriptor of its own."""

    created = Number("<Q", 0x00)
    modified = Number("<Q", 0x08)
    changed = Number("<Q", 0x10)
    accessed = Number("<Q", 0x18)
    attributes = Number("<I", 0x20)
    owner = Number("<I", 0x30)
    security = Number("<I", 0x34)

    __slots__ = ("raw",)

    def __init__(self, raw: bytes) -> None:
        self.raw = bytearray(raw)

    @property
    def has_security(self) -> bool:
        """Whether the file's descriptor is in the volume's $Secure."""
        return len(self.raw) >= SIZE and self.security != 0


def read_standard_information(file: File) -> StandardInformation:
    attribute = file.get(Kind.STANDARD_INFORMATION)
    if attribute.non_resident or attribute.value_length < SHORT_SIZE:
        raise in_volume("$STANDARD_INFORMATION", attribute.position, f"{SHORT_SIZE} bytes or more", attribute.size)
    return StandardInformation(attribute.value)
