"""The files of an image: the one that the user named, and its other pieces in the same folder."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from vmrescue.errors import NotFoundError, UnsupportedError
from vmrescue.image.containers.parents import parent_folder
from vmrescue.image.transports.file import FileDevice

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmrescue.image.transports.file import ImageStore


class Pieces:
    """The file of an image, and its other pieces, which are opened when they are needed."""

    def __init__(self, store: ImageStore, path: str | None) -> None:
        self.first = store
        self.path = path
        self.parents: list[str] = []  # the files below the image, nearest first
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

    def parent(self, child: str, named: str) -> Path:
        """The file that `child` names as the one below it.

        A name decides nothing about which files of this machine are opened: the file must be in the image's own folder
        and be the one that the name leads to, or be in the folder that the user named (`parents_in`).

        Raises:
            NotFoundError: there is no such file.
            UnsupportedError: the name is no path of a file.
        """
        plain = named.removeprefix("file:")
        if self.folder is None or "://" in plain or plain.startswith(("json:", "nbd:")) or "\0" in plain:
            raise UnsupportedError(f"{child} lies over {named!r:.100}, and only files of this machine are looked for")
        name = PurePosixPath(plain).name
        if (chosen := parent_folder()) is not None and _is_in(chosen, name):
            return chosen / name
        own = Path(child).parent.resolve()
        if _is_in(own, name) and (own / plain).resolve() == own / name:
            return own / name
        raise NotFoundError(
            f"the file below {child}, {plain!r:.200}, is not in its folder: --parent-dir says where it is, if that is"
            " right as it is now"
        )

    def close_too(self, close: Callable[[], None]) -> None:
        """Calls this when the image is closed."""
        self._opened.callback(close)

    def open_parent(self, path: Path) -> ImageStore:
        """Opens a file below the image."""
        store = FileDevice(path)
        self._opened.callback(store.close)
        self.parents.append(str(path))
        return store

    def close(self) -> None:
        self._opened.close()


def _is_in(folder: Path, name: str) -> bool:
    """Whether a folder has a file of that name that is no link out of it."""
    path = folder / name
    return bool(name) and path.is_file() and path.resolve().parent == folder.resolve()
