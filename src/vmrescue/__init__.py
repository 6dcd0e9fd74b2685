"""vmrescue: repairs the disk image of a Windows VM that no longer boots."""

from __future__ import annotations

__version__ = "0.1.0"
