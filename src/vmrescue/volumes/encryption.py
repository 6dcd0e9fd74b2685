"""The table of encryptions of volumes. It is empty: no encrypted volume can be read yet.

BitLocker is only recognised (`volume.bitlocker`): a volume's state says that it is encrypted, and nothing in it is read
or changed. A new encryption needs a module that opens an encrypted volume, and a row here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmrescue.device import BlockDevice


@dataclass(frozen=True)
class Encryption:
    """A row of the table.

    Attributes:
        found: whether a volume is encrypted by it and can be opened.
        open: gives the decrypted volume, of the same size and with the same offsets; writes to it are encrypted.
    """

    found: Callable[[BlockDevice], bool]
    open: Callable[[BlockDevice], BlockDevice]


ENCRYPTIONS: list[Encryption] = []
"""The first row that matches is used."""


def in_the_clear(device: BlockDevice) -> BlockDevice:
    """The decrypted volume; the volume itself if no row of the table matches."""
    kind = next((each for each in ENCRYPTIONS if each.found(device)), None)
    return kind.open(device) if kind else device
