r"""Where Windows mounts a hive in its registry: what the targets of symbolic links begin with.

Source: Microsoft, "Registry hives", and what ``HKLM\SYSTEM\CurrentControlSet\Control\hivelist`` says on any Windows.
"""

from __future__ import annotations

Mount = tuple[tuple[str, ...], ...]
"""The upper-cased names of the key that a hive's root is, as the kernel sees it; some hives have two. () if unknown."""

NOWHERE: Mount = ()
_MACHINE = ("REGISTRY", "MACHINE")
_USER = ("REGISTRY", "USER")
_MOUNTS: dict[str, Mount] = {
    **{name: ((*_MACHINE, name),) for name in ("SYSTEM", "SOFTWARE", "SAM", "SECURITY", "COMPONENTS", "DRIVERS")},
    "BCD": ((*_MACHINE, "BCD00000000"),),
    "DEFAULT": ((*_USER, ".DEFAULT"), (*_USER, "S-1-5-18")),
}
_OWN_NAME = slice(48, 112)  # of a base block: the end of the path that the hive was last loaded from, UTF-16


def mount_of(path: str, base_block: bytes = b"") -> Mount:
    """Where Windows mounts the hive at `path`, by the file's name.

    Of a hive's file on its own, which may be called anything, the base block is asked where the name says nothing.
    """
    own = base_block[_OWN_NAME].decode("utf-16-le", "replace").split("\0", 1)[0]
    return _MOUNTS.get(_last(path)) or _MOUNTS.get(_last(own), NOWHERE)


def _last(path: str) -> str:
    return path.rpartition("\\")[2].upper()
