r"""``CurrentControlSet``: the one key of the SYSTEM hive that no file holds.

At boot the kernel makes it a link to the control set that ``Select\Current`` numbers. Source: Microsoft, "HKLM\SYSTEM
\CurrentControlSet\Control" of the Windows driver documentation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import NotFoundError
from vmrescue.registry import path as key_path

if TYPE_CHECKING:
    from collections.abc import Callable

LINK = "CURRENTCONTROLSET"


def through_select(path: str, current: Callable[[], int | None]) -> str:
    r"""A path in the SYSTEM hive with ``CurrentControlSet`` replaced by the set that it means.

    Args:
        path: from below the hive's root.
        current: reads ``Select\Current``; None where there is no such number.

    Raises NotFoundError where that is so, and the path asks for it.
    """
    first, *rest = key_path.split(path) or [""]
    if first.upper() != LINK:
        return path
    number = current()
    if number is None:
        raise NotFoundError(r"there is no CurrentControlSet: the hive has no number Select\Current")
    return key_path.join([f"ControlSet{number:03}", *rest])
