"""Changes of a volume as a whole: its log, and its boot sector and the copy of it."""

from __future__ import annotations

from vmrescue.arguments import typed
from vmrescue.dataclass import dataclass
from vmrescue.plan.change import Change, Needs, Stage


@typed
@dataclass(frozen=True)
class ReplayVolumeLog(Change):
    """Replay the log of an NTFS volume, as Windows would at its next mount. `file` is the volume's ``$LogFile``."""

    kind = "replay-volume-log"
    needs = Needs.NOTHING
    stage = Stage.LOG
    reason: str

    @property
    def title(self) -> str:
        return "replay the volume's log"

    @property
    def before_text(self) -> str:
        return self.reason

    @property
    def after_text(self) -> str:
        return "nothing to replay"


@typed
@dataclass(frozen=True)
class WriteBootCopy(Change):
    """Put the copy of an NTFS volume's boot sector behind it. `file` is ``$Boot``; `position` a byte of the volume."""

    kind = "write-boot-copy"
    position: int

    @property
    def title(self) -> str:
        return "write the copy of the boot sector"

    @property
    def before_text(self) -> str:
        return f"none at byte {self.position} of the volume"

    @property
    def after_text(self) -> str:
        return "as the boot sector"


@typed
@dataclass(frozen=True)
class RestoreBootSector(Change):
    """Put the copy of an NTFS or FAT32 volume's boot sector in the place of the first one. `file` has no path.

    `before` is the SHA-256 of the first sector, `after` that of the copy.
    """

    kind = "restore-boot-sector"
    needs = Needs.NOTHING
    stage = Stage.LAYOUT
    before: str
    after: str

    @property
    def title(self) -> str:
        return "write the boot sector from its copy"

    @property
    def before_text(self) -> str:
        return f"SHA-256 {self.before}"

    @property
    def after_text(self) -> str:
        return f"SHA-256 {self.after}"


@typed
@dataclass(frozen=True)
class SetHiddenSectors(Change):
    """Say in the boot sector of an NTFS or FAT volume, and in its copy, at which sector of the disk it begins.

    `file` has no path.
    """

    kind = "set-hidden-sectors"
    needs = Needs.NOTHING
    stage = Stage.LAYOUT
    before: int
    after: int

    @property
    def title(self) -> str:
        return "write in the boot sector where the volume begins"

    @property
    def before_text(self) -> str:
        return f"sector {self.before}"

    @property
    def after_text(self) -> str:
        return f"sector {self.after}"
