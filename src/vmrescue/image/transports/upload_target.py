"""A page blob that gets a copy: the write address of a disk (`az disk grant-access --access-level Write`), or a blob.

Requests that may be repeated are repeated. Each has the same effect whenever it arrives, because nobody else writes to
the blob meanwhile: a lease prevents that. If an address takes no lease, a lock keeps out other processes of this
machine. The first write then also requires that the blob is as it was when it was opened, so one of two machines is
refused. If an address takes nothing but writes, there is only the lock.
Sources: Microsoft, "Put Page From URL", "Put Page", "Lease Blob", "Get Page Ranges", "Specifying conditional headers
for Blob service operations" (REST); "Upload a VHD to Azure" (managed disks).
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from vmrescue.errors import ReadError, RefusedError, WriteError
from vmrescue.image.journal_place import locked_file
from vmrescue.image.transports.attempts import attempts, status_of
from vmrescue.image.transports.azure import blob_client, range_of, reason, will_fail_again
from vmrescue.image.transports.blob_lease import NotLeasedError, lease
from vmrescue.image.transports.loop import run
from vmrescue.image.transports.remote import Traffic
from vmrescue.image.url import shown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping
    from pathlib import Path

MOST = 4 << 20  # bytes that one request writes
NOT_READ = (403, 404, 405, 409)  # statuses of an address that only takes writes
BAD_REQUEST, CHANGED = 400, 412  # a condition that is not understood, or not met
LOCK = "lock"  # the file that is locked where the address takes no lease
NOT_COPIED = (400, 401, 403, 404, 405, 409, 500, 501)  # of a service that does not copy from the source's address


class PageRanges:
    """A page blob that is only read: its version, and which of its pages were written.

    Raises:
        RefusedError: it is no page blob.
        ReadError: it cannot be read.
    """

    def __init__(self, url: str) -> None:
        from azure.core.exceptions import AzureError

        self.url = url
        self.path = shown(url)
        self.traffic = Traffic()
        self.client = blob_client(url, self.traffic)
        try:
            found = run(attempts(self.client.get_blob_properties, will_fail_again))
        except AzureError as error:
            self.close()
            raise ReadError(f"cannot read {self.path}: {reason(error, url)}") from None
        self.size: int = found.size
        self.version = str(found.etag)
        if found.blob_type != "PageBlob":
            self.close()
            raise RefusedError(f"{self.path} is no page blob, as a disk's read address is: nothing was copied")

    def data(self) -> list[tuple[int, int]]:
        """(offset, length) of its pages that were written, ascending. Raises ReadError."""
        from azure.core.exceptions import AzureError

        async def ranges() -> list[tuple[int, int]]:
            listed = self.client.list_page_ranges(**self.unchanged)
            return [(each.start, each.end + 1 - each.start) async for each in listed if not each.cleared]

        try:
            return run(attempts(ranges, will_fail_again))
        except AzureError as error:
            raise ReadError(f"cannot list the pages of {self.path}: {reason(error, self.url)}") from None

    @property
    def unchanged(self) -> dict[str, Any]:
        """The condition that it is the version that was opened."""
        from azure.core import MatchConditions

        return {"etag": self.version, "match_condition": MatchConditions.IfNotModified}

    async def read(self, offset: int, length: int) -> bytes:
        """Bytes of the version that was opened. Raises the SDK's errors."""
        return await attempts(lambda: range_of(self.client, offset, length, **self.unchanged), will_fail_again)

    def close(self) -> None:
        run(self.client.close())


