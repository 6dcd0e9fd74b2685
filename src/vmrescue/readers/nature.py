"""The kind of a file: it decides whether the file may be deleted."""

from __future__ import annotations

from vmrescue.dataclass import dataclass


@dataclass(frozen=True)
class Nature:
    """A file or directory.

    Attributes:
        size: bytes of a file's content.
        directory: whether it is a directory.
        own: whether it is one of the file system's own files, or below one.
        link: whether it, or a directory on its path, is a reparse point.
        names: the number of its names in all directories; short forms of names do not count.
        packed: how it is stored if not in plain clusters: sparse, compressed, encrypted, elsewhere.
        storage: the same for the content alone; if not empty, no editor rewrites the content.
        number: identifies the file on its volume, the same for all its names; 0: not known.
    """

    size: int
    directory: bool
    own: bool = False
    link: bool = False
    names: int = 1
    packed: tuple[str, ...] = ()
    storage: tuple[str, ...] = ()
    number: int = 0
