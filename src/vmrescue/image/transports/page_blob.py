"""An Azure page blob as the bytes of an image, read and written in place.

How an image stays consistent that others can reach too:

 1. From before the first read until `close`, a lease keeps everybody else from writing (`blob_lease`).
 2. Every read and write requires the ETag of the last answer. So a write by somebody who broke the lease is detected,
    and so is one of our own requests that arrives late because its answer was lost.
 3. From the first page that a repair or a rollback writes until it is over (`unmark`), the blob's metadata say where
    the undo journal is, between the steps of a commit and before the blob is cut too. The journal is on one machine; on
    any other, vmrescue reports that and refuses to write to the half-repaired image.
 4. Pages are on stable storage when the request that wrote them is answered.
 5. Parts whose order does not matter (`write_parts`) are written side by side. Each write changes the ETag, so these
    require the lease and the blob's sequence number instead, which is raised by a request before the first of them and
    by one after the last. So a write that arrives late, or under a lease that was broken, is refused all the same.

Source: Microsoft, "Put Page", "Lease Blob", "Set Blob Properties", "Specifying conditional headers for Blob service
operations" (REST).
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
from vmrescue.image.transports.attempts import attempts, pause
from vmrescue.image.transports.azure import MARK, blob_client, marked, range_of, reason, will_fail_again
from vmrescue.image.transports.blob_lease import lease
from vmrescue.image.transports.loop import run
from vmrescue.image.transports.remote import RemoteFile, Traffic, refusal
from vmrescue.image.transports.worth import SIDE_BY_SIDE
from vmrescue.image.url import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
    from pathlib import Path

PAGE = 512  # bytes; the unit in which a page blob is written
LARGEST = 4 << 20  # bytes in one request
NEAR = 4 << 10  # parts that are no further apart are written in one request, with the bytes between them
BATCH = 32 << 20  # bytes written side by side; bounds memory


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
        self._url = url
        self.traffic = Traffic()
        self._blob = blob_client(url, self.traffic)
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
            return run(attempts(self._ask, will_fail_again))
        except AzureError as error:
            raise ReadError(f"cannot read {self.path}: {reason(error, self._url)}") from None

    def _ask(self) -> Coroutine[Any, Any, Any]:
        """The request for the blob's properties. Under a lease, it fails if the lease has ended."""
        return self._blob.get_blob_properties(lease=self._lease)  # type: ignore[no-any-return]

    def _cache(self, size: int) -> None:
        self.size = size
        self._reader = RemoteFile(self.path, _Pages(self))

    @property
    def requests(self) -> int:
        """The number of requests made."""
        return self.traffic.requests

    @property
    def bytes_read(self) -> int:
        """The number of bytes of the blob that were transferred."""
        return self._reader.bytes_read

    @property
    def depth(self) -> int:
        """The number of reads that were made one after another."""
        return self._reader.depth

    def read_at(self, offset: int, length: int) -> bytes:
        return self._reader.read_at(offset, length)

    def prefetch(self, ranges: Iterable[tuple[int, int]]) -> bool:
        return self._reader.prefetch(ranges)

    async def fetch(self, offset: int, length: int) -> bytes:
        """Bytes from the service, not from the cache. Raises OSError if the service refuses; the SDK's errors."""
        from azure.core.exceptions import AzureError

        try:
            return await range_of(self._blob, offset, length, **self._conditions())
        except AzureError as error:
            if will_fail_again(error):
                raise OSError(reason(error, self._url)) from error
            raise

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        check_range(self.path, offset, len(data), self.size)
        before, after = offset % PAGE, -(offset + len(data)) % PAGE
        if before or after:
            head, tail = self.read_at(offset - before, before), self.read_at(offset + len(data), after)
            offset, data = offset - before, b"".join((head, data, tail))
        self._mark()
        for start in range(0, len(data), LARGEST):
            self._upload(offset + start, bytes(data[start : start + LARGEST]))

    def write_parts(self, parts: Iterable[tuple[int, bytes]]) -> None:
        """Writes parts, (offset, bytes), in any order and side by side; all are written when it returns."""
        for batch in _batches(parts):
            pieces = list(self._pieces(batch))
            if len(pieces) == 1:
                self.write_at(*pieces[0])
            elif pieces:
                self._mark()
                self._upload_side_by_side(pieces)

    def _pieces(self, parts: list[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
        """Parts as whole pages, near ones joined with what lies between them, each of at most `LARGEST` bytes."""
        for offset, data in parts:
            check_range(self.path, offset, len(data), self.size)
        joined: list[tuple[int, int]] = []  # first byte, one after the last
        for offset, data in sorted(parts):
            start, end = offset - offset % PAGE, -(-(offset + len(data)) // PAGE) * PAGE
            if joined and start - joined[-1][1] <= NEAR:
                joined[-1] = joined[-1][0], max(end, joined[-1][1])
            else:
                joined.append((start, end))
        pages = [(start, bytearray(end - start)) for start, end in joined]
        self.prefetch((start, len(content)) for start, content in pages if len(content) <= NEAR)
        waiting = sorted(parts)
        for start, content in pages:
            mine = []
            while waiting and waiting[0][0] < start + len(content):
                mine.append(waiting.pop(0))
            self._fill(start, content, mine)
            for at in range(0, len(content), LARGEST):
                yield start + at, bytes(content[at : at + LARGEST])

    def _fill(self, start: int, content: bytearray, parts: list[tuple[int, bytes]]) -> None:
        """Puts parts into pages, and what the blob has where there is none."""
        at = start
        for offset, data in [*parts, (start + len(content), b"")]:
            if offset > at:
                content[at - start : offset - start] = self.read_at(at, offset - at)
            content[offset - start : offset - start + len(data)] = data
            at = max(at, offset + len(data))

    def _upload_side_by_side(self, pieces: list[tuple[int, bytes]]) -> None:
        """Invariant 5. Raises WriteError; whichever pieces were written then, none is written later."""
        for offset, data in pieces:
            self._reader.forget(offset, len(data))
        number = self._raise_sequence_number(**self._conditions())
        try:
            run(self._upload_all(pieces, number))
        finally:
            # The lease has lasted all the while if this is answered: one that was broken is not ours again.
            self._raise_sequence_number(lease=self._lease)

    def _raise_sequence_number(self, **conditions: Any) -> int:
        answers: list[Any] = []

        async def request() -> Any:
            answers.append(await self._blob.set_sequence_number("increment", **conditions))
            return answers[-1]

        self._change(f"begin or end writing {self.path}", request)
        return int(answers[-1]["blob_sequence_number"])

    async def _upload_all(self, pieces: list[tuple[int, bytes]], number: int) -> None:
        """Uploads all pieces, and waits for all, also if one fails: then the first error is raised."""
        import asyncio

        places = asyncio.Semaphore(SIDE_BY_SIDE)

        async def upload(offset: int, pages: bytes) -> None:
            async def request() -> Any:
                return await self._blob.upload_page(
                    pages, offset, len(pages), validate_content=True, lease=self._lease, if_sequence_number_eq=number
                )

            async with places:
                if not failed:
                    try:
                        await attempts(request, will_fail_again)
                    except Exception as error:  # noqa: BLE001 - raised below
                        failed.append((offset, error))

        failed: list[tuple[int, Exception]] = []
        await asyncio.gather(*(upload(offset, pages) for offset, pages in pieces))
        if failed:
            offset, error = failed[0]
            self._all_answered = self._all_answered and will_fail_again(error)
            raise WriteError(f"cannot write {self.path} at byte {offset}: {reason(error, self._url)}") from None

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
        """Nothing to do: what was written is on stable storage already."""

    def unmark(self) -> None:
        """Removes the mark of a repair from the metadata."""
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
        }

    def _change(self, what: str, request: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """Makes a request that changes the blob; after a network error, makes it again with the then current ETag.

        A request whose answer was lost may have been executed, and the SDK may have repeated it: the first answer is
        then that the ETag has changed. Under the lease only this request can have changed it, if all earlier requests
        were answered. Once a request was given up, it may still be executed at any time; from then on an unexpected
        ETag is an error, because bytes that were read may be out of date.
        """
        from azure.core.exceptions import AzureError

        self._reader.settle()  # what was asked for requires the ETag of now
        number = 0
        while True:
            try:
                if number:
                    self._etag = run(self._ask()).etag
                self._etag = run(request())["etag"]
                return
            except AzureError as error:
                arrived = self._all_answered and getattr(error, "error_code", None) == "ConditionNotMet"
                wait = pause(number, error)
                if wait is None or (will_fail_again(error) and not arrived):
                    self._all_answered = False
                    raise WriteError(f"cannot {what}: {reason(error, self._url)}") from None
            time.sleep(wait)
            number += 1

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
        self._reader.close()
        self._opened.close()


class _Pages:
    """A page blob as the source of a `RemoteFile`."""

    is_blob = True
    metadata: Mapping[str, str] = {}

    def __init__(self, blob: PageBlob) -> None:
        self._blob = blob
        self.size = blob.size
        self.traffic = blob.traffic
        self.fetch = blob.fetch

    def will_fail_again(self, error: Exception) -> bool:
        return isinstance(error, OSError) or will_fail_again(error)

    def close(self) -> None:
        """The blob is closed by its owner."""


def _batches(parts: Iterable[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    """Parts in lists of about `BATCH` bytes."""
    batch: list[tuple[int, bytes]] = []
    for part in parts:
        batch.append(part)
        if sum(len(data) for _, data in batch) >= BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
