"""The diagnosis of an image: disks opened, the checks run on them, and what they found as one document."""

from __future__ import annotations

from vmrescue.diagnosis.diagnosis import Diagnosis, diagnose, examine, inventory, open_disks

__all__ = ["Diagnosis", "diagnose", "examine", "inventory", "open_disks"]
