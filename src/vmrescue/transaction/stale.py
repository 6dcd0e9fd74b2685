"""Plans whose image has changed since they were made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import RefusedError
from vmrescue.plan.hive_changes import values_text

if TYPE_CHECKING:
    from vmrescue.errors import NotFoundError
    from vmrescue.plan import Change, FileRef


def stale(what: str) -> RefusedError:
    """What is said where the image is not what the plan has found; `what` says in which place."""
    return RefusedError(f"{what}: the plan no longer fits this image and must be made again")


def gone(file: FileRef, error: NotFoundError) -> RefusedError:
    """What is said of a file that was there before the plan's first edit: the plan itself has deleted it."""
    return stale(f"the plan edits {file}, and {error}")


def compare(change: Change, expected: object, found: object) -> None:
    """Raises RefusedError where a change did not find what its plan says."""
    if expected != found:
        shown = "nothing" if found is None else values_text(found) if isinstance(found, dict) else str(found)
        raise stale(f"cannot {change.title}: the plan found {change.before_text}, and now there is {shown}")
