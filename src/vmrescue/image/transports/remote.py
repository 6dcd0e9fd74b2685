"""The bytes behind a URL, read by ranges, so that only what is needed is transferred; many ranges side by side.

Pages of 4 KiB are cached. What a caller will need next it announces (`prefetch`): these ranges are asked for at once,
near ones in one request, while the caller goes on. A page that nobody announced is fetched with its neighbours, and a
read that continues where the last one ended fetches twice as much as that, up to `READ_AHEAD`. So a table that is read
from start to end costs a few requests, and a single field costs one of 32 KiB.

`depth` is the number of requests that were made one after another: a request is one deeper than the deepest whose
answer the reader had looked at before.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Protocol

from vmrescue.device import check_range
from vmrescue.errors import ReadError, RefusedError, VmRescueError
from vmrescue.image.transports.attempts import attempts, without_words
from vmrescue.image.transports.loop import start
from vmrescue.image.transports.worth import SIDE_BY_SIDE, together
from vmrescue.image.url import QUERY, shown
from vmrescue.log import logger
from vmrescue.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from concurrent.futures import Future
    from typing import NoReturn

LOG = logger("image")
PAGE = 4 << 10  # bytes; the unit of the cache
BLOCK = 32 << 10  # bytes fetched at least, if nobody announced how much; takes about as long as a request's overhead
READ_AHEAD = 128 << 10  # most bytes that one request fetches if fewer were asked for
LARGEST = 8 << 20  # most bytes in one request
KEPT = 128 << 20  # bytes of pages in the cache: the log of a large volume, 64 MiB, which an edit reads, and all else
AHEAD = 48 << 20  # most bytes that are asked for and not looked at yet; what is announced beyond that is ignored


class Traffic:
    """What went over the network, counted where requests are made."""

    def __init__(self) -> None:
        self.requests = 0


class Source(Protocol):
    """The server's side of a `RemoteFile`.

    Attributes:
        size: of the file, in bytes.
        metadata: of the file, as Azure's blobs have; empty elsewhere.
        is_blob: whether Azure's blob service serves it.
        traffic: the requests that were made.
    """

    size: int
    metadata: Mapping[str, str]
    is_blob: bool
    traffic: Traffic

    async def fetch(self, offset: int, length: int) -> bytes:
        """Bytes of the file: one request. Raises any error of the libraries below, or ReadError for a lasting one."""

    def will_fail_again(self, error: Exception) -> bool:
        """Whether another attempt after this error would fail too."""

    def close(self) -> None:
        """Closes its connections."""


class _Request:
    """A request for pages [first, end) that was started; `level`: its depth."""

    def __init__(self, first: int, end: int, level: int, future: Future[bytes]) -> None:
        self.first = first
        self.end = end
        self.level = level
        self.future = future


class RemoteFile:
    """The bytes behind a URL, for reading only.

    Args:
        url: the URL.
        source: the server's side.
        start: the file's first bytes, if they came with its size.

    Attributes:
        path: the URL without its secrets.
        bytes_read: the number of bytes transferred.
        depth: how many requests were made one after another.

    Raises:
        ReadError: the server or the network failed, or the server refused.
        UnsupportedError: the server does not serve ranges.
    """

    sector_size = 512

    def __init__(self, url: str, source: Source, start: bytes = b"") -> None:
        self.path = shown(url)
        self.size = source.size
        self.bytes_read = len(start)
        self.depth = self._level = 1 if source.traffic.requests else 0
        self._source = source
        self._pages: OrderedDict[int, tuple[bytes, int]] = OrderedDict()  # page -> its bytes, its request's depth
        self._coming: dict[int, _Request] = {}
        self._ahead = 0  # pages in `_coming`
        self._next = -1  # the page after those of the last request that was not announced
        self._last = 0  # the number of pages of that request
        self._places: Any = None
        whole = len(start) // PAGE if len(start) < self.size else -(-len(start) // PAGE)
        self._keep(0, whole, start, self._level)

    @property
    def requests(self) -> int:
        """The number of requests made."""
        return self._source.traffic.requests

    @property
    def metadata(self) -> Mapping[str, str]:
        """The metadata of the file, as Azure's blobs have; empty elsewhere."""
        return self._source.metadata

    @property
    def refusal(self) -> RefusedError | None:
        """Why it cannot be written; None for Azure, whose page blobs are repaired in place."""
        return None if self._source.is_blob else refusal(self.path)

    def read_at(self, offset: int, length: int) -> bytes:
        check_range(self.path, offset, length, self.size)
        if length > LARGEST:
            self.prefetch([(offset, length)])
            ends = range(offset, offset + length, LARGEST)
            return b"".join(self.read_at(at, min(LARGEST, offset + length - at)) for at in ends)
        if not length:
            return b""
        first, end = offset // PAGE, (offset + length - 1) // PAGE + 1
        for low, high in _runs(page for page in range(first, end) if self._is_missing(page)):
            self._start_unannounced(low, high)
        data = b"".join([self._page(page) for page in range(first, end)])
        start = offset - first * PAGE
        return data[start : start + length]

    def prefetch(self, ranges: Iterable[tuple[int, int]]) -> bool:
        """Asks for ranges that will be read soon, (offset, length) in bytes, and does not wait. True: see `Far`."""
        self._collect()
        wanted = ((max(at, 0) // PAGE, -(-min(at + length, self.size) // PAGE)) for at, length in ranges)
        missing = (run for begin, stop in wanted for run in _runs(filter(self._is_missing, range(begin, stop))))
        for offset, length in together((low * PAGE, (high - low) * PAGE) for low, high in missing):
            for at in range(offset, offset + length, LARGEST):
                size = min(LARGEST, offset + length - at)
                if self._ahead * PAGE + size <= AHEAD:
                    self._start(at // PAGE, (at + size) // PAGE)
        return True

    def forget(self, offset: int, length: int) -> None:
        """Drops these bytes from the cache, because they change. Waits for what was asked for."""
        self.settle()
        first, end = offset // PAGE, (offset + length - 1) // PAGE + 1
        for page in [page for page in self._pages if first <= page < end]:
            del self._pages[page]

    def settle(self) -> None:
        """Waits for all that was asked for. An error of what nobody has read yet is dropped; a read asks again."""
        for request in set(self._coming.values()):
            try:
                self._take(request)
            except ReadError:
                continue

    def _is_missing(self, page: int) -> bool:
        return page not in self._pages and page not in self._coming

    def _page(self, page: int) -> bytes:
        """A page that was asked for."""
        if page in self._coming:
            self._take(self._coming[page])
        content, level = self._pages[page]
        self._pages.move_to_end(page)
        self._level = max(self._level, level)
        return content

    def _start_unannounced(self, first: int, end: int) -> None:
        """Asks for missing pages [first, end), and perhaps for more around and after them."""
        most = -(-self.size // PAGE)
        if first == self._next:
            wanted = min(max(end, first + min(2 * self._last, READ_AHEAD // PAGE)), most)
        else:
            unit = BLOCK // PAGE
            wanted = min(-(-end // unit) * unit, most)
            low = first - first % unit
            while first > low and self._is_missing(first - 1):
                first -= 1
        while end < wanted and self._is_missing(end):
            end += 1
        for at in range(first, end, LARGEST // PAGE):
            self._start(at, min(at + LARGEST // PAGE, end))
        self._next, self._last = end, end - first

    def _start(self, first: int, end: int) -> None:
        """Asks for pages [first, end) in one request. Some may be there: they come again."""
        level = self._level + 1
        self.depth = max(self.depth, level)
        offset = first * PAGE
        request = _Request(first, end, level, start(self._fetch(offset, min(end * PAGE, self.size) - offset)))
        for page in range(first, end):
            if self._is_missing(page):
                self._coming[page] = request
                self._ahead += 1

    async def _fetch(self, offset: int, length: int) -> bytes:
        if self._places is None:
            import asyncio

            self._places = asyncio.Semaphore(SIDE_BY_SIDE)
        async with self._places:
            return await attempts(lambda: self._source.fetch(offset, length), self._source.will_fail_again)

    def _collect(self) -> None:
        """Takes what has come, to make room for more."""
        for request in {each for each in self._coming.values() if each.future.done() and not each.future.exception()}:
            self._take(request)

    def _take(self, request: _Request) -> None:
        """Waits for a request, and keeps its pages. Raises ReadError."""
        try:
            data = request.future.result()
        except Exception as error:  # noqa: BLE001 - fsspec's file systems raise any error of their libraries
            self._done(request)
            failed(self.path, error)
        self._done(request)
        offset = request.first * PAGE
        wanted = min(request.end * PAGE, self.size) - offset
        self.bytes_read += len(data)
        if len(data) != wanted:
            raise ReadError(
                f"cannot read {self.path} at byte {offset}: {counted(len(data), 'byte')} came instead of {wanted}"
            )
        self._keep(request.first, request.end, data, request.level)

    def _done(self, request: _Request) -> None:
        for page in range(request.first, request.end):
            if self._coming.get(page) is request:
                del self._coming[page]
                self._ahead -= 1

    def _keep(self, first: int, end: int, data: bytes, level: int) -> None:
        for page in range(first, end):
            at = (page - first) * PAGE
            self._pages[page] = data[at : at + PAGE], level
        while len(self._pages) > KEPT // PAGE:
            self._pages.popitem(last=False)

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        raise refusal(self.path)

    def resize(self, size: int) -> None:
        raise refusal(self.path)

    def flush(self) -> None:
        """Nothing to do: nothing is ever written."""

    def close(self) -> None:
        LOG.info("%s: %d bytes in %d requests, %d deep", self.path, self.bytes_read, self.requests, self.depth)
        for request in set(self._coming.values()):
            request.future.cancel()
        self._coming.clear()
        self._pages.clear()
        self._source.close()


def _runs(pages: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Ascending numbers as runs of neighbours: (first, one after the last)."""
    first = end = -1
    for page in pages:
        if page != end:
            if end > first:
                yield first, end
            first = page
        end = page + 1
    if end > first:
        yield first, end


def failed(path: str, error: Exception) -> NoReturn:
    """Raises ReadError, without the error as its cause, whose text may contain the URL with its secrets."""
    if isinstance(error, VmRescueError):
        raise error
    cause = error.__cause__ or error
    said = getattr(cause, "strerror", None) or str(cause)  # without the error number and the path
    reason = QUERY.sub("", said).replace("\n", " ")[:300]
    raise ReadError(f"cannot read {path}: {reason or without_words(cause)}") from None


def refusal(url: str) -> RefusedError:
    """The error for an attempt to write to a URL."""
    return RefusedError(f"{shown(url)} is read over the network and not written: download it, repair it, upload it")
