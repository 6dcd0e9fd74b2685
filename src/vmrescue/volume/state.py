"""In what state a volume was left, and what may therefore be done to it."""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import NamedTuple

from vmrescue.errors import RefusedError


class Allows(Enum):
    """What an edit of a volume may do."""

    ALL = "everything"
    CONTENT = "files may get other bytes where they have their own; none is created, deleted or resized"
    NOTHING = "nothing"


class StateName(StrEnum):
    """What was found, from the gravest down. A damaged volume is one whose structures cannot be read."""

    DAMAGED = "damaged"
    ENCRYPTED = "encrypted"
    HIBERNATED = "hibernated"
    LOG_PENDING = "log pending"
    DIRTY = "dirty"
    CLEAN = "clean"

    @property
    def allows(self) -> Allows:
        return _ALLOWS.get(self, Allows.NOTHING)


_ALLOWS = {StateName.LOG_PENDING: Allows.CONTENT, StateName.DIRTY: Allows.ALL, StateName.CLEAN: Allows.ALL}


class VolumeState(NamedTuple):
    """The gravest of what was found, and every reason, in sentences.

    Windows will check a dirty volume at its next start; edits of it are safe.
    """

    name: StateName
    reasons: list[str]

    @property
    def allows(self) -> Allows:
        return self.name.allows

    def check_content(self) -> None:
        """Raises RefusedError where not even the content of a file may be changed in place."""
        if self.allows is Allows.NOTHING:
            raise RefusedError(f"the volume is {self.name} ({'; '.join(self.reasons)}): nothing on it may be changed")

    def check_metadata(self) -> None:
        """Raises RefusedError where files may not be created, deleted or resized."""
        self.check_content()
        if self.allows is Allows.CONTENT:
            reasons = "; ".join(self.reasons)
            raise RefusedError(f"NTFS's log has work to redo ({reasons}): only content of the same size may be written")
