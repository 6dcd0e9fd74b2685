"""Reader and editor are two programs: before either is trusted they must see the same volume."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping


def must_agree(structure: str, position: int, edited: Mapping[str, int | None], read: Mapping[str, int | None]) -> None:
    """Compares what a volume is to its editor and to its reader.

    Args:
        structure, position: whose first byte, on the disk.
        edited, read: the same facts by their names.

    Raises:
        FormatError: they differ in one: what one wrote, the other would look for elsewhere.
    """
    for name, value in edited.items():
        if read[name] != value:
            raise FormatError(structure, position, f"one {name} to editor and reader", f"{value} and {read[name]}")
