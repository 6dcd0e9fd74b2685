"""What a check looks at: the parts of an installation, as far as they are there, and the policy."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from vmrescue.errors import NotFoundError
from vmrescue.windows import Installation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmrescue.checks.policy import Policy
    from vmrescue.windows import OperatingSystem, Volume
    from vmrescue.windows.boot_store import BootStore
    from vmrescue.windows.installation import WithoutWindows


class Part(StrEnum):
    """A part of an installation that a check may need; as a text, what it is called."""

    VOLUMES = "the volumes"
    BOOT_STORE = "the boot store"
    WINDOWS = "the volume of Windows with its SYSTEM hive"


class Subject:
    """The parts; to ask for one that is not there raises NotFoundError, so a check declares what it needs.

    Args:
        found: the installation, or the disks where there is none.
        policy: what counts as right.
    """

    def __init__(self, found: Installation | WithoutWindows, policy: Policy) -> None:
        self._found = found
        self.policy = policy

    @property
    def volumes(self) -> list[Volume]:
        return self._found.volumes

    @property
    def installation(self) -> Installation:
        """All of it: for who needs more than one part."""
        if not isinstance(self._found, Installation):
            raise NotFoundError("no Windows was found on these disks")
        return self._found

    @property
    def boot(self) -> BootStore:
        return self.installation.boot

    @property
    def windows(self) -> OperatingSystem:
        if why := self.locked:
            raise NotFoundError(why)
        assert self.installation.os is not None
        return self.installation.os

    @property
    def locked(self) -> str | None:
        """Why the Windows that boots is out of reach, though its boot store is there; None where it is not."""
        if not isinstance(self._found, Installation) or self._found.os is not None:
            return None
        places = ", ".join(f"{volume} at byte {volume.position}" for volume in self._found.encrypted)
        return f"the OS volume is encrypted with BitLocker ({places}): unlock it first"

    def has(self, part: Part) -> bool:
        return self.why_missing([part]) is None

    def why_missing(self, parts: Iterable[Part]) -> str | None:
        """Why one of these parts cannot be looked at; None where all are there."""
        try:
            for part in parts:
                getattr(self, ATTRIBUTES[part])
        except NotFoundError as error:
            return str(error)
        return None


ATTRIBUTES = {Part.VOLUMES: "volumes", Part.BOOT_STORE: "boot", Part.WINDOWS: "windows"}
