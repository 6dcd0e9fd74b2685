"""What kind of file lies at a path: by this it is decided whether it may be deleted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Nature:
    """A file or directory.

    Attributes:
        size: bytes of a file's content.
        directory: whether it is one.
        own: whether it is one of the file system's own files, or below one.
        link: whether it, or a directory on the way to it, is a reparse point.
        names: how many it has, in all directories; a short form of a name is none of its own.
        packed: how its content differs from plain clusters: sparse, compressed, encrypted, elsewhere.
        storage: the same of the content alone, where it is not stored as it is read: no editor rewrites it.
        number: tells a volume's files apart, however they are named; 0 says nothing.
    """

    size: int
    directory: bool
    own: bool = False
    link: bool = False
    names: int = 1
    packed: tuple[str, ...] = ()
    storage: tuple[str, ...] = ()
    number: int = 0
