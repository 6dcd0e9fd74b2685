"""FAT12, FAT16 and FAT32 volumes: read, checked, and edited without a mount."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.lazy import names_of

if TYPE_CHECKING:
    from vmrescue.fat.volume import FatVolume, FileInfo
    from vmrescue.volume.state import VolumeState

__all__ = ["FatVolume", "FileInfo", "VolumeState"]

__getattr__ = names_of(__name__, {"FatVolume": "volume", "FileInfo": "volume", "VolumeState": "state"})
