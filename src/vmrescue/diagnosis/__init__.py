"""The diagnosis of an image: disks opened, the checks run on them, and what they found as one document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.lazy import names_of

if TYPE_CHECKING:
    from vmrescue.diagnosis.diagnosis import Diagnosis
    from vmrescue.diagnosis.disks import open_disks
    from vmrescue.diagnosis.examination import diagnose, examine, inventory
    from vmrescue.diagnosis.rehearsing import rehearse

__all__ = ["Diagnosis", "diagnose", "examine", "inventory", "open_disks", "rehearse"]

_MODULES = {
    "Diagnosis": "diagnosis",
    "diagnose": "examination",
    "examine": "examination",
    "inventory": "examination",
    "open_disks": "disks",
    "rehearse": "rehearsing",
}

__getattr__ = names_of(__name__, _MODULES)
