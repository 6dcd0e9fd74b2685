"""Faults of parts of an installation, as sentences, so that a missing or damaged part does not stop the others.

If the machine itself cannot read the image (a bad disk, a lost server), that is no fault of the image: ReadError ends
everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import ReadError, VmRescueError

if TYPE_CHECKING:
    from collections.abc import Callable


def fault_of(ask: Callable[[], object]) -> str | None:
    """Calls `ask`; returns its error as a sentence, None if there is none. ReadError is raised."""
    try:
        ask()
    except ReadError:
        raise
    except VmRescueError as error:
        return str(error)
    return None
