"""Advice for a file or a hive of which the disk has no other copy: put one in, from a backup or RegBack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.checks.intents import PutIn, TakeOut
from vmrescue.rehearsal.about import BadFile, BadHive, BadService, PackedFile
from vmrescue.rehearsal.own_services import OF_VENDORS, is_own
from vmrescue.upcase import upper
from vmrescue.windows.spare_hive import spare_hive

if TYPE_CHECKING:
    from vmrescue.checks.intents import Intent
    from vmrescue.windows import OperatingSystem

SAME_BUILD = "FILE is the same file of a Windows of the same build."
OF_ITS_VENDOR = "FILE is the same file of the vendor's package of drivers for this Windows."
FROM_BACKUP = "BACKUP is the hive from a backup of this VM."
PUT_BACK = "Copied out and put back, it is a plain file."
REG_BACK = "Windows kept an older copy in RegBack, which is whole: it has nothing of what was set up since."


def restoring(about: object) -> tuple[str, tuple[Intent, ...]]:
    """What is said of it, and what is to be run; nothing where the thing is no file."""
    match about:
        case BadHive(windows, name):
            return restoring_hive(windows, name)
        case BadService(file=BadFile() as bad) | (BadFile() as bad):
            volume = bad.volume
            place = volume.disk_index, volume.partition.number, volume.letter
            driver = about.name if isinstance(about, BadService) else None
            foreign = driver is not None and (upper(driver) in OF_VENDORS or not is_own(driver))
            return OF_ITS_VENDOR if foreign else SAME_BUILD, (PutIn(*place, bad.path),)
        case PackedFile(volume, path):
            place = volume.disk_index, volume.partition.number, volume.letter
            name = path.rpartition("\\")[2]
            return PUT_BACK, (TakeOut(*place, path, name), PutIn(*place, path, name))
    return "", ()


def restoring_hive(windows: OperatingSystem, name: str) -> tuple[str, tuple[Intent, ...]]:
    """The same of a hive of a Windows."""
    volume = windows.volume
    place = volume.disk_index, volume.partition.number, volume.letter
    path = f"{windows.config}\\{name}"
    spare = spare_hive(windows, name)
    if spare is None:
        return FROM_BACKUP, (PutIn(*place, path, own=True),)
    return REG_BACK, (TakeOut(*place, spare, name), PutIn(*place, path, name))
