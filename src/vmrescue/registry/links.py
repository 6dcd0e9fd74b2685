r"""Symbolic links between keys, followed as Windows follows them, inside one hive.

A link is a key with a flag and a value ``SymbolicLinkValue`` of type REG_LINK: a path of the kernel's, such as
``\Registry\Machine\SYSTEM\ControlSet001\Services``. Opening a key follows each link in its path, also one at the end.
Only that one value belongs to the link itself. Source: Microsoft, "ZwCreateKey", REG_OPTION_CREATE_LINK.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import LinkError
from vmrescue.registry import path as key_path
from vmrescue.registry.errors import ValueNotFound
from vmrescue.registry.key import LINK_VALUE
from vmrescue.registry.value_type import ValueType
from vmrescue.upcase import upper

if TYPE_CHECKING:
    from vmrescue.registry.key import Key
    from vmrescue.registry.mounts import Mount

MOST = 32  # links on the way to a key
CURRENT = "CURRENTCONTROLSET"


def belongs_to_link(value_name: str) -> bool:
    """Whether a value of that name is the link's own, not a value of the key that the link leads to."""
    return upper(value_name) == upper(LINK_VALUE)


def walk(root: Key, mount: Mount, path: str, *, through: bool) -> tuple[Key, list[str]]:
    """The deepest existing key on a path, and the names that are missing below it.

    Args:
        root: the hive's root key.
        mount: where Windows mounts the hive.
        through: whether a link at the end of the path is followed too; links before the end always are.

    Raises:
        LinkError: a link leads out of the hive, in a circle, or to nothing.
    """
    key, names = root, key_path.split(path)
    link: Key | None = None
    of_target = followed = 0  # how many of `names` come from the last link's target; how many links were followed
    while names:
        below = key.subkey(names[0])
        if below is None and of_target:
            raise LinkError(link.path if link else "", _text(link) if link else None, "is not there")
        if below is None:
            return key, names
        key = below
        del names[0]
        of_target = max(of_target - 1, 0)
        if key.is_link and (names or through):
            link, followed = key, followed + 1
            if followed > MOST:
                raise LinkError(key.path, _text(key), f"leads in a circle, or through more than {MOST} links")
            target = _target(root, mount, key)
            key, names, of_target = root, [*target, *names], len(target) + of_target
    return key, names


def _target(root: Key, mount: Mount, link: Key) -> list[str]:
    """The names from the hive's root down to where a link leads."""
    text = _text(link)
    if text is None:
        raise LinkError(link.path, None, "")
    start, *names = text.rstrip("\\").split("\\")
    for place in mount:
        if not start and tuple(map(upper, names[: len(place)])) == place:
            return _current(root, names[len(place) :])
    raise LinkError(link.path, text, "is outside of this hive")


def _current(root: Key, names: list[str]) -> list[str]:
    """Replaces CurrentControlSet, which is not stored, by the set whose number Select gives, as Windows does."""
    if not names or names[0].upper() != CURRENT or root.subkey(names[0]) is not None:
        return names
    select = root.subkey("Select")
    try:
        number = select.value("Current").data if select else None
    except ValueNotFound:
        return names
    return [f"ControlSet{number:03}", *names[1:]] if isinstance(number, int) else names


def _text(link: Key) -> str | None:
    try:
        value = link.value(LINK_VALUE)
    except ValueNotFound:
        return None
    return value.data if value.type == ValueType.LINK and isinstance(value.data, str) else None
