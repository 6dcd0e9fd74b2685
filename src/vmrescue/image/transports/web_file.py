"""A file on a web server, read by ranges, with limits: an answer that is not the requested range, or that comes too
slowly, is an error.

fsspec's HTTP is not used: it reads the whole body of a partial answer, and lets aiohttp decompress it. An endless body,
or a small one that decompresses to gigabytes, would be read into memory before its length is compared with the request.
The first request asks for the file's first bytes; its answer has the size too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import aiohttp
from yarl import URL

from vmrescue.errors import ReadError, UnsupportedError
from vmrescue.image.transports import attempts
from vmrescue.image.transports.loop import run
from vmrescue.image.transports.remote import RemoteFile, Traffic, failed
from vmrescue.image.transports.service_errors import in_words
from vmrescue.image.url import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECT = 30  # seconds
SILENCE = 60  # seconds without a byte
REQUEST = 120  # seconds for a whole answer: enough for the largest range, 8 MiB, at 0.6 Mbit/s
FIRST = 64 << 10  # bytes of the first request
METADATA = "x-ms-meta-"  # what the names of a blob's metadata begin with in an answer's headers

_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


def open_web(url: str, within: float = REQUEST) -> RemoteFile:
    """Opens a file on a web server. `within`: most seconds that a whole answer may take.

    Raises:
        ReadError: the server or the network failed, or the server refused.
        UnsupportedError: the server does not serve ranges, or compresses them.
    """
    try:
        source = WebFile(url, within)
    except ValueError as error:  # no address at all
        failed(shown(url), error)
    try:
        first = run(attempts.attempts(source.begin, source.will_fail_again))
        return RemoteFile(url, source, first)
    except Exception as error:  # noqa: BLE001 - aiohttp's errors, and those of the libraries below it
        source.close()
        failed(shown(url), error)


class WebFile:
    """The source of a `RemoteFile`; see `Source`."""

    def __init__(self, url: str, within: float) -> None:
        self.size = 0
        self.metadata: Mapping[str, str] = {}
        self.is_blob = False
        self.traffic = Traffic()
        self._path = shown(url)
        self._url = URL(url, encoded=True)  # not encoded again, which would break its signature
        self._within = within
        self._session: aiohttp.ClientSession | None = None

    async def begin(self) -> bytes:
        """The first bytes; sets the size, and what else the answer tells of the file."""
        async with self._asked(0, FIRST) as answer:
            if answer.status == 416:  # there is no first byte
                return b""
            await self._check_status(answer, 0)
            self._check_encoding(answer)
            given = _RANGE.match(answer.headers.get("Content-Range", ""))
            length = answer.content_length
            if answer.status == 206 and given and given[1] == "0":
                self.size = int(given[3])
            elif answer.status == 200 and length is not None and length <= FIRST:
                self.size = length  # the whole file was requested
            else:
                raise self._no_ranges()
            self.is_blob = "x-ms-blob-type" in answer.headers
            names = [name for name in answer.headers if name.lower().startswith(METADATA)]
            self.metadata = {name[len(METADATA) :].lower(): answer.headers[name] for name in names}
            return await self._body(answer, min(FIRST, self.size))

    async def fetch(self, offset: int, length: int) -> bytes:
        """Bytes of the file. Raises ReadError if the server sends something else, or too slowly; aiohttp's errors."""
        async with self._asked(offset, length) as answer:
            await self._check_status(answer, offset)
            self._check_encoding(answer)
            if answer.status == 200 and (offset, length) == (0, self.size):
                return await self._body(answer, length)
            if answer.status != 206:
                raise self._no_ranges()
            given = answer.headers.get("Content-Range", "none")
            if not given.startswith(f"bytes {offset}-{offset + length - 1}/"):
                raise ReadError(f"cannot read {self._path} at byte {offset}: the server sends the range {given!r:.60}")
            return await self._body(answer, length)

    def will_fail_again(self, error: Exception) -> bool:
        return attempts.is_refusal(error) or isinstance(error, aiohttp.InvalidURL)

    def _asked(self, offset: int, length: int) -> _Answer:
        return _Answer(self, offset, length)

    async def _get(self, offset: int, length: int) -> aiohttp.ClientResponse:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=self._within, sock_connect=CONNECT, sock_read=SILENCE)
            self._session = aiohttp.ClientSession(
                headers={"Accept-Encoding": "identity"},  # ranges count the file's own bytes
                auto_decompress=False,
                timeout=timeout,
                trust_env=True,
            )
        self.traffic.requests += 1
        return await self._session.get(self._url, headers={"Range": f"bytes={offset}-{offset + length - 1}"})

    async def _check_status(self, answer: aiohttp.ClientResponse, offset: int) -> None:
        if answer.status < 400:
            return
        code = answer.headers.get("x-ms-error-code", "")
        if answer.status not in attempts.BUSY and (said := in_words(code, str(self._url))):
            raise ReadError(f"cannot read {self._path}: {said} ({answer.status}, {code})")
        answer.raise_for_status()

    def _check_encoding(self, answer: aiohttp.ClientResponse) -> None:
        encoding = answer.headers.get("Content-Encoding", "identity")
        if encoding.lower() != "identity":
            raise UnsupportedError(f"{self._path}: the server sends it as {encoding!r:.40}; download it first")

    def _no_ranges(self) -> UnsupportedError:
        return UnsupportedError(f"{self._path}: the server tells no size or serves no ranges; download it first")

    async def _body(self, answer: aiohttp.ClientResponse, length: int) -> bytes:
        """The body. If it is longer than `length`, the rest is not read, and the connection is closed."""
        body = bytearray()
        async for piece in answer.content.iter_any():
            body += piece
            if len(body) > length:
                raise ReadError(f"cannot read {self._path}: the server sends more than {length} bytes of a range")
        return bytes(body)

    def close(self) -> None:
        if self._session is not None:
            run(self._session.close())


class _Answer:
    """An answer to a range, closed at the end: its connection is used again if all of it was read."""

    def __init__(self, file: WebFile, offset: int, length: int) -> None:
        self._file = file
        self._range = offset, length
        self._answer: aiohttp.ClientResponse | None = None

    async def __aenter__(self) -> aiohttp.ClientResponse:
        self._answer = await self._file._get(*self._range)
        return self._answer

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        assert self._answer is not None
        if error is None:
            self._answer.release()
            return
        self._answer.close()
        if isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ServerTimeoutError):
            offset, length = self._range  # a silent server may answer another attempt; a slow one is given up
            late = f"{length} bytes did not come within {self._file._within} seconds"
            raise ReadError(f"cannot read {self._file._path} at byte {offset}: {late}") from None
