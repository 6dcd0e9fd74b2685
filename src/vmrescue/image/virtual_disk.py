"""A disk as its container shows it, whatever that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from vmrescue.device import BlockDevice
from vmrescue.image.transports.file import SECTOR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vmrescue.image.risks import Risk


class VirtualDisk(BlockDevice, Protocol):
    """A disk as its container shows it."""

    @property
    def format(self) -> str:
        """`fixed VHD`, `dynamic VHD`, `differencing VHD`, `raw image`, `block device`, `VHDX image`, …"""

    @property
    def unique_id(self) -> bytes | None:
        """The 16 bytes by which a VHD's children know it; a raw image has none."""

    @property
    def parents(self) -> list[str]:
        """The paths of the images below a differencing one, the nearest first."""

    @property
    def warnings(self) -> list[str]:
        """What is wrong with the container, in sentences, though it could be opened."""

    @property
    def risks(self) -> Sequence[Risk]:
        """Why an edit may do harm that no check can see; it is refused unless these are accepted."""

    @property
    def refusal(self) -> str | None:
        """Why the image is only read, and what makes one of it that is written; None where it is itself."""

    def resize(self, size: int) -> None:
        """Makes the disk `size` bytes long; it only grows. Raises RefusedError."""


def sector_size_of(store: BlockDevice) -> int:
    """What the device says; for the image of a disk with 4096-byte sectors, what its GPT header's place says."""
    if store.size >= 8192 and store.read_at(SECTOR, 8) != b"EFI PART" == store.read_at(4096, 8):
        return 4096
    return store.sector_size
