"""Plans whose image has changed since they were made."""

from __future__ import annotations

from vmrescue.errors import RefusedError


def stale(what: str) -> RefusedError:
    """What is said where the image is not what the plan has found; `what` says in which place."""
    return RefusedError(f"{what}: the plan no longer fits this image and must be made again")
