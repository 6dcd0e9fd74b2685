"""Many images: each examined on its own, in this process, in others, or on other machines; results kept in files."""

from __future__ import annotations

from vmrescue.fleet.batch import scan
from vmrescue.fleet.result import ImageError, ScanResult
from vmrescue.fleet.timed_pool import TimedPool

__all__ = ["ImageError", "ScanResult", "TimedPool", "scan"]
