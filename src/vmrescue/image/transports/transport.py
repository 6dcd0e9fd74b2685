"""The table of transports: how the bytes of an image are reached, by the scheme of its URL.

A new one (nbd, say) is a module that makes a store of a URL, and a row here. The disks of an opened dissect Target are
no store: they are disks already (`target_disk`), and have no path or URL that would open them.
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

    from vmrescue.image.transports.file import HeldStore, Store


@dataclass(frozen=True)
class Transport:
    """A row of the table. Each function takes the path or the URL as it was given, with its secrets.

    Attributes:
        open: the bytes, for reading only. Raises ReadError, UnsupportedError.
        hold: the bytes, for writing, with nobody else writing meanwhile. Raises RefusedError where they are only read.
        journal_folder: where the undo journals of the image lie: the same folder by whatever name it is reached.
    """

    open: Callable[[str], Store]
    hold: Callable[[str], HeldStore]
    journal_folder: Callable[[str], Path]


def _hold_blob(url: str) -> HeldStore:
    from vmrescue.image.transports.page_blob import PageBlob  # here, because what it stands on is slow to import

    return PageBlob(url, _remote_folder(url))


def _refuse(url: str) -> NoReturn:
    raise refusal(url)


def _remote_folder(url: str) -> Path:
    return for_address(address(url))


FILE = Transport(FileDevice, locked_file, beside)  # block devices too
PAGE_BLOB = Transport(RemoteFile, _hold_blob, _remote_folder)  # a web server that is none of Azure's refuses writes
OTHER = Transport(RemoteFile, _refuse, _remote_folder)  # whatever else fsspec knows

TRANSPORTS: dict[str, Transport] = {"": FILE, **dict.fromkeys((*WEB, *AZURE), PAGE_BLOB)}
"""Scheme, in lower case -> how it is reached; none is a path of this machine."""


def transport_of(scheme: str) -> Transport:
    """The row of a scheme; a scheme without one is fsspec's, to be read."""
    return TRANSPORTS.get(scheme, OTHER)
