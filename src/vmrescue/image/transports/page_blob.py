"""An Azure page blob as the bytes of an image, read and written in place.

How an image stays consistent that others can reach too:

 1. From before the first read until `close`, a lease keeps everybody else from writing (`blob_lease`).
 2. Every read and write requires the ETag of the last answer. So a write by somebody who broke the lease is detected,
    and so is one of our own requests that arrives late because its answer was lost.
 3. From the first page that a repair writes until `flush`, the blob's metadata say where the undo journal is. The
    journal is on one machine; on any other, vmrescue reports that and refuses to write to the half-repaired image.
 4. Pages are on stable storage when the request that wrote them is answered.

Source: Microsoft, "Put Page", "Lease Blob", "Specifying conditional headers for Blob service operations" (REST).
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from vmrescue.device import check_range
from vmrescue.errors import ReadError, RefusedError, WriteError
from vmrescue.image.journal_place import HOT, in_state, journal_files
from vmrescue.image.transports.azure import MARK, blob_client, marked, reason, run, will_fail_again
from vmrescue.image.transports.blob_lease import lease
from vmrescue.image.transports.remote import PAUSES, RemoteFile, refusal
from vmrescue.image.url import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

PAGE = 512  # bytes; the unit in which a page blob is written
LARGEST = 4 << 20  # bytes in one request


class PageBlob:
    """The bytes of a page blob, for reading and writing. Nobody else can write meanwhile.

    Args:
        url: the blob's URL.
        folder: the folder of its undo journals.

    Attributes:
        path: its URL without secrets.
        unfinished: the place of an interrupted repair's undo journal; None if there is none.

    Raises:
        RefusedError: it is no page blob, may not be written, or is in use.
        ReadError: the service cannot be reached, or has no such blob.
    """

    sector_size = PAGE
    writable = True

    def __init__(self, url: str, folder: Path) -> None:
        self.path = shown(url)
        self._blob = blob_client(url)
        self._folder = folder
        self._lease: str | None = None
        with ExitStack() as opened:
            opened.callback(lambda: run(self._blob.close()))
            self._must_be_a_page_blob()
            self._lease = opened.enter_context(lease(self._blob, self._folder, self.path))
            properties = self._properties()  # again, because they cannot change any more under the lease
            self._etag = properties.etag
            self._metadata = dict(properties.metadata or {})
            self.unfinished = marked(self._metadata)
            self._all_answered = self.unfinished is None
            self._cache(properties.size)
            self._opened = opened.pop_all()

    @property
    def version(self) -> str | None:
        """The ETag of the blob in the last answer."""
        return str(self._etag)

    def _must_be_a_page_blob(self) -> None:
        kind = self._properties().blob_type
        if kind is None:
            raise refusal(self.path)  # a web server, not the blob service
        if kind != "PageBlob":
            raise RefusedError(
                f"{self.path} is no page blob, and no other is changed in place: copy it to one (`azcopy copy"
                " --blob-type PageBlob`), or repair a copy on this machine (repair --copy-to) and upload that as a page"
                " blob"
            )

    def _properties(self) -> Any:
        from azure.core.exceptions import AzureError

        try:
            return run(self._ask())
        except AzureError as error:
            raise ReadError(f"cannot read {self.path}: {reason(error)}") from None

    def _ask(self) -> Coroutine[Any, Any, Any]:
        """The request for the blob's properties. Under a lease, it fails if the lease has ended."""
        return self._blob.get_blob_properties(lease=self._lease, retry_total=0)  # type: ignore[no-any-return]

    def _cache(self, size: int) -> None:
        self.size = size
        self._reader = RemoteFile(self.path, lambda _: _Stream(self))

    def read_at(self, offset: int, length: int) -> bytes:
        return self._reader.read_at(offset, length)

    def fetch(self, offset: int, length: int) -> bytes:
        """Bytes from the service, not from the cache. Raises the SDK's errors."""

        async def download() -> bytes:
            stream = await self._blob.download_blob(offset, length, **self._conditions())
            return bytes(await stream.readall())

        return run(download())  # type: ignore[no-any-return]  # what the coroutine returns

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        check_range(self.path, offset, len(data), self.size)
        before, after = offset % PAGE, -(offset + len(data)) % PAGE
        if before or after:
            head, tail = self.read_at(offset - before, before), self.read_at(offset + len(data), after)
            offset, data = offset - before, b"".join((head, data, tail))
        self._mark()
        for start in range(0, len(data), LARGEST):
            self._upload(offset + start, bytes(data[start : start + LARGEST]))

    def _upload(self, offset: int, pages: bytes) -> None:
        self._reader.forget(offset, len(pages))
        self._change(
            f"write {self.path} at byte {offset}",
            lambda: self._blob.upload_page(pages, offset, len(pages), validate_content=True, **self._conditions()),
        )

    def resize(self, size: int) -> None:
        """Makes the blob `size` bytes long; new bytes are zeros."""
        if size == self.size:
            return
        if size % PAGE:
            raise RefusedError(f"{self.path} cannot be made {size} bytes long: a page blob has whole pages of {PAGE}")
        self._mark()
        self._change(f"make {self.path} {size} bytes long", lambda: self._blob.resize_blob(size, **self._conditions()))
        self._cache(size)

    def _mark(self) -> None:
        """Writes the place of the hot journal, if there is one, into the metadata, unless they have it already."""
        where = quote(f"in {self._folder} on {socket.gethostname()}", safe="/ :")
        if self._metadata.get(MARK) != where and in_state(journal_files(self._folder, os.geteuid, self.path), HOT):
            self._set_metadata(self._metadata | {MARK: where})

    def flush(self) -> None:
        """Removes the mark of a repair from the metadata. What was written is on stable storage already."""
        if MARK in self._metadata:
            self._set_metadata({name: value for name, value in self._metadata.items() if name != MARK})

    def _set_metadata(self, metadata: dict[str, str]) -> None:
        self._change(
            f"write the metadata of {self.path}",
            lambda: self._blob.set_blob_metadata(metadata, **self._conditions()),
        )
        self._metadata = metadata

    def _conditions(self) -> dict[str, Any]:
        """The conditions of every request: the lease lasts, and the blob's ETag is that of the last answer."""
        from azure.core import MatchConditions

        return {
            "lease": self._lease,
            "etag": self._etag,
            "match_condition": MatchConditions.IfNotModified,
            "retry_total": 0,
        }

    def _change(self, what: str, request: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """Makes a request that changes the blob; after a network error, makes it again with the then current ETag.

        A request whose answer was lost may have been executed, and the SDK may have repeated it: the first answer is
        then that the ETag has changed. Under the lease only this request can have changed it, if all earlier requests
        were answered. Once a request was given up, it may still be executed at any time; from then on an unexpected
        ETag is an error, because bytes that were read may be out of date.
        """
        from azure.core.exceptions import AzureError

        for number, pause in enumerate((*PAUSES, None)):
            try:
                if number:
                    self._etag = run(self._ask()).etag
                self._etag = run(request())["etag"]
                return
            except AzureError as error:
                arrived = self._all_answered and getattr(error, "error_code", None) == "ConditionNotMet"
                if pause is None or (will_fail_again(error) and not arrived):
                    self._all_answered = False
                    raise WriteError(f"cannot {what}: {reason(error)}") from None
                time.sleep(pause)

    def must_be_unchanged(self) -> None:
        """Raises RefusedError if the blob was changed since it was opened: somebody has broken the lease."""
        try:
            found = self._properties().etag
        except ReadError as error:
            raise RefusedError(f"nothing was changed: {error}") from None
        if found != self._etag:
            raise RefusedError(f"nothing was changed: somebody else has changed {self.path} since it was opened")

    def settle(self) -> None:
        """Nothing to do: the service shows every write that it has answered."""

    def drop_cache(self) -> None:
        """Drops cached bytes and takes the blob's present ETag. Raises WriteError if the lease has ended."""
        self._reader.forget(0, self.size)
        try:
            self._etag = self._properties().etag
        except ReadError as error:
            raise WriteError(str(error)) from None

    def close(self) -> None:
        self._opened.close()


class _Stream:
    """A page blob as a file for `RemoteFile`."""

    def __init__(self, blob: PageBlob) -> None:
        self._blob = blob
        self._position = 0
        self.size = blob.size

    def seekable(self) -> bool:
        return True

    def seek(self, position: int) -> None:
        self._position = position

    def read(self, length: int) -> bytes:
        return self._blob.fetch(self._position, length)

    def close(self) -> None:
        """The blob is closed by its owner."""
