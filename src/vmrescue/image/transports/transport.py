"""The table of transports: how an image's bytes are accessed, by the scheme of its URL.

A new transport needs a module that opens a URL as a store, and a row here. The disks of an opened dissect Target are
not in the table: they are disks already (`target_disk`), and no path or URL opens them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.errors import missing_extra
from vmrescue.image.journal_place import beside, for_address
from vmrescue.image.transports.file import FileDevice
from vmrescue.image.transports.lock import locked_file
from vmrescue.image.url import AZURE, NBD, QEMU, WEB

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import NoReturn

    from vmrescue.image.transports.file import HeldStore, ImageStore


@dataclass(frozen=True)
class Transport:
    """A row of the table. Each function gets the path or URL as it was given, with its secrets.

    Attributes:
        open: opens the bytes for reading only. Raises ReadError, UnsupportedError.
        hold: opens the bytes for writing, and keeps others from writing. Raises RefusedError if they are only read.
        journal_folder: the folder of the image's undo journals, the same for all names of the image.
        has_versions: whether each write gives the image another version (`HeldStore.version`).
        is_near: whether it is as fast as a disk, so that a file system on it may be put together in place.
    """

    open: Callable[[str], ImageStore]
    hold: Callable[[str], HeldStore]
    journal_folder: Callable[[str], Path]
    has_versions: bool = False
    is_near: bool = True


def _open_blob(url: str) -> ImageStore:
    from vmrescue.image.transports.azure import open_blob  # here, as below, because most images are near

    return open_blob(url)


def _open_web(url: str) -> ImageStore:
    from vmrescue.image.transports.fsspec_file import check_name

    check_name(url)
    try:
        import aiohttp  # noqa: F401
        import fsspec  # noqa: F401 - its event loop is used
    except ImportError as error:
        raise missing_extra("URLs are read with fsspec and aiohttp", "fleet") from error
    from vmrescue.image.transports.web_file import open_web  # here, because aiohttp is slow to import

    return open_web(url)


def _hold_blob(url: str) -> HeldStore:
    from vmrescue.image.transports.page_blob import PageBlob  # here, because it is slow to import

    return PageBlob(url, _remote_folder(url))


def _open_export(url: str) -> ImageStore:
    from vmrescue.image.transports.nbd.device import open_export  # here, because most commands need no NBD

    return open_export(url)


def _hold_export(url: str) -> HeldStore:
    from vmrescue.image.transports.nbd.device import hold_export

    return hold_export(url)


def _export_folder(url: str) -> Path:
    from vmrescue.image.transports.nbd.device import journal_folder_of

    return journal_folder_of(url)


def _open_address(url: str) -> ImageStore:
    from vmrescue.image.transports.qemu_address import open_address  # here, because most commands need no QEMU

    return open_address(url)


def _hold_address(url: str) -> HeldStore:
    from vmrescue.image.transports.qemu_address import hold_address

    return hold_address(url)


def _address_folder(url: str) -> Path:
    from vmrescue.image.transports.qemu_address import address_folder

    return address_folder(url)


def _open_other(url: str) -> ImageStore:
    from vmrescue.image.transports.fsspec_file import open_other

    return open_other(url)


def _refuse(url: str) -> NoReturn:
    from vmrescue.image.transports.remote import refusal

    raise refusal(url)


def _remote_folder(url: str) -> Path:
    from vmrescue.image.transports.azure import address

    return for_address(address(url))


FILE = Transport(FileDevice, locked_file, beside)  # block devices too
PAGE_BLOB = Transport(_open_blob, _hold_blob, _remote_folder, has_versions=True, is_near=False)
WEB_SERVER = Transport(  # Azure's too; on others `hold` raises RefusedError
    _open_web, _hold_blob, _remote_folder, has_versions=True, is_near=False
)
OTHER = Transport(_open_other, _refuse, _remote_folder, is_near=False)  # whatever else fsspec knows
OF_QEMU = Transport(_open_address, _hold_address, _address_folder, is_near=False)
EXPORT = Transport(_open_export, _hold_export, _export_folder)

TRANSPORTS: dict[str, Transport] = {
    "": FILE,
    **dict.fromkeys(AZURE, PAGE_BLOB),
    **dict.fromkeys(WEB, WEB_SERVER),
    **dict.fromkeys(NBD, EXPORT),
    **dict.fromkeys(QEMU, OF_QEMU),
}
"""Scheme, in lower case -> transport; "" is the scheme of paths of this machine."""


def transport_of(scheme: str) -> Transport:
    """The row of a scheme; `OTHER` (fsspec, read only) for schemes that are not in the table."""
    return TRANSPORTS.get(scheme, OTHER)
