"""The table of containers that can have children, and how an empty child is made over an image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vmrescue.errors import UnsupportedError, UsageError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from vmrescue.image.new_image import NewImage

    Filling = Callable[[NewImage, str | os.PathLike[str]], None]  # a new image, its parent

SUFFIXES = {"VHD": (".vhd", ".avhd"), "VHDX": (".vhdx", ".avhdx")}


def filling_over(form: str, child: str | os.PathLike[str]) -> Filling:
    """The function that makes an empty child of an image.

    Args:
        form: the format of the parent (`Facts.format`): the child's container is the same.
        child: the child's path.

    Raises:
        UnsupportedError: such an image can have no child.
        UsageError: the child's name says that it is of another container.
    """
    kind = form.rpartition(" ")[2]
    if kind not in SUFFIXES:
        raise UnsupportedError(f"only a VHD and a VHDX can have a child (--into), and this is a {form}: make a copy")
    suffix = Path(child).suffix.lower()
    named = next((each for each, suffixes in SUFFIXES.items() if suffix in suffixes), kind)
    if named != kind:
        raise UsageError(f"{child}: the child of a {form} is a {kind} too: name it {' or '.join(SUFFIXES[kind])}")
    if kind == "VHDX":
        from vmrescue.image.containers.vhdx.create import fill_child

        return fill_child
    from vmrescue.image.containers.vhd_create import fill_differencing  # here, because construct is slow to import

    return fill_differencing
