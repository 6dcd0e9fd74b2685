"""The copy of a boot sector, whichever file system keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.ntfs.edit import boot_restore as ntfs

if TYPE_CHECKING:
    from vmrescue.volume.spare_boot_sector import SpareBootSector
    from vmrescue.volumes.disk import Volume


def spare_boot_sector(volume: Volume) -> SpareBootSector | None:
    """A copy that is better than the first sector of a volume; None if there is none."""
    if (found := ntfs.spare_boot_sector(volume.device)) or volume.file_system == "NTFS":
        return found
    from vmrescue.fat import boot_restore as fat  # here, because few volumes need it

    return fat.spare_boot_sector(volume.device)
