"""The boot path of an image, stage by stage, as firmware, boot manager, loader and kernel would take it.

No program of the image is run. The rehearsal looks for what each program would look for, and says what it would find.
It reads only through `windows/`, `volumes/` and `readers/`. A missing or damaged part is a result, and never an
exception.
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
