"""A disk behind an address that QEMU opens, such as Ceph's RBD or iSCSI: through a `qemu-nbd` of our own.

Such an address is passed on as it is, and names a raw disk. Nothing locks it: what is done against two writers is what
NBD does (`nbd.device`).
Source: QEMU, qemu-block-drivers(7).
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from vmrescue.errors import RefusedError
from vmrescue.image.journal_place import for_address, locked_file
from vmrescue.image.notices import tell
from vmrescue.image.transports.nbd.device import LOCK, NbdDevice
from vmrescue.image.transports.qemu_nbd import QemuNbd
from vmrescue.image.url import from_anywhere, shown

if TYPE_CHECKING:
    from pathlib import Path

CAUTION = "nothing locks it: nothing else may write to it meanwhile, no running VM and no other client of its server"


def address_folder(url: str) -> Path:
    """The folder of the disk's undo journals, the same from whichever folder the address is given."""
    return for_address(shown(from_anywhere(url)))


def open_address(url: str) -> NbdDevice:
    """Opens the disk for reading only. Raises UnsupportedError, ReadError as `QemuNbd`."""
    with ExitStack() as opened:
        server = QemuNbd(url, shown(url))
        opened.callback(server.close)
        device = NbdDevice(server.session, shown(url))
        device.also_close(opened.pop_all())
    return device


def hold_address(url: str) -> NbdDevice:
    """Opens the disk for writing. Other repairs of this user on this machine are kept out until it is closed.

    Raises:
        RefusedError: the disk is only read, or another repair holds it.
        UnsupportedError, ReadError: as `QemuNbd`.
    """
    with ExitStack() as opened:
        opened.enter_context(locked_file(address_folder(url), LOCK, shown(url)))
        server = QemuNbd(url, shown(url), writable=True)
        opened.callback(server.close)
        device = NbdDevice(server.session, shown(url), writable=True)
        if device.refusal:
            raise RefusedError(device.refusal)
        tell(shown(url), (CAUTION,))
        device.also_close(opened.pop_all())
    return device
