"""Azure's blob service: which blob a URL means, and calls of its asynchronous SDK from code that is not asynchronous.

The SDK is imported only where a blob is really meant: it comes with adlfs, and takes a while to load. Its asynchronous
form is used, on fsspec's own event loop, because that is the form in which adlfs holds the account's credentials.
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

MARK = "vmrescue_repair"  # in a blob's metadata while its pages are being written: where the undo journal is
BUSY = (408, 429)  # HTTP statuses that pass


def blob_client(url: str) -> Any:
    """The SDK's client for the blob behind a URL; nothing is asked of the service yet.

    Raises:
        RefusedError: the URL can be no blob's.
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
    except ValueError:  # whose text holds the URL with its secrets
        raise refusal(url) from None


def address(url: str) -> str:
    """Where a remote image lies, the same by whatever URL it is reached: host and path, without scheme and secrets."""
    _, host, path = split_url(blob_client(url).url if scheme_of(url) in AZURE else shown(url))
    return unquote(host + path)


def marked(metadata: dict[str, str]) -> str | None:
    """Where the undo journal is of the repair that is under way on a blob, or was interrupted, if there is one."""
    return unquote(metadata[MARK]) if MARK in metadata else None


def start(coroutine: Coroutine[Any, Any, Any]) -> Future[Any]:
    """Begins a call of the SDK, on the loop that its clients belong to."""
    import asyncio

    from fsspec.asyn import get_loop

    return asyncio.run_coroutine_threadsafe(coroutine, get_loop())


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The outcome of a call of the SDK. Ctrl-C waits for it: what is under way cannot be called back."""
    from concurrent.futures import wait

    future = start(coroutine)
    try:
        return future.result()
    finally:
        wait([future])


def will_fail_again(error: Exception) -> bool:
    """Whether another attempt is pointless: the service understood, and said no."""
    status = getattr(error, "status_code", None)
    return status is not None and 400 <= status < 500 and status not in BUSY


def reason(error: Exception) -> str:
    """What the service said, in one line and without secrets."""
    text = QUERY.sub("", str(getattr(error, "message", "") or error)).partition("\n")[0].strip()
    code = getattr(error, "error_code", None)
    return f"{text or type(error).__name__}{f' ({code})' if code else ''}"[:300]
