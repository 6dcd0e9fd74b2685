"""Fuzzing: every parser of vmrescue fed with real files that were changed, by named fields and by bytes.

    python -m fuzz --list                      the parsers
    python -m fuzz hive --count 20000 --seed 9 a campaign: each input in bounded time and memory; finds are saved
    python -m fuzz.coverage hive               coverage-guided, with Atheris, for as long as you like

Run it in the project's folder: the real files come from the tests' own sources (tests/support/real_data.py).
What every input must end in: success, or a VmRescueError.
"""

from __future__ import annotations

import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
for _folder in ("tests", "images"):  # their helpers make the volumes, hives, disks and programs that are changed here
    if str(PROJECT / _folder) not in sys.path:
        sys.path.append(str(PROJECT / _folder))
