"""The boot path of an installation, from its firmware to its first processes: the stages in their order.

The first stop ends the path. The later stages are examined too, if the parts that they need are there. A stage that
cannot read something is unknown, with the reason; that is never a stop.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vmrescue.dataclass import dataclass
from vmrescue.errors import ReadError, UsageError, VmRescueError
from vmrescue.rehearsal import endings
from vmrescue.rehearsal.boot_manager import boot_manager
from vmrescue.rehearsal.drivers import drivers
from vmrescue.rehearsal.firmware import firmware
from vmrescue.rehearsal.loader import loader
from vmrescue.rehearsal.memory import memory
from vmrescue.rehearsal.platform import NAMES
from vmrescue.rehearsal.session import session
from vmrescue.rehearsal.stage import Stage, State, unknown
from vmrescue.rehearsal.storage import storage
from vmrescue.rehearsal.way import Way
from vmrescue.volume.state import StateName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vmrescue.rehearsal.stage import Fact, Stop
    from vmrescue.windows import Installation

    Look = Callable[[Way], Iterator[Fact]]

BEFORE_WINDOWS = (endings.FIRMWARE, endings.MANAGER, endings.MEMORY)  # stages in which no Windows was begun
MOST_FACTS = 300  # of a stage: an image may make them any number
STAGES: dict[str, tuple[str, Look]] = {
    endings.FIRMWARE: ("the firmware looks for a boot manager", firmware),
    endings.MANAGER: ("the boot manager reads its store and starts a loader", boot_manager),
    endings.MEMORY: ("memory for what is started from a disk in memory", memory),
    endings.LOADER: ("the loader reads the SYSTEM hive and the kernel", loader),
    endings.DRIVERS: ("the loader reads the drivers that start with it", drivers),
    endings.STORAGE: ("the kernel reaches its disk", storage),
    endings.SESSION: ("the session manager loads the hives and starts Windows", session),
}


@dataclass(frozen=True)
class Rehearsal:
    """What each stage found.

    Attributes:
        stages: in the order of the path.
        damage: what of the disk is damaged, where stages could not be looked at; None where nothing is.
    """

    stages: tuple[Stage, ...]
    damage: str | None = None

    @property
    def stop(self) -> Stop | None:
        """Where the path ends; None where nothing that was looked at ends it."""
        return next((stage.stop for stage in self.stages if stage.stop), None)

    @property
    def later(self) -> Stop | None:
        """What a person sees after two starts that failed, where it is another stop: recovery that cannot start.

        None where no start gets so far: firmware and boot manager do not count those that they end themselves.
        """
        stop = self.stop
        if stop is not None and stop.stage in BEFORE_WINDOWS:
            return None
        return next((stage.later for stage in self.stages if stage.later), None)

    def stage(self, name: str) -> Stage:
        """A stage by its id."""
        return next(stage for stage in self.stages if stage.id == name)

    @property
    def plain(self) -> Rehearsal:
        """The same without what checks need to mend things: it outlives the open disk."""
        return Rehearsal(
            tuple(
                replace(stage, facts=tuple(replace(fact, about=None) for fact in stage.facts)) for stage in self.stages
            ),
            self.damage,
        )

    def facts(self) -> Iterator[Fact]:
        """The facts of all stages."""
        return (fact for stage in self.stages for fact in stage.facts)

    @property
    def known(self) -> bool:
        """Whether all stages could be looked at."""
        return all(stage.state is not State.UNKNOWN for stage in self.stages)

    def to_dict(self) -> dict[str, Any]:
        return {
            "stages": [stage.to_dict() for stage in self.stages],
            "stop": self.stop.to_dict() if self.stop else None,
            "later": self.later.to_dict() if self.later else None,
            "damage": self.damage,
        }


def rehearse(installation: Installation, platform: str = "auto", ram: int | None = None) -> Rehearsal:
    """Follows the boot path of an installation. Nothing is written, and nothing of it is run.

    Args:
        platform: the machine's hardware: ``azure``, ``hyper-v``, ``kvm``, ``vmware``, ``nvme``, or ``auto``.
        ram: its memory in bytes, for what is started from a disk in memory.

    Raises:
        UsageError: there is no such platform. ReadError: the machine gave no bytes of the image.
    """
    if platform not in NAMES:
        raise UsageError(f"there is no platform {platform!r}; there are {', '.join(NAMES)}")
    way = Way(installation, platform, ram)
    stages = tuple(_stage(way, name, title, look) for name, (title, look) in STAGES.items())
    return Rehearsal(stages, None if Rehearsal(stages).known else _damage(installation))


def _damage(installation: Installation) -> str | None:
    """What is damaged of the disks, in a sentence."""
    if cut := next((disk.cut_short for disk in installation.disks if disk.cut_short), None):
        return cut
    for volume in installation.volumes:
        if volume.state.name is StateName.DAMAGED:
            return f"{volume} is damaged: {'; '.join(volume.state.reasons)}"
    return None


def _stage(way: Way, name: str, title: str, look: Look) -> Stage:
    facts: list[Fact] = []
    try:
        for fact in look(way):
            facts.append(fact)
            if len(facts) == MOST_FACTS:
                facts.append(unknown("more", f"only {MOST_FACTS} things are told of a stage"))
                break
    except ReadError:
        raise
    except VmRescueError as error:
        facts.append(unknown("not looked at", str(error)))
    return Stage(name, title, tuple(facts))
