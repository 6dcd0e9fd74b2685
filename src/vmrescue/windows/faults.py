"""What is wrong with a part of an installation, as a sentence: one that is missing or damaged keeps no other from use.

An image that the machine itself cannot read (a bad disk, a server that is gone) is no fault of the image, and ends all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import ReadError, VmRescueError

if TYPE_CHECKING:
    from collections.abc import Callable


def fault_of(ask: Callable[[], object]) -> str | None:
    """Why something cannot be had; None where it can. Raises ReadError."""
    try:
        ask()
    except ReadError:
        raise
    except VmRescueError as error:
        return str(error)
    return None
