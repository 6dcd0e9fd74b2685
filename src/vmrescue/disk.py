"""The public names for disks, from `vmrescue.image`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vmrescue import image

if TYPE_CHECKING:
    from vmrescue.image import *  # noqa: F403  # for type checkers: what __getattr__ gives

__all__ = image.__all__


def __getattr__(name: str) -> Any:
    return getattr(image, name)
