"""FAT12, FAT16 and FAT32 volumes: read, checked, and edited without a mount."""

from __future__ import annotations

from vmrescue.fat.volume import FatVolume, FileInfo
from vmrescue.volume.state import VolumeState

__all__ = ["FatVolume", "FileInfo", "VolumeState"]
