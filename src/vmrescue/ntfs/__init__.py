"""NTFS volumes: read, checked, and edited without a mount.

Limits: compressed and encrypted content is neither read nor rewritten, and sparse content is not rewritten. A new file
gets no short (8.3) name, and its directory's security descriptor instead of an inherited one. The change journal
($UsnJrnl) is not written, as in ntfs-3g; programs that follow it notice an edit only when they read the file again.
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

# Imported when they are first used: a diagnosis needs only a volume's state, not the editor.
_MODULES = {"NtfsVolume": "volume", "FileInfo": "info", "VolumeState": "state", "volume_state": "state"}

__getattr__ = names_of(__name__, _MODULES)
