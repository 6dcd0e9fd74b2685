"""Azure's blob service: the blob of a URL, and calls of the asynchronous SDK from synchronous code.

The SDK, which comes with adlfs, is slow to import, so it is imported only if a blob is used. Its asynchronous form is
used, on fsspec's event loop, because adlfs holds the account's credentials in that form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from vmrescue.errors import missing_extra
from vmrescue.image.transports.remote import file_system, refusal
from vmrescue.image.url import AZURE, QUERY, WEB, scheme_of, shown, split_url

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from concurrent.futures import Future

MARK = "vmrescue_repair"  # key in a blob's metadata, set while its pages are being written: where the undo journal is
BUSY = (408, 429)  # HTTP statuses after which another attempt makes sense


def blob_client(url: str) -> Any:
    """The SDK's client for the blob behind a URL. Makes no request.

    Raises:
        RefusedError: the URL cannot be that of a blob.
        UnsupportedError: the SDK or the account's credentials are missing.
    """
    if scheme_of(url) in AZURE:
        files, path = file_system(url)
        container, blob, _ = files.split_path(path)
        return files.service_client.get_blob_client(container, blob)
    if scheme_of(url) not in WEB:
        raise refusal(url)
    try:
        from azure.storage.blob.aio import BlobClient
    except ImportError as error:
        raise missing_extra("page blobs are written with Azure's SDK", "fleet") from error
    try:
        return BlobClient.from_blob_url(url)
    except ValueError:  # its text contains the URL with its secrets
        raise refusal(url) from None


def address(url: str) -> str:
    """The address of a remote image, the same for all its URLs: host and path, without scheme and secrets."""
    _, host, path = split_url(blob_client(url).url if scheme_of(url) in AZURE else shown(url))
    return unquote(host + path)


def marked(metadata: dict[str, str]) -> str | None:
    """The place of the undo journal of a repair that is running or was interrupted; None if there is none."""
    return unquote(metadata[MARK]) if MARK in metadata else None


def start(coroutine: Coroutine[Any, Any, Any]) -> Future[Any]:
    """Starts a call of the SDK, on the event loop that its clients belong to."""
    import asyncio

    from fsspec.asyn import get_loop

    return asyncio.run_coroutine_threadsafe(coroutine, get_loop())


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a call of the SDK. Ctrl-C waits for it, because a request that was sent cannot be cancelled."""
    from concurrent.futures import wait

    future = start(coroutine)
    try:
        return future.result()
    finally:
        wait([future])


def will_fail_again(error: Exception) -> bool:
    """Whether another attempt is pointless, because the service understood the request and refused it."""
    status = getattr(error, "status_code", None)
    return status is not None and 400 <= status < 500 and status not in BUSY


def reason(error: Exception) -> str:
    """The service's error in one line, without secrets."""
    text = QUERY.sub("", str(getattr(error, "message", "") or error)).partition("\n")[0].strip()
    code = getattr(error, "error_code", None)
    return f"{text or type(error).__name__}{f' ({code})' if code else ''}"[:300]
