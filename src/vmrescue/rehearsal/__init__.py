"""The boot path of an image, stage by stage, as firmware, boot manager, loader and kernel would take it.

Nothing of the image is run: what each program would look for is looked for, and what it would find is said. It reads
through `windows/`, `volumes/` and `readers/` alone, and raises nothing for what is missing or damaged: that is what it
has to tell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.lazy import names_of

if TYPE_CHECKING:
    from vmrescue.rehearsal.rehearsal import Rehearsal, rehearse
    from vmrescue.rehearsal.stage import Fact, Stage, State, Stop

__all__ = ["Fact", "Rehearsal", "Stage", "State", "Stop", "rehearse"]

_MODULES = {
    "Rehearsal": "rehearsal",
    "rehearse": "rehearsal",
    "Fact": "stage",
    "Stage": "stage",
    "State": "stage",
    "Stop": "stage",
}

__getattr__ = names_of(__name__, _MODULES)
