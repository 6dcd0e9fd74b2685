"""The versions of installed programs, by the names of the folders that their metadata lie in.

The names are as the packaging specification has them ("Recording installed projects"). `importlib.metadata` gives
the same, but imports 30 modules for it (email, zipfile). That takes as long as a twentieth of an edit.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def versions_of(programs: Iterable[str]) -> dict[str, str]:
    """The version of each program. Raises `importlib.metadata.PackageNotFoundError` for one that is not installed."""
    known: dict[str, str] = {}  # of the first folder that a program has, as Python finds modules; "" if not in its name
    for folder in sys.path:
        with suppress(OSError), os.scandir(folder or os.curdir) as entries:
            for entry in entries:
                stem, _, kind = entry.name.rpartition(".")
                if kind in ("dist-info", "egg-info"):
                    name, _, version = stem.partition("-")
                    known.setdefault(_normal(name), version if kind == "dist-info" else "")
    return {program: known.get(_normal(program)) or _asked(program) for program in programs}


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _asked(program: str) -> str:
    from importlib.metadata import version

    return version(program)
