"""The page blobs of a container that may be disks."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from vmrescue.errors import ReadError, UnsupportedError, missing_extra
from vmrescue.image.transports.attempts import attempts
from vmrescue.image.transports.azure import reason, will_fail_again
from vmrescue.image.transports.fsspec_file import file_system
from vmrescue.image.transports.loop import run
from vmrescue.image.url import AZURE, QUERY, WEB, scheme_of, shown

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

SMALLEST = 1 << 20  # bytes; a smaller page blob is no disk of Windows


def page_blobs(url: str, prefix: str = "") -> Iterator[str]:
    """The URLs of a container's page blobs, page by page of its list, in the order of their names.

    Args:
        url: the container's, or a folder's in it, with a slash at the end: ``az://images/``; or its address with a
            signature that lets it be listed.
        prefix: what the names begin with, after the folder's.

    Raises:
        ReadError: the service cannot be reached, or refuses.
        UnsupportedError: it is no container of Azure's.
    """
    try:
        from azure.core.exceptions import AzureError
    except ImportError as error:
        raise missing_extra("containers are listed with Azure's SDK", "fleet") from error
    address, query = _parts(url)
    client, folder = _client(url)
    try:
        with closing(_pages(client, folder + prefix)) as pages:
            for page in pages:
                for blob in page:
                    if blob.blob_type == "PageBlob" and (blob.size or 0) >= SMALLEST:
                        name = blob.name[len(folder) :]
                        yield f"{address}{quote(name) if scheme_of(url) in WEB else name}{query}"
    except AzureError as error:
        raise ReadError(f"cannot list {shown(url)}: {reason(error, url)}") from None


def _parts(url: str) -> tuple[str, str]:
    """A container's URL without what follows the question mark, and that."""
    found = QUERY.search(url)
    return (url[: found.start()], found[0]) if found else (url, "")


def _client(url: str) -> tuple[Any, str]:
    """The SDK's client for a container, and the folder in it."""
    if scheme_of(url) in AZURE:
        files, path = file_system(f"{url}x")
        container, name, _ = files.split_path(path)
        return files.service_client.get_container_client(container), name.removesuffix("x")
    if scheme_of(url) not in WEB:
        raise UnsupportedError(f"{shown(url)} is no container of Azure's: name each image")
    from azure.storage.blob.aio import ContainerClient

    address, query = _parts(url)
    return ContainerClient.from_container_url(f"{address.rstrip('/')}{query}"), ""


def _pages(client: Any, prefix: str) -> Generator[list[Any], None, None]:
    """The list of blobs, a page of at most 5000 at a time."""
    pages = client.list_blobs(name_starts_with=prefix or None).by_page()

    async def following() -> list[Any] | None:
        try:
            page = await pages.__anext__()
        except StopAsyncIteration:
            return None
        return [blob async for blob in page]

    try:
        while (page := run(attempts(following, will_fail_again))) is not None:
            yield page
    finally:
        run(client.close())
