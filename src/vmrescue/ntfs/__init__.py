"""NTFS volumes: read, checked, and edited without a mount.

What is not done: compressed and encrypted content is neither read nor rewritten, sparse content not rewritten; a new
file gets no short (8.3) name and shares its directory's security instead of inheriting it; the change journal
($UsnJrnl) is not written, as ntfs-3g does not write it either, so that indexers see an edit when they next look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.lazy import names_of

if TYPE_CHECKING:
    from vmrescue.ntfs.info import FileInfo
    from vmrescue.ntfs.state import volume_state
    from vmrescue.ntfs.volume import NtfsVolume
    from vmrescue.volume.state import VolumeState

__all__ = ["NtfsVolume", "FileInfo", "VolumeState", "volume_state"]

# Imported when they are first used: a diagnosis asks for a volume's state, and needs no editor.
_MODULES = {"NtfsVolume": "volume", "FileInfo": "info", "VolumeState": "state", "volume_state": "state"}

__getattr__ = names_of(__name__, _MODULES)
