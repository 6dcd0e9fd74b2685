"""fsspec's HTTP with limits: an answer that is not the requested range or comes too slowly is an error.

fsspec 2026.9 reads the whole body of a partial answer, and aiohttp decompresses it. An endless body, or a small one
that decompresses to gigabytes, would be read into memory before its length is compared with the request.
"""

from __future__ import annotations

from typing import Any

import aiohttp
from fsspec.asyn import sync, sync_wrapper
from fsspec.implementations.http import HTTPFile, HTTPFileSystem

from vmrescue.errors import ReadError, UnsupportedError
from vmrescue.image.url import shown

CONNECT = 30  # seconds
SILENCE = 60  # seconds without a byte
REQUEST = 120  # seconds for a whole answer: enough for the largest range, 8 MiB, at 0.6 Mbit/s


class BoundedHttp(HTTPFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Files on web servers. `within`: most seconds that a whole answer may take."""

    def __init__(self, within: float = REQUEST) -> None:
        timeout = aiohttp.ClientTimeout(total=within, sock_connect=CONNECT, sock_read=SILENCE)
        super().__init__(
            encoded=True,  # the URL is not encoded again, which would break its signature
            client_kwargs={
                "headers": {"Accept-Encoding": "identity"},  # ranges count the file's own bytes
                "auto_decompress": False,
                "timeout": timeout,
            },
        )
        self.within = within

    def _open(self, path: str, mode: str = "rb", **options: Any) -> BoundedHttpFile:
        size = self.info(path)["size"]
        session = sync(self.loop, self.set_session)
        return BoundedHttpFile(self, path, session=session, mode=mode, size=size, loop=self.loop, **options)


class BoundedHttpFile(HTTPFile):  # type: ignore[misc]  # fsspec has no types
    """A file on a web server; `blob_type` is the type that Azure's blob service gives, None elsewhere."""

    blob_type: str | None = None

    async def async_fetch_range(self, start: int, end: int) -> bytes:
        """Bytes [start, end).

        Raises:
            ReadError: the server sends something else, or too slowly.
            UnsupportedError: the server does not serve ranges, or compresses them.
        """
        asked = {"Range": f"bytes={start}-{end - 1}"}
        try:
            async with self.session.get(self.fs.encode_url(self.url), headers=asked) as answer:
                answer.raise_for_status()
                self._check_headers(answer, start, end)
                return await self._body(answer, end - start)
        except aiohttp.ServerTimeoutError:
            raise  # the server was silent; another attempt may succeed
        except TimeoutError:
            late = f"{end - start} bytes did not come within {self.fs.within} seconds"
            raise ReadError(f"cannot read {shown(self.url)} at byte {start}: {late}") from None

    _fetch_range = sync_wrapper(async_fetch_range)

    def _check_headers(self, answer: aiohttp.ClientResponse, start: int, end: int) -> None:
        self.blob_type = answer.headers.get("x-ms-blob-type")
        encoding = answer.headers.get("Content-Encoding", "identity")
        if encoding.lower() != "identity":
            raise UnsupportedError(f"{shown(self.url)}: the server sends it as {encoding!r:.40}; download it first")
        if answer.status == 200 and (start, end) == (0, self.size):
            return  # the whole file was requested
        if answer.status != 206:
            raise UnsupportedError(f"{shown(self.url)}: the server serves no ranges; download it first")
        given = answer.headers.get("Content-Range", "none")
        if not given.startswith(f"bytes {start}-{end - 1}/"):
            found = f"the server sends the range {given!r:.60}"
            raise ReadError(f"cannot read {shown(self.url)} at byte {start}: {found}")

    async def _body(self, answer: aiohttp.ClientResponse, length: int) -> bytes:
        """The body. If it is longer than `length`, the rest is not read, and the connection is closed."""
        body = bytearray()
        async for piece in answer.content.iter_any():
            body += piece
            if len(body) > length:
                raise ReadError(f"cannot read {shown(self.url)}: the server sends more than {length} bytes of a range")
        return bytes(body)
