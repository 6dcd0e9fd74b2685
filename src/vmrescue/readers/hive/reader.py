"""Reads a hive through dissect.regf: keys by their paths, links followed, and whether it was written completely.

Only the pages that are needed are read, so a clean hive of any size costs a few hundred kilobytes. dissect.regf does
not replay the logs of a dirty hive; the caller may give a stream in which they are replayed.
"""

from __future__ import annotations

import struct
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO, Generic, TypeVar

from vmrescue.errors import FormatError
from vmrescue.readers.guard import reading
from vmrescue.readers.hive.key import HiveKey
from vmrescue.readers.hive.links import LINK_VALUE, Links
from vmrescue.readers.hive.pages import SIGNATURE
from vmrescue.upcase import upper

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vmrescue.readers.hive.key import HiveValue
    from vmrescue.readers.hive.links import Mount

SECTOR = 512  # bytes of the base block that end with its checksum
_SEQUENCES = struct.Struct("<4sII")  # signature, sequence number of the last write begun, and of the last completed

Key = TypeVar("Key", bound=HiveKey)


class HiveReader(Generic[Key]):
    """A hive, read through dissect.regf.

    Args:
        stream: the content of its file.
        name: the hive's name in errors.
        mount: where Windows mounts it, which links need.
        key: the class of its keys.
    """

    def __init__(self, stream: BinaryIO, name: str, mount: Mount, key: type[Key]) -> None:
        self._stream = stream
        self._name = name
        self._mount = mount
        self._key = key
        self._way: list[tuple[str, Key]] = []  # the last key found and those above it, by their names

    @cached_property
    def root(self) -> Key:
        with reading(self._name, None):
            return self._key.root_of(self._stream, self._name)

    def key(self, names: Sequence[str]) -> Key | None:
        """The key that opening a path gives, links followed; None if a part of the path is missing.

        Raises LinkError if a link cannot be followed.
        """
        known = 0
        while known < min(len(names), len(self._way)) and names[known] == self._way[known][0]:
            known += 1
        del self._way[known:]
        key = self._way[-1][1] if known else self.root
        for count, name in enumerate(names[known:], known + 1):
            below = key.subkey(name)
            if below is None:
                return None
            key = self._links.follow(below, names[:count]) if below.is_link else below
            self._way.append((name, key))
        return key

    def stored_key(self, names: Sequence[str]) -> Key | None:
        """As `key`, but a link at the end of the path is not followed."""
        if not names:
            return self.root
        key = self.key(names[:-1])
        return key.subkey(names[-1]) if key else None

    def value(self, names: Sequence[str], name: str) -> HiveValue | None:
        """The value `name` of the key at a path; None if either is missing. Raises LinkError."""
        key = self.stored_key(names) if upper(name) == upper(LINK_VALUE) else self.key(names)
        return key.value(name) if key else None

    @cached_property
    def _links(self) -> Links[Key]:
        return Links(self.root, self._mount)


def why_incomplete(stream: BinaryIO, name: str) -> str | None:
    """Why a write of the hive was not completed, according to its base block; None if it was.

    Source: M. Suhanov, "Windows registry file format specification", "Base block", "Dirty state of a hive".
    """
    with reading(name, None):
        stream.seek(0)
        block = stream.read(SECTOR)
        if len(block) < SECTOR or block[:4] != SIGNATURE:
            raise FormatError("base block", 0, "the signature 'regf'", bytes(block[:4]))
        _, begun, completed = _SEQUENCES.unpack_from(block)
        *words, checksum = struct.unpack("<128I", block)
        total = 0
        for word in words:
            total ^= word
        expected = {0: 1, 0xFFFFFFFF: 0xFFFFFFFE}.get(total, total)
    if checksum != expected:
        return f"the base block's checksum is 0x{checksum:08x}, not 0x{expected:08x}"
    return None if begun == completed else f"write {begun} was begun, and {completed} was the last to be completed"
