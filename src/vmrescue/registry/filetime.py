"""Windows' time stamps: 100 ns since 1601, UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_START = datetime(1601, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LAST = datetime.max.replace(tzinfo=UTC)


def to_datetime(filetime: int) -> datetime:
    """The moment, to the microsecond; a time stamp after the year 9999 gives the last moment of 9999."""
    try:
        return _START + timedelta(microseconds=filetime // 10)
    except OverflowError:
        return _LAST


def from_datetime(moment: datetime) -> int:
    """The time stamp of an aware `moment`."""
    return (moment - _START) // _MICROSECOND * 10


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)
