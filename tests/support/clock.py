"""The clock stopped: two repairs then write the same time stamps, and what they made can be compared."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from vmrescue.ntfs.edit.naming import UNIX_EPOCH

if TYPE_CHECKING:
    from datetime import tzinfo

    import pytest

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def stop_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two repairs then write the same time stamps."""

    class Stopped(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Stopped:
            return cls.fromtimestamp(NOW.timestamp(), tz)

    for module in ("registry.filetime", "fat.volume"):
        monkeypatch.setattr(f"vmrescue.{module}.datetime", Stopped)
    filetime = (int(NOW.timestamp()) + UNIX_EPOCH) * 10_000_000
    for module in ("naming", "creation"):
        monkeypatch.setattr(f"vmrescue.ntfs.edit.{module}.now", lambda: filetime)
