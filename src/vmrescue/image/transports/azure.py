"""Azure's blob service: the blob of a URL, read through the asynchronous SDK.

The SDK, which comes with adlfs, is slow to import, so it is imported only if a blob is used. Its asynchronous form is
used, on fsspec's event loop, because adlfs holds the account's credentials in that form.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from vmrescue.errors import missing_extra
from vmrescue.image.transports import attempts
from vmrescue.image.transports.fsspec_file import file_system
from vmrescue.image.transports.loop import run
from vmrescue.image.transports.remote import RemoteFile, Traffic, failed, refusal
from vmrescue.image.transports.service_errors import in_words
from vmrescue.image.url import AZURE, QUERY, WEB, scheme_of, shown, split_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azure.storage.blob import BlobClient

MARK = "vmrescue_repair"  # key in a blob's metadata, set while its pages are being written: where the undo journal is
FIRST = 64 << 10  # bytes of the first request, whose answer has the size and the metadata too


def blob_client(url: str, traffic: Traffic | None = None) -> Any:
    """The SDK's client for the blob behind a URL, whose requests are counted in `traffic`. Makes no request.

    Raises:
        RefusedError: the URL cannot be that of a blob.
        UnsupportedError: the SDK or the account's credentials are missing.
    """
    if scheme_of(url) not in (*AZURE, *WEB):
        raise refusal(url)
    try:
        from azure.storage.blob.aio import BlobClient

        from vmrescue.image.transports.counted import CountedTransport
    except ImportError as error:
        raise missing_extra("page blobs are written with Azure's SDK", "fleet") from error
    options: dict[str, Any] = {"transport": CountedTransport(traffic or Traffic()), "retry_total": 0}
    if scheme_of(url) in AZURE:
        files, path = file_system(url)
        container, blob, _ = files.split_path(path)
        service = files.service_client
        return BlobClient(service.url, container, blob, credential=service.credential, **options)
    try:
        return BlobClient.from_blob_url(url, **options)
    except ValueError:  # its text contains the URL with its secrets
        raise refusal(url) from None


def open_blob(url: str) -> RemoteFile:
    """Opens a blob for reading, with the account's credentials. Raises as `RemoteFile`."""
    source = Blob(url)
    try:
        first = run(attempts.attempts(source.begin, will_fail_again))
        return RemoteFile(url, source, first)
    except Exception as error:  # noqa: BLE001 - the SDK's errors, and those of the libraries below it
        source.close()
        failed(shown(url), _readable(error, url))


def _readable(error: Exception, url: str) -> Exception:
    from azure.core.exceptions import AzureError

    return OSError(reason(error, url)) if isinstance(error, AzureError) else error


class Blob:
    """A blob as the source of a `RemoteFile`; see `Source`."""

    is_blob = True

    def __init__(self, url: str) -> None:
        self.size = 0
        self.metadata: Mapping[str, str] = {}
        self.traffic = Traffic()
        self._url = url
        self._client: BlobClient = blob_client(url, self.traffic)

    async def begin(self) -> bytes:
        """The first bytes; sets size and metadata."""
        from azure.core.exceptions import HttpResponseError

        try:
            stream = await self._client.download_blob(0, FIRST)  # type: ignore[misc]  # the asynchronous client
        except HttpResponseError as error:
            if error.status_code == 416:  # there is no first byte
                return b""
            raise
        properties = stream.properties
        self.size = int(re.split("[ /-]", properties.content_range)[-1])
        self.metadata = properties.metadata or {}
        return bytes(await stream.readall())

    async def fetch(self, offset: int, length: int) -> bytes:
        from azure.core.exceptions import AzureError

        try:
            return await range_of(self._client, offset, length)
        except AzureError as error:
            if will_fail_again(error):
                raise OSError(reason(error, self._url)) from error
            raise

    def will_fail_again(self, error: Exception) -> bool:
        return isinstance(error, OSError) or will_fail_again(error)

    def close(self) -> None:
        run(self._client.close())  # type: ignore[arg-type,func-returns-value]


async def range_of(client: Any, offset: int, length: int, **conditions: Any) -> bytes:
    """Bytes of a blob, in one request. Raises the SDK's errors."""
    stream = await client.download_blob(offset, length, **conditions)
    return bytes(await stream.readall())


def address(url: str) -> str:
    """The address of a remote image, the same for all its URLs: host and path, without scheme and secrets."""
    _, host, path = split_url(blob_client(url).url if scheme_of(url) in AZURE else shown(url))
    return unquote(host + path)


def marked(metadata: Mapping[str, str]) -> str | None:
    """The place of the undo journal of a repair that is running or was interrupted; None if there is none."""
    return unquote(metadata[MARK]) if MARK in metadata else None


def will_fail_again(error: Exception) -> bool:
    """Whether another attempt is pointless, because the service understood the request and refused it."""
    return attempts.is_refusal(error)


def reason(error: Exception, url: str = "") -> str:
    """The service's error in one line, without secrets."""
    found = getattr(error, "error_code", None) or ""
    code = str(getattr(found, "value", found))  # one that the SDK knows is a member of an enumeration
    text = QUERY.sub("", str(getattr(error, "message", "") or error)).partition("\n")[0].strip()
    if said := in_words(code, url):
        text = said
    return f"{text or attempts.without_words(error)}{f' ({code})' if code else ''}"[:300]
