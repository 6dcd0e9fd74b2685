"""The files of an image: the one that the user named, and its other pieces in the same folder."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING

from vmrescue.errors import NotFoundError, UnsupportedError
from vmrescue.image.transports.file import FileDevice

if TYPE_CHECKING:
    from vmrescue.image.transports.file import ImageStore


class Pieces:
    """The file of an image, and its other pieces, which are opened when they are needed."""

    def __init__(self, store: ImageStore, path: str | None) -> None:
        self.first = store
        self.path = path
        self._opened = ExitStack()
        self._opened.callback(store.close)

    @property
    def folder(self) -> Path | None:
        """The folder of the other pieces; None for an image that is no file on this machine."""
        return Path(self.path).parent if self.path and Path(self.path).is_file() else None

    def beside(self, name: str) -> ImageStore:
        """Opens a file in the image's own folder. Raises NotFoundError if it is not there."""
        if self.folder is None:
            raise UnsupportedError(f"{self.path} has further pieces, and only those of a local file can be read")
        path = self.folder / PureWindowsPath(name).name
        if not path.is_file() or path.resolve().parent != self.folder.resolve():
            raise NotFoundError(f"{path}, a piece of {self.path}, is missing, or a link out of its folder")
        store = FileDevice(path)
        self._opened.callback(store.close)
        return store

    def close(self) -> None:
        self._opened.close()
