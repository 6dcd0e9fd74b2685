"""By what bytes an image's container is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vmrescue.device import BlockDevice

VHD_COOKIE = b"conectix"


def has_signature(store: BlockDevice, position: int, signature: bytes) -> bool:
    return position + len(signature) <= store.size and store.read_at(position, len(signature)) == signature
