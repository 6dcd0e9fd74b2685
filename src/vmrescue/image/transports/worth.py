"""What a request to a server costs, and which ranges are therefore read by one request.

Two things cost time: waiting for an answer, and receiving its bytes. So it is worth reading bytes that nobody needs, if
they arrive sooner than the answer to another request. All decisions about that are made here, by the figures below.
Only the caller knows how many requests, one after another, it would need otherwise.

Source of the rate: Microsoft, "Scalability and performance targets for Blob storage": a page blob serves up to 60 MiB
each second, and up to 500 requests. The time for an answer is an assumption, and was not measured on Azure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmrescue.device import Range

ANSWER = 0.03  # seconds until an answer begins
RATE = 60 << 20  # bytes each second
SIDE_BY_SIDE = 16  # most requests at the same time


def worth(requests: float) -> int:
    """The bytes that come in the time that so many requests take, one after another."""
    return int(requests * ANSWER * RATE)


NEAR = worth(1 / SIDE_BY_SIDE)
"""Bytes between two ranges that are asked for side by side with others: a request more costs a part of its time."""


def together(ranges: Iterable[Range], gap: int = NEAR) -> list[Range]:
    """The ranges in which these are asked for, ascending: those that are at most `gap` bytes apart in one."""
    found: list[Range] = []
    for at, length in sorted(ranges):
        if found and at - sum(found[-1]) <= gap:
            found[-1] = found[-1][0], max(at + length, sum(found[-1])) - found[-1][0]
        else:
            found.append((at, length))
    return found
