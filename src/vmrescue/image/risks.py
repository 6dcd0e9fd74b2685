"""Risks: states of an image in which an edit may do harm that no check can see. Edits are refused unless accepted.

A container finds them when it is opened (`VirtualDisk.risks`). One is found only before an edit: that other images lie
over this one (`containers.lying_over`). A user who knows better accepts a risk by its name,
which is also the option of the command line. `accepting` holds for images that are opened in this thread inside its
block.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from vmrescue.arguments import typed
from vmrescue.dataclass import dataclass
from vmrescue.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SAVED_STATE = "discard-saved-state"
PARENT_CHANGED = "although-parent-changed"
HAS_CHILDREN = "although-it-has-children"
RISKS = {  # name -> what the user states by accepting it
    SAVED_STATE: "Edit a disk whose VM was saved, not shut down: its saved state must be thrown away before it starts.",
    PARENT_CHANGED: "Edit a differencing disk though its parent was changed or copied: what is read may be wrong.",
    HAS_CHILDREN: "Edit an image that has a differencing disk beside it, which will then read wrong content.",
}


@dataclass(frozen=True)
class Risk:
    """A risk of an image: its name in `RISKS`, and what was found, as a sentence."""

    name: str
    found: str

    @property
    def refusal(self) -> str:
        return f"{self.found}; it is not edited unless --{self.name} says that this is wanted"


_ACCEPTED: ContextVar[frozenset[str]] = ContextVar("accepted risks", default=frozenset())


@typed
@contextmanager
def accepting(names: Iterable[str]) -> Iterator[None]:
    """Inside the block, images with these risks can be edited, if they are opened in this thread.

    Raises UsageError for a name that is not one of `RISKS`.
    """
    wanted = frozenset(names)
    if unknown := wanted - set(RISKS):
        raise UsageError(f"there is no risk {min(unknown)!r} to be accepted; there are {', '.join(RISKS)}")
    token = _ACCEPTED.set(_ACCEPTED.get() | wanted)
    try:
        yield
    finally:
        _ACCEPTED.reset(token)


def accepted() -> frozenset[str]:
    """The names of the risks that are accepted now."""
    return _ACCEPTED.get()


def refusal_for(risks: Iterable[Risk]) -> str | None:
    """Why an image with these risks is not edited; None if all of them are accepted."""
    return next((risk.refusal for risk in risks if risk.name not in _ACCEPTED.get()), None)


def refuse_risks(risks: Iterable[Risk], path: str) -> None:
    """Raises RefusedError if an image has a risk that is not accepted."""
    if why := refusal_for(risks):
        raise RefusedError(f"{path}: {why}")
