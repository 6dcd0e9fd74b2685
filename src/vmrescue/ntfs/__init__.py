"""NTFS volumes: read, checked, and edited without a mount."""

from __future__ import annotations

from vmrescue.ntfs.info import FileInfo
from vmrescue.ntfs.state import VolumeState
from vmrescue.ntfs.volume import NtfsVolume, volume_state

__all__ = ["NtfsVolume", "FileInfo", "VolumeState", "volume_state"]
