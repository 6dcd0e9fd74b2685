"""DOS dates and times: in steps of two seconds, from 1980 to 2107, without a time zone.

Source: Microsoft, fatgen103, "Date and Time Formats".
"""

from __future__ import annotations

from datetime import datetime, timedelta


def to_dos(moment: datetime) -> tuple[int, int, int]:
    """The date, the time, and the tenths field (units of 10 ms, 0-199) that refines the time."""
    moment = min(max(moment.replace(tzinfo=None), datetime(1980, 1, 1)), datetime(2107, 12, 31, 23, 59, 59))
    date = moment.year - 1980 << 9 | moment.month << 5 | moment.day
    time = moment.hour << 11 | moment.minute << 5 | moment.second // 2
    return date, time, moment.second % 2 * 100 + moment.microsecond // 10_000


def from_dos(date: int, time: int = 0, tenths: int = 0) -> datetime | None:
    """The moment; None if the fields hold none (a date of 0: never set)."""
    try:
        moment = datetime(1980 + (date >> 9), date >> 5 & 15, date & 31, time >> 11, time >> 5 & 63, (time & 31) * 2)
    except ValueError:
        return None
    return moment + timedelta(milliseconds=10 * tenths)
