r"""Follows symbolic links between keys, with code of its own, so that it can confirm what the editor did.

A link leads to a path of the kernel's, such as ``\Registry\Machine\SYSTEM\ControlSet001\Control``. Only targets in the
same hive can be followed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from vmrescue.errors import LinkError
from vmrescue.readers.hive.key import HiveKey
from vmrescue.upcase import upper

if TYPE_CHECKING:
    from collections.abc import Sequence

Mount = tuple[tuple[str, ...], ...]
"""The kernel's paths of a hive's root key, each as upper-cased names. Some hives have two paths; () if unknown."""

LINK_VALUE = "SymbolicLinkValue"
REG_DWORD, REG_LINK = 4, 6
MOST = 32  # most links on a way, those in links' targets included

Key = TypeVar("Key", bound=HiveKey)


class Links(Generic[Key]):
    """Follows the links of one hive.

    Args:
        root: the hive's root key.
        mount: where Windows mounts the hive.
    """

    def __init__(self, root: Key, mount: Mount) -> None:
        self._root = root
        self._mount = mount
        self._left = 0

    def follow(self, link: Key, names: Sequence[str]) -> Key:
        """The key that opening a link gives, with the link's path for errors.

        Raises LinkError if it leads out of the hive, in a circle, or to nothing.
        """
        self._left = MOST
        return self._follow(link, "\\".join(names))

    def _follow(self, key: Key, path: str) -> Key:
        if not key.is_link:
            return key
        self._left -= 1
        found = key.value(LINK_VALUE)
        if found is None or found[0] != REG_LINK:
            raise LinkError(path, None, "")
        raw = found[1]
        target = raw[: len(raw) & ~1].decode("utf-16-le", "surrogatepass").partition("\0")[0]
        if self._left < 0:
            raise LinkError(path, target, f"leads in a circle, or through more than {MOST} links")
        place = self._root
        for name in self._inside(path, target):
            below = place.subkey(name)
            if below is None:
                raise LinkError(path, target, "is not there")
            place = self._follow(below, path)
        return place

    def _inside(self, path: str, target: str) -> list[str]:
        """The names from the hive's root down to the link's target."""
        names = target.strip("\\").split("\\")
        folded = [upper(name) for name in names]
        for mount in self._mount:
            if target.startswith("\\") and folded[: len(mount)] == [*mount]:
                return self._stored(names[len(mount) :])
        raise LinkError(path, target, "is outside of this hive")

    def _stored(self, names: list[str]) -> list[str]:
        """The names with CurrentControlSet, which is not stored, replaced by the control set that it means."""
        if names and names[0].upper() == "CURRENTCONTROLSET" and self._root.subkey(names[0]) is None:
            select = self._root.subkey("Select")
            current = select.value("Current") if select else None
            if current and current.type == REG_DWORD and len(current.raw) == 4:
                return [f"ControlSet{int.from_bytes(current.raw, 'little'):03}", *names[1:]]
        return names
