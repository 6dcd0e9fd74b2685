"""Files of any store that fsspec knows, read only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vmrescue.errors import UnsupportedError, missing_extra
from vmrescue.image.transports.remote import RemoteFile, Traffic, failed
from vmrescue.image.url import QUERY, WEB, scheme_of, shown, split_url

if TYPE_CHECKING:
    from collections.abc import Mapping

UNSIGNED = "unable to connect to account"  # what adlfs says where nothing names one
NO_ACCOUNT = "no storage account is named: set AZURE_STORAGE_ACCOUNT_NAME or AZURE_STORAGE_CONNECTION_STRING"
LASTING = (FileNotFoundError, PermissionError, ValueError, NotImplementedError)  # another attempt would fail too


def open_other(url: str) -> RemoteFile:
    """Opens a file of a store that fsspec knows. Raises as `RemoteFile`; UnsupportedError if fsspec has none."""
    files, path = file_system(url)
    traffic = Traffic()
    traffic.requests += 1
    try:
        size = files.info(path).get("size")
    except Exception as error:  # noqa: BLE001 - fsspec's file systems raise any error of their libraries
        failed(shown(url), error)
    if size is None:
        raise UnsupportedError(f"{shown(url)}: the server tells no size or serves no ranges; download it first")
    return RemoteFile(url, OtherFile(files, path, int(size), traffic))


class OtherFile:
    """The source of a `RemoteFile`; see `Source`. Each range counts as one request, whatever fsspec makes of it."""

    is_blob = False
    metadata: Mapping[str, str] = {}

    def __init__(self, files: Any, path: str, size: int, traffic: Traffic) -> None:
        self.size = size
        self.traffic = traffic
        self._files = files
        self._path = path

    async def fetch(self, offset: int, length: int) -> bytes:
        import asyncio  # here, because it is slow to import

        self.traffic.requests += 1
        # in a thread: fsspec's synchronous calls wait for the event loop that this runs on
        return bytes(await asyncio.to_thread(self._files.cat_file, self._path, offset, offset + length))

    def will_fail_again(self, error: Exception) -> bool:
        return isinstance(error, LASTING)

    def close(self) -> None:
        """Nothing is open."""


def file_system(url: str) -> tuple[Any, str]:
    """fsspec's file system for a URL, and the path on it. Raises UnsupportedError if fsspec has none."""
    try:
        import fsspec
    except ImportError as error:
        raise missing_extra("URLs are read with fsspec", "fleet") from error
    check_name(url)
    try:
        return fsspec.core.url_to_fs(url)  # type: ignore[no-any-return]  # fsspec has no types
    except ImportError as error:
        raise UnsupportedError(f"{shown(url)} needs a further package: {_package(url) or error}") from None
    except ValueError as error:
        said = NO_ACCOUNT if UNSIGNED in str(error) else QUERY.sub("", str(error))
        raise UnsupportedError(f"{shown(url)}: {said}") from None


def _package(url: str) -> str:
    """How the package is installed that reads such URLs; empty where fsspec reads them itself, with others' help."""
    from fsspec.registry import known_implementations

    name = known_implementations.get(scheme_of(url), {}).get("class", "fsspec").partition(".")[0]
    return "" if name == "fsspec" else f"pip install {name.replace('_', '-')}"


def check_name(url: str) -> None:
    """Raises UnsupportedError if a URL names no single file."""
    if split_url(url)[2].endswith("/") or ("*" in url and scheme_of(url) not in WEB):
        raise UnsupportedError(f"{shown(url)}: a container's folders and globs are not looked into: name each image")
