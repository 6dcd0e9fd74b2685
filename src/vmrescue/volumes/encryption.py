"""The table of encryptions, which lie between a volume's sectors and its file system. None is read yet.

BitLocker is recognised (`volume.bitlocker`): a volume's state says that it is encrypted, and nothing in it is read or
changed. A new one is a module that makes the plain volume of an encrypted one, and a row here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmrescue.device import BlockDevice


@dataclass(frozen=True)
class Encryption:
    """A row of the table.

    Attributes:
        found: whether a volume's bytes are encrypted by it, and it can be opened.
        open: the volume in the clear, of the same size, each byte at its place; what is written to it is encrypted.
    """

    found: Callable[[BlockDevice], bool]
    open: Callable[[BlockDevice], BlockDevice]


ENCRYPTIONS: list[Encryption] = []
"""The first that is found is it."""


def in_the_clear(device: BlockDevice) -> BlockDevice:
    """The volume that is to be read and edited: itself, where nothing that can be opened encrypts it."""
    kind = next((each for each in ENCRYPTIONS if each.found(device)), None)
    return kind.open(device) if kind else device
