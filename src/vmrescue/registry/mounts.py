r"""Where Windows mounts a hive in its registry. The targets of symbolic links begin with such a path.

Source: Microsoft, "Registry hives", and what ``HKLM\SYSTEM\CurrentControlSet\Control\hivelist`` says on any Windows.
"""

from __future__ import annotations

Mount = tuple[tuple[str, ...], ...]
"""The kernel's paths of a hive's root key, each as upper-cased names. Some hives have two paths; () if unknown."""

NOWHERE: Mount = ()
_MACHINE = ("REGISTRY", "MACHINE")
_USER = ("REGISTRY", "USER")
_MOUNTS: dict[str, Mount] = {
    **{name: ((*_MACHINE, name),) for name in ("SYSTEM", "SOFTWARE", "SAM", "SECURITY", "COMPONENTS", "DRIVERS")},
    "BCD": ((*_MACHINE, "BCD00000000"),),
    "DEFAULT": ((*_USER, ".DEFAULT"), (*_USER, "S-1-5-18")),
}
_OWN_NAME = slice(48, 112)  # in a base block: the end of the path from which the hive was last loaded, UTF-16


def mount_of(path: str, base_block: bytes = b"") -> Mount:
    """Where Windows mounts the hive at `path`, by the file's name.

    A hive's file outside of its volume may have any name. If the name is not known, the name in its base block decides.
    """
    own = base_block[_OWN_NAME].decode("utf-16-le", "replace").split("\0", 1)[0]
    return _MOUNTS.get(_last(path)) or _MOUNTS.get(_last(own), NOWHERE)


def _last(path: str) -> str:
    return path.rpartition("\\")[2].upper()
