"""Many images: each examined on its own, in this process, in others, or on other machines; results kept in files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.fleet.batch import scan
from vmrescue.fleet.result import ImageError, ScanResult
from vmrescue.fleet.timed_pool import TimedPool
from vmrescue.lazy import names_of

if TYPE_CHECKING:
    from vmrescue.fleet.repaired import RepairResult
    from vmrescue.fleet.runs import RunUndone, repair_images, rescue_images, undo_run

__all__ = [
    "ImageError",
    "RepairResult",
    "RunUndone",
    "ScanResult",
    "TimedPool",
    "repair_images",
    "rescue_images",
    "scan",
    "undo_run",
]

_LATER = {  # these need the editors, which a scan does not
    "RepairResult": "repaired",
    "RunUndone": "runs",
    "repair_images": "runs",
    "rescue_images": "runs",
    "undo_run": "runs",
}

__getattr__ = names_of(__name__, _LATER)
