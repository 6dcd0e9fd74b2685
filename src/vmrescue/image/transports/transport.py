"""The table of transports: how an image's bytes are accessed, by the scheme of its URL.

A new transport (nbd, say) needs a module that opens a URL as a store, and a row here. The disks of an opened dissect
Target are not in the table: they are disks already (`target_disk`), and no path or URL opens them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmrescue.image.journal_place import beside, for_address
from vmrescue.image.transports.azure import address
from vmrescue.image.transports.file import FileDevice
from vmrescue.image.transports.lock import locked_file
from vmrescue.image.transports.remote import RemoteFile, refusal
from vmrescue.image.url import AZURE, WEB

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
    """

    open: Callable[[str], ImageStore]
    hold: Callable[[str], HeldStore]
    journal_folder: Callable[[str], Path]


def _hold_blob(url: str) -> HeldStore:
    from vmrescue.image.transports.page_blob import PageBlob  # here, because it is slow to import

    return PageBlob(url, _remote_folder(url))


def _refuse(url: str) -> NoReturn:
    raise refusal(url)


def _remote_folder(url: str) -> Path:
    return for_address(address(url))


FILE = Transport(FileDevice, locked_file, beside)  # block devices too
PAGE_BLOB = Transport(
    RemoteFile, _hold_blob, _remote_folder
)  # other web servers too; for them `hold` raises RefusedError
OTHER = Transport(RemoteFile, _refuse, _remote_folder)  # whatever else fsspec knows

TRANSPORTS: dict[str, Transport] = {"": FILE, **dict.fromkeys((*WEB, *AZURE), PAGE_BLOB)}
"""Scheme, in lower case -> transport; "" is the scheme of paths of this machine."""


def transport_of(scheme: str) -> Transport:
    """The row of a scheme; `OTHER` (fsspec, read only) for schemes that are not in the table."""
    return TRANSPORTS.get(scheme, OTHER)
