"""Requests that are made again after they failed: a bounded number of times, after pauses that grow and vary.

A server that is too busy may say when to come again (Retry-After); a wait longer than `LONGEST` is not waited for.
Sources: RFC 9110, "Retry-After"; Microsoft, "Azure Storage: performance and scalability checklist", "Timeout and Server
Busy errors".
"""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from vmrescue.errors import VmRescueError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

PAUSES = (0.2, 0.8, 2.4)  # seconds, about, before a second, third and fourth attempt
VARY = 0.5  # the part of a pause by which it is longer or shorter, so that many clients do not come at once
LONGEST = 60  # seconds; the longest wait that a server may ask for
BUSY = (408, 429, 500, 502, 503, 504)  # HTTP statuses after which another attempt makes sense

Answer = TypeVar("Answer")


async def attempts(request: Callable[[], Awaitable[Answer]], will_fail_again: Callable[[Exception], bool]) -> Answer:
    """The answer of a request, which is made up to four times.

    Args:
        request: makes it. Our own errors (VmRescueError) are raised at once.
        will_fail_again: whether an error shows that another attempt would fail too.

    Raises: the last attempt's error.
    """
    number = 0
    while True:
        try:
            return await request()
        except VmRescueError:
            raise
        except Exception as error:  # the libraries of fsspec raise any error
            wait = pause(number, error)
            if wait is None or will_fail_again(error):
                raise
        import asyncio  # here, because it is slow to import: whoever gets here has done so

        await asyncio.sleep(wait)
        number += 1


def pause(number: int, error: Exception) -> float | None:
    """Seconds to wait after attempt `number` (from 0) ended with an error; None: there is no further attempt."""
    if number == len(PAUSES):
        return None
    wait = max(PAUSES[number] * random.uniform(1 - VARY, 1 + VARY), retry_after(error))
    return wait if wait <= LONGEST else None


def status_of(error: Exception) -> int | None:
    """The HTTP status in an error of aiohttp or of Azure's SDK; None if there is none."""
    found = getattr(error, "status_code", None) or getattr(error, "status", None)
    return found if isinstance(found, int) and found else None


def is_refusal(error: Exception) -> bool:
    """Whether the server understood the request and refused it, so that another attempt is pointless."""
    status = status_of(error)
    return status is not None and 400 <= status < 500 and status not in BUSY


def without_words(error: BaseException) -> str:
    """What is said of an error that says nothing itself."""
    return "it took too long" if isinstance(error, TimeoutError) else "no reason was given"


def retry_after(error: Exception) -> float:
    """The seconds after which a server says to come again; 0 if it says nothing."""
    headers = headers_of(error)
    said = headers.get("Retry-After") or headers.get("retry-after") or ""
    if said.isascii() and said.isdigit():
        return float(said[:9])
    from email.utils import parsedate_to_datetime  # here, because few answers say when

    try:
        return max(0.0, (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0


def headers_of(error: Exception) -> Mapping[str, Any]:
    """The headers of the answer in an error; empty if there was none."""
    return getattr(error, "headers", None) or getattr(getattr(error, "response", None), "headers", None) or {}