class UploadTarget:
    """A page blob that gets a copy. Nobody else puts one there until it is closed, as far as that can be seen to.

    Args:
        url: its address, with a signature that lets it be written.
        folder: where the id of its lease is kept.

    Attributes:
        path: its address without secrets.
        size: in bytes; None if the address only takes writes.

    Raises:
        RefusedError: it is no page blob, or somebody else writes to it. ReadError: the service cannot be reached.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self.path = shown(url)
        self.traffic = Traffic()
        self._url = url
        self._client = blob_client(url, self.traffic)
        self._lease: str | None = None
        self._opened = ExitStack()
        self._opened.callback(self._close_client)
        try:
            self._hold(folder)
            self.size, self._version = self._look()
        except BaseException:
            self.close()
            raise

    def _hold(self, folder: Path) -> None:
        try:
            self._lease = self._opened.enter_context(lease(self._client, folder, self.path))
        except NotLeasedError:
            self._opened.enter_context(locked_file(folder, LOCK, self.path))

    def _look(self) -> tuple[int | None, str | None]:
        """Its size and version; None if the address only takes writes."""
        from azure.core.exceptions import AzureError

        try:
            found = run(attempts(self._client.get_blob_properties, will_fail_again))
        except AzureError as error:
            if status_of(error) not in NOT_READ or "expired" in reason(error, self._url).lower():
                raise ReadError(f"cannot open {self.path}: {reason(error, self._url)}") from None
            return None, None
        if found.blob_type != "PageBlob":
            raise RefusedError(f"{self.path} is no page blob, as a disk's write address is: nothing was written")
        return found.size, str(found.etag)

    @property
    def is_leased(self) -> bool:
        """Whether a lease keeps others from writing. If that ends, so does our writing."""
        return self._lease is not None

    def claim(self, offset: int, pages: bytes) -> None:
        """The first write: made only if nobody has written since the target was opened.

        An address that understands no conditions is written without. Raises RefusedError, WriteError.
        """
        from azure.core import MatchConditions
        from azure.core.exceptions import AzureError

        unchanged = {"etag": self._version, "match_condition": MatchConditions.IfNotModified} if self._version else {}
        try:
            run(self._put(offset, pages, unchanged))
        except AzureError as error:
            if status_of(error) == BAD_REQUEST and unchanged:
                run(self.put(offset, pages))
            elif status_of(error) != CHANGED:
                raise self._failed(offset, error) from None
            elif not self._has(offset, pages):  # else it was our own write, whose answer was lost
                raise RefusedError(f"{self.path} gets a copy from somebody else already: nothing was written") from None

    def _has(self, offset: int, pages: bytes) -> bool:
        from azure.core.exceptions import AzureError

        try:
            return run(self.read(offset, len(pages))) == pages
        except AzureError as error:
            raise self._failed(offset, error) from None

    def data(self) -> list[tuple[int, int]] | None:
        """(offset, length) of its pages that were written; None if the address only takes writes."""
        from azure.core.exceptions import AzureError

        async def ranges() -> list[tuple[int, int]]:
            return [(each.start, each.end + 1 - each.start) async for each in self._client.list_page_ranges()]

        try:
            return run(attempts(ranges, will_fail_again))
        except AzureError:
            return None

    async def read(self, offset: int, length: int) -> bytes | None:
        """Bytes that it has; None if the address only takes writes. Raises the SDK's errors."""
        from azure.core.exceptions import AzureError

        try:
            return await attempts(lambda: range_of(self._client, offset, length), will_fail_again)
        except AzureError as error:
            if status_of(error) in NOT_READ:
                return None
            raise

    async def put(self, offset: int, pages: bytes) -> None:
        """Writes whole pages, at most `MOST` bytes. Raises WriteError."""
        from azure.core.exceptions import AzureError

        try:
            await self._put(offset, pages, {})
        except AzureError as error:
            raise self._failed(offset, error) from None

    async def _put(self, offset: int, pages: bytes, conditions: Mapping[str, Any]) -> None:
        options = {"validate_content": True, "lease": self._lease, **conditions}
        await attempts(lambda: self._client.upload_page(pages, offset, len(pages), **options), will_fail_again)

    async def put_from(self, source: PageRanges, offset: int, length: int) -> bool:
        """Has the service copy pages from the source's address; False if it does not do that. Raises WriteError."""
        from azure.core.exceptions import AzureError

        conditions = {f"source_{name}": value for name, value in source.unchanged.items()} | {"lease": self._lease}
        put = self._client.upload_pages_from_url

        def copied() -> Awaitable[Any]:
            return put(source.url, offset, length, offset, **conditions)  # type: ignore[no-any-return]

        try:
            await attempts(copied, will_fail_again)
        except AzureError as error:
            if status_of(error) in NOT_COPIED:
                return False
            raise self._failed(offset, error) from None
        return True

    def _failed(self, offset: int, error: Exception) -> WriteError:
        return WriteError(f"cannot write {self.path} at byte {offset}: {reason(error, self._url)}")

    def close(self) -> None:
        self._opened.close()

    def _close_client(self) -> None:
        with suppress(Exception):
            run(self._client.close())
