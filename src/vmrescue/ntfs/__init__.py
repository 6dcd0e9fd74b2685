"""NTFS volumes: read, checked, and edited without a mount.

What is not done: compressed and encrypted content is neither read nor rewritten, sparse content not rewritten; a new
file gets no short (8.3) name and shares its directory's security instead of inheriting it; the change journal
($UsnJrnl) is not written, as ntfs-3g does not write it either, so that indexers see an edit when they next look.
"""

from __future__ import annotations

from vmrescue.ntfs.info import FileInfo
from vmrescue.ntfs.state import VolumeState
from vmrescue.ntfs.volume import NtfsVolume, volume_state

__all__ = ["NtfsVolume", "FileInfo", "VolumeState", "volume_state"]
