"""What a campaign by hand makes larger. Without these variables each test is as large as CI has time for.

``VMRESCUE_CAMPAIGN=20 python -m pytest -m campaign`` makes all twenty times as large. Some have a variable of their
own: docs/testing.md lists them.
"""

from __future__ import annotations

import os

TIMES = int(os.environ.get("VMRESCUE_CAMPAIGN", "1"))


def count(variable: str, usual: int) -> int:
    """A number of rounds, files, edits: what the variable says, else the usual number as often as the campaign says."""
    return int(os.environ.get(variable) or usual * TIMES)


def whole(variable: str) -> bool:
    """Whether all of what a test draws from is wanted, and not some of it: the variable is set, or a campaign runs."""
    return bool(os.environ.get(variable)) or TIMES > 1
