"""A remote image, read by ranges through fsspec, so that only what is needed is transferred.

Reads are rounded to blocks, which are cached. Adjacent missing blocks are fetched in one request. A read that continues
where the last request ended fetches twice as much as that request, up to `READ_AHEAD`. So a table that is read from
start to end (a FAT, a hive) costs a few requests, and a single field costs one block.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from itertools import groupby
from typing import TYPE_CHECKING, Any, NoReturn

from vmrescue.device import check_range
from vmrescue.errors import ReadError, RefusedError, UnsupportedError, VmRescueError, missing_extra
from vmrescue.image.url import AZURE, QUERY, WEB, scheme_of, shown, split_url

if TYPE_CHECKING:
    from collections.abc import Callable

BLOCK = 32 << 10  # bytes; transferring them takes about as long as the overhead of a request
READ_AHEAD = 128 << 10  # most bytes that one request fetches if fewer were asked for
LARGEST = 8 << 20  # most bytes in one request
KEPT = 64 << 20  # bytes of blocks in the cache
PAUSES = (0.2, 1.0)  # seconds before a second and a third attempt
LASTING = (FileNotFoundError, PermissionError, ValueError, NotImplementedError)  # another attempt would fail too


class RemoteFile:
    """The bytes behind a URL, for reading only.

    Args:
        url: the URL.
        open_file: opens the URL as a file with `size`, `seekable`, `seek`, `read` and `close`; by default fsspec does.

    Attributes:
        path: the URL without its secrets.
        requests: the number of requests made, the one for the size included.
        bytes_read: the number of bytes transferred.

    Raises:
        ReadError: the server or the network failed, or the server refused.
        UnsupportedError: the server does not serve ranges or gives no size, or fsspec does not support the URL.
    """

    sector_size = 512

    def __init__(self, url: str, open_file: Callable[[str], Any] | None = None) -> None:
        self.path = shown(url)
        self.requests = 0
        self.bytes_read = 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._next = -1  # the block after those of the last request
        self._last = 0  # the number of blocks of the last request
        self._file = self._attempt(lambda: (open_file or _open)(url))
        if self._file.size is None or not self._file.seekable():
            raise UnsupportedError(f"{self.path}: the server tells no size or serves no ranges; download it first")
        self.size = int(self._file.size)
        # The last block includes the remainder, because footers and backup partition tables are at a disk's end.
        self._end = max(self.size // BLOCK, 1)

    def read_at(self, offset: int, length: int) -> bytes:
        check_range(self.path, offset, length, self.size)
        if not length:
            return b""
        first, last = self._block_of(offset), self._block_of(offset + length - 1)
        held = {block: data for block in range(first, last + 1) if (data := self._held(block)) is not None}
        missing = [block for block in range(first, last + 1) if block not in held]
        for _, run in groupby(enumerate(missing), key=lambda item: item[1] - item[0]):
            blocks = [block for _, block in run]
            held.update(self._fetch(blocks[0], len(blocks)))
        data = b"".join(held[block] for block in range(first, last + 1))
        start = offset - first * BLOCK
        return data[start : start + length]

    def forget(self, offset: int, length: int) -> None:
        """Drops these bytes from the cache, because they change."""
        first, last = self._block_of(offset), self._block_of(offset + length - 1)
        for block in [block for block in self._blocks if first <= block <= last]:
            del self._blocks[block]

    @property
    def metadata(self) -> dict[str, str]:
        """The metadata of the file, as Azure's blobs have; empty elsewhere."""
        return (getattr(self._file, "details", None) or {}).get("metadata") or {}

    @property
    def refusal(self) -> RefusedError | None:
        """Why it cannot be written; None for Azure, whose page blobs are repaired in place."""
        is_blob = scheme_of(self.path) in AZURE or getattr(self._file, "blob_type", None)
        return None if is_blob else refusal(self.path)

    def _block_of(self, offset: int) -> int:
        return min(offset // BLOCK, self._end - 1)

    def _held(self, block: int) -> bytes | None:
        if block in self._blocks:
            self._blocks.move_to_end(block)
        return self._blocks.get(block)

    def _fetch(self, first: int, count: int) -> dict[int, bytes]:
        """Fetches adjacent missing blocks, and perhaps more after them for the cache."""
        wanted = count
        if first == self._next:
            wanted = max(count, min(2 * self._last, READ_AHEAD // BLOCK))
        end = min(first + wanted, self._end)
        fetched: dict[int, bytes] = {}
        for begin in range(first, end, LARGEST // BLOCK):
            fetched.update(self._fetch_blocks(begin, min(begin + LARGEST // BLOCK, end)))
        self._next, self._last = end, end - first
        self._keep(fetched)
        return fetched

    def _fetch_blocks(self, first: int, end: int) -> dict[int, bytes]:
        """Fetches blocks [first, end) in one request."""
        start = first * BLOCK
        stop = self.size if end == self._end else end * BLOCK
        data = self._request(start, stop - start)
        blocks = {block: data[(block - first) * BLOCK : (block - first + 1) * BLOCK] for block in range(first, end - 1)}
        blocks[end - 1] = data[(end - 1 - first) * BLOCK :]
        return blocks

    def _keep(self, fetched: dict[int, bytes]) -> None:
        self._blocks.update(fetched)
        while len(self._blocks) > KEPT // BLOCK:
            self._blocks.popitem(last=False)

    def _request(self, offset: int, length: int) -> bytes:
        def read() -> bytes:
            self._file.seek(offset)
            return bytes(self._file.read(length))

        data: bytes = self._attempt(read)
        self.bytes_read += len(data)
        if len(data) != length:
            raise ReadError(f"cannot read {self.path} at byte {offset}: {len(data)} bytes came instead of {length}")
        return data

    def _attempt(self, deed: Callable[[], Any]) -> Any:
        """Tries up to three times, because network errors may pass; not if the error shows that it would fail again."""
        for pause in (*PAUSES, None):
            self.requests += 1
            try:
                return deed()
            except VmRescueError:
                raise
            except Exception as error:  # noqa: BLE001 - fsspec's file systems raise any error of their libraries
                if pause is None or isinstance(error, LASTING):
                    self._failed(error)
                time.sleep(pause)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _failed(self, error: Exception) -> NoReturn:
        """Raises ReadError, without the error as its cause, whose text may contain the URL with its secrets."""
        cause = error.__cause__ or error  # over HTTP, fsspec reports every failure to open as a missing file
        said = getattr(cause, "strerror", None) or str(cause)  # without the error number and the path
        reason = QUERY.sub("", said).replace("\n", " ")[:300]
        raise ReadError(f"cannot read {self.path}: {reason or type(cause).__name__}") from None

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        raise refusal(self.path)

    def resize(self, size: int) -> None:
        raise refusal(self.path)

    def flush(self) -> None:
        """Nothing to do: nothing is ever written."""

    def close(self) -> None:
        self._blocks.clear()
        self._file.close()


def refusal(url: str) -> RefusedError:
    """The error for an attempt to write to a URL."""
    return RefusedError(f"{shown(url)} is read over the network and not written: download it, repair it, upload it")


def file_system(url: str) -> tuple[Any, str]:
    """fsspec's file system for a URL, and the path on it. Raises UnsupportedError if fsspec has none."""
    try:
        import fsspec
    except ImportError as error:
        raise missing_extra("URLs are read with fsspec", "fleet") from error
    over_http = scheme_of(url) in WEB
    if split_url(url)[2].endswith("/") or ("*" in url and not over_http):
        raise UnsupportedError(f"{shown(url)}: a container's folders and globs are not looked into: name each image")
    try:
        if over_http:
            from vmrescue.image.transports.bounded_http import BoundedHttp

            return BoundedHttp(), url
        files, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise UnsupportedError(f"{shown(url)} needs a further package: {error}") from None
    except ValueError as error:
        raise UnsupportedError(f"{shown(url)}: {QUERY.sub('', str(error))}") from None
    return files, path


def _open(url: str) -> Any:
    """Opens the file with fsspec, without fsspec's cache."""
    files, path = file_system(url)
    return files.open(path, "rb", block_size=BLOCK, cache_type="none")
