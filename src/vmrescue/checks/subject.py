"""What a check looks at: the parts of an installation, as far as they are there, and the policy."""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from vmrescue.errors import NotFoundError
from vmrescue.rehearsal import rehearse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmrescue.checks.policy import Policy
    from vmrescue.rehearsal import Rehearsal
    from vmrescue.windows import Installation, OperatingSystem, Volume
    from vmrescue.windows.boot_store import BootStore


class Part(StrEnum):
    """A part of an installation that a check may need; as a text, what it is called."""

    VOLUMES = "the volumes"
    BOOT_STORE = "the boot store"
    OS_VOLUME = "the volume of Windows"
    WINDOWS = "the volume of Windows with its SYSTEM hive"


class Subject:
    """The parts; to ask for one that is not there raises NotFoundError, so a check declares what it needs.

    Args:
        installation: what was found.
        policy: what counts as right.
        other: what this is a look at, in words, where it is not what boots first.
        boots: whether it may boot.
        volume_told: whether its volume was looked at before, with another Windows on it.
    """

    def __init__(
        self,
        installation: Installation,
        policy: Policy,
        other: str = "",
        boots: bool = True,
        volume_told: bool = False,
    ) -> None:
        self.installation = installation
        self.policy = policy
        self.other = other
        self.boots = boots
        self.volume_told = volume_told

    @cached_property
    def rehearsal(self) -> Rehearsal:
        """The boot path, followed when it is first asked for."""
        return rehearse(self.installation, self.policy.platform, self.policy.ram)

    def told_of(self, about: object) -> list[str]:
        """What the boot path says of a thing: what a finding about it need not have said beside it."""
        return [fact.reason for fact in self.rehearsal.facts() if fact.about == about]

    @property
    def volumes(self) -> list[Volume]:
        return self.installation.volumes

    @property
    def boot(self) -> BootStore:
        return self.installation.boot

    @property
    def windows(self) -> OperatingSystem:
        if self.installation.os is None:
            raise NotFoundError(self.installation.why_no_windows or "")
        return self.installation.os

    def has(self, part: Part) -> bool:
        return self.why_missing([part]) is None

    def why_missing(self, parts: Iterable[Part]) -> str | None:
        """Why one of these parts cannot be looked at; None where all can."""
        return next((why for part in parts if (why := self._why_missing(part))), None)

    def _why_missing(self, part: Part) -> str | None:
        if part is Part.VOLUMES:
            return None
        if part is Part.BOOT_STORE:
            try:
                return self.boot.fault
            except NotFoundError as error:
                return str(error)
        windows = self.installation.os
        if windows is None:
            return self.installation.why_no_windows
        return windows.fault if part is Part.WINDOWS else None

    def others(self, parts: Iterable[Part]) -> Iterator[Subject]:
        """The same disks with each other boot store, or each other Windows, in the place of the one that boots.

        Args:
            parts: what is to be looked at; where these are both, a store goes with the Windows that boots.
        """
        found, wanted = self.installation, set(parts)
        if Part.BOOT_STORE in wanted:
            for store in found.stores[1:]:
                yield Subject(found.instead(store=store), self.policy, str(store), store.may_boot)
        elif wanted & {Part.OS_VOLUME, Part.WINDOWS}:
            told = [found.os.volume] if found.os else []
            for windows in found.systems:
                if windows is not found.os:
                    instead, on_told = found.instead(windows=windows), windows.volume in told
                    yield Subject(instead, self.policy, str(windows), boots=False, volume_told=on_told)
                    told.append(windows.volume)
