r"""``CurrentControlSet``: a key of SYSTEM that Windows makes when it starts, and that is not stored in the hive.

At boot the kernel makes it a link to the control set that ``Select\Current`` numbers. Source: Microsoft, "HKLM\SYSTEM
\CurrentControlSet\Control" of the Windows driver documentation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import NotFoundError, RefusedError
from vmrescue.registry import path as key_path
from vmrescue.registry.errors import KeyNotFound, ValueNotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmrescue.registry.hive import Hive

LINK = "CURRENTCONTROLSET"


def through_select(path: str, current: Callable[[], int | None], stored: Callable[[], bool | None]) -> str:
    r"""A path in the SYSTEM hive with ``CurrentControlSet`` replaced by the set that it means.

    Args:
        path: from below the hive's root.
        current: reads ``Select\Current``; None where there is no such number.
        stored: whether the hive holds a key of that name after all, as a link (True) or not (False); None: it does not.
            Alone, the name then means that key, so that it can be seen and deleted.

    Raises:
        NotFoundError: the path asks for the current set, and there is no such number.
        RefusedError: it asks for something in it, and what is stored there is no link.
    """
    first, *rest = key_path.split(path) or [""]
    if first.upper() != LINK:
        return path
    is_link = stored()
    if is_link is not None and not rest:
        return path
    if is_link is False:
        raise RefusedError(
            "the hive has a key CurrentControlSet of its own, where Windows makes a link at boot: "
            "it is not clear which is meant; name the control set, such as ControlSet001"
        )
    number = current()
    if number is None:
        raise NotFoundError(r"there is no CurrentControlSet: the hive has no number Select\Current")
    return key_path.join([f"ControlSet{number:03}", *rest])


def through_select_in(hive: Hive, path: str) -> str:
    """As `through_select`, asking the hive itself."""

    def current() -> int | None:
        try:
            number = hive.value("Select", "Current").data
        except (KeyNotFound, ValueNotFound):
            return None
        return number if isinstance(number, int) else None

    def stored() -> bool | None:
        key = hive.root.subkey(LINK)
        return key.is_link if key else None

    return through_select(path, current, stored)
