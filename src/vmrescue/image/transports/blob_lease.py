"""The lease under which a blob is written: while it lasts, the service refuses other writers.

It lasts a minute and is renewed while it is held, so that it ends soon after a process is killed. Its id is kept in a
locked file. A process that finds the file unlocked takes over the lease of the process that died, without waiting for
its end. Source: Microsoft, "Lease Blob" (REST): acquiring a lease again with its own id succeeds.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from vmrescue.errors import RefusedError
from vmrescue.image.journal_place import locked_file
from vmrescue.image.transports.attempts import attempts, status_of
from vmrescue.image.transports.azure import reason, will_fail_again
from vmrescue.image.transports.loop import run, start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LASTS = 60  # seconds; the longest lease that ends by itself
RENEWED = 15  # seconds between renewals
NAME = "lease"
ID_LENGTH = 36  # characters of a GUID


class NotLeasedError(RefusedError):
    """The address takes no lease: its signature does not allow that, or it is no blob's."""


@contextmanager
def lease(blob: Any, folder: Path, path: str) -> Iterator[str]:
    """The id of a lease on a blob, released at the end.

    Args:
        blob: the SDK's client.
        folder: where the id is kept; made if it is missing, and deleted at the end if it is empty.
        path: the blob's name for messages.

    Raises:
        NotLeasedError: the address takes no lease.
        RefusedError: somebody else holds a lease, or the service cannot be reached.
    """
    from azure.core.exceptions import AzureError

    with _own_id(folder, path) as own:
        try:
            held = run(attempts(lambda: blob.acquire_lease(LASTS, own), will_fail_again))
        except AzureError as error:
            if will_fail_again(error):  # else it may be ours, and only the answer was lost
                _forget_id(folder)
            raise _refusal(blob, path, error) from None
        renewal = start(_renew(held))
        try:
            yield own
        finally:
            renewal.cancel()
            with suppress(AzureError):  # without a network, the lease ends by itself, or the next process takes it over
                run(held.release())
                _forget_id(folder)


async def _renew(held: Any) -> None:
    """Renews the lease until cancelled. If all renewals fail for a minute, the next write fails: it requires the lease.

    A renewal that gets no answer is given up in time for others: a connection may have died without notice.
    """
    from azure.core.exceptions import AzureError

    while True:
        await asyncio.sleep(RENEWED)
        with suppress(AzureError, TimeoutError):
            await asyncio.wait_for(held.renew(), RENEWED)


@contextmanager
def _own_id(folder: Path, path: str) -> Iterator[str]:
    """A lease id that no other process uses: that of a process that died, or a new one."""
    with locked_file(folder, NAME, path) as file:
        own = _read_id(file) or str(uuid.uuid4())
        os.pwrite(file, own.encode(), 0)
        yield own


def _forget_id(folder: Path) -> None:
    (folder / NAME).unlink(missing_ok=True)
    with suppress(OSError):  # the folder is not empty: it has journals
        folder.rmdir()


def _read_id(file: int) -> str | None:
    try:
        return str(uuid.UUID(os.pread(file, ID_LENGTH, 0).decode()))
    except ValueError:
        return None


def _refusal(blob: Any, path: str, error: Exception) -> RefusedError:
    """The error if the lease is refused. The service does not say who holds it, but for how long."""
    from azure.core.exceptions import AzureError

    if getattr(error, "error_code", None) != "LeaseAlreadyPresent":
        kind = NotLeasedError if status_of(error) else RefusedError  # without a status there was no answer
        return kind(f"{path} may not be written: {reason(error)}")
    with suppress(AzureError):
        if run(blob.get_blob_properties()).lease.duration == "fixed":
            return RefusedError(
                f"{path} is under somebody else's lease of a minute at most, as another machine's repair or copy holds"
                " it: try again when that has ended"
            )
    return RefusedError(
        f"{path} is under somebody else's lease without end, as a VM holds it on its disks, even while it is stopped:"
        " detach the disk or delete the VM (its disks stay), or repair a copy of the blob"
    )
