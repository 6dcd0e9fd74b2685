"""Where an image is: a path of this machine or a URL, parsed in one place for all code that uses it."""

from __future__ import annotations

import os
from dataclasses import field
from pathlib import PurePath
from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.image.transports.transport import transport_of
from vmrescue.image.url import scheme_of, shown

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.image.transports.file import HeldStore, ImageStore
    from vmrescue.image.transports.transport import Transport


@dataclass(frozen=True)
class Reference:
    """Where an image is. `str` gives the text that may be shown and stored, without secrets.

    Attributes:
        text: the text as it was given; a URL may contain secrets.
        shown: the path; or the URL without user name, password and query.
        scheme: the URL's scheme, in lower case; empty for a path.
    """

    text: str = field(repr=False)
    shown: str
    scheme: str

    @classmethod
    def of(cls, image: Location) -> Reference:
        """The reference of a path or a URL; a reference is returned as it is."""
        if isinstance(image, Reference):
            return image
        text = os.fspath(image)
        return cls(text, shown(text), scheme_of(text))

    def __str__(self) -> str:
        return self.shown

    @property
    def transport(self) -> Transport:
        """Its row in the table of transports."""
        return transport_of(self.scheme)

    @property
    def is_remote(self) -> bool:
        """Whether it is a URL rather than a path of this machine."""
        return bool(self.scheme)

    @property
    def name(self) -> str:
        """The last part of the path."""
        return PurePath(self.shown).name

    @property
    def journal_folder(self) -> Path:
        """The folder of its undo journals, whether there are any or not."""
        return self.transport.journal_folder(self.text)

    @property
    def owner(self) -> int:
        """The number of the user who owns the image; for a remote image, this user."""
        return os.geteuid() if self.is_remote else os.stat(self.text).st_uid  # noqa: PTH116 - no other use of a Path

    def open(self) -> ImageStore:
        """Opens its bytes for reading only. Raises ReadError, UnsupportedError."""
        return self.transport.open(self.text)

    def hold(self) -> HeldStore:
        """Opens its bytes for writing; nobody else can write until they are closed. Raises RefusedError, ReadError."""
        return self.transport.hold(self.text)


Location = str | os.PathLike[str] | Reference
