"""The state in which a volume was left, and which edits it allows."""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import NamedTuple

from vmrescue.errors import RefusedError


class Allows(Enum):
    """Which edits a volume's state allows."""

    ALL = "everything"
    CONTENT = "files may get other bytes where they have their own; none is created, deleted or resized"
    NOTHING = "nothing"


class StateName(StrEnum):
    """A volume's state, worst first. A damaged volume is one whose structures cannot be read."""

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
    """A volume's worst state, and all reasons, in sentences.

    A dirty volume can be edited safely; Windows will check it at its next start.
    """

    name: StateName
    reasons: list[str]

    @property
    def allows(self) -> Allows:
        return self.name.allows

    def check_content(self) -> None:
        """Raises RefusedError if not even the content of a file may be changed in place."""
        if self.allows is Allows.NOTHING:
            raise RefusedError(f"the volume is {self.name} ({'; '.join(self.reasons)}): nothing on it may be changed")

    def check_metadata(self) -> None:
        """Raises RefusedError if files may not be created, deleted or resized."""
        self.check_content()
        if self.allows is Allows.CONTENT:
            reasons = "; ".join(self.reasons)
            raise RefusedError(f"NTFS's log has work to redo ({reasons}): only content of the same size may be written")
