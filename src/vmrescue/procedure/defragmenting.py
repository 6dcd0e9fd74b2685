"""A volume of a copy or a child is defragmented before the plan is applied: a defragmentation keeps no undo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.progress import work
from vmrescue.transaction.defragmenting import Defragmentation

if TYPE_CHECKING:
    import os

    from vmrescue.transaction.defragmenting import Defragmented
    from vmrescue.transaction.target import Made


def defragment(
    image: str | os.PathLike[str], made: Made, number: int | None = None, free_space: bool = False
) -> Defragmented:
    """Defragments a volume of what was made of the image: a partition's, or (None) that of Windows.

    Raises as `Defragmentation` and its `run`.
    """
    with Defragmentation(image, number, made) as defragmentation, work("moving files") as now:
        return defragmentation.run(free_space=free_space, progress=now.reach)
