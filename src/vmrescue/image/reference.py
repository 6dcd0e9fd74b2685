"""Where an image is: a path of this machine, or a URL, and how either is shown to people."""

from __future__ import annotations

import os
import re

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
QUERY = re.compile(r"\?[^\s'\")]*")

AZURE = ("az", "abfs", "abfss")
CONTAINER_FIRST = ("abfs", "abfss")  # abfs://container@account.dfs.core.windows.net/name


def is_remote(path: str | os.PathLike[str]) -> bool:
    """Whether it is a URL rather than a path on this machine."""
    return URL.match(os.fspath(path)) is not None


def shown(path: str | os.PathLike[str]) -> str:
    """A path as it is; a URL without user name, password and query: a SAS URL's query opens the image to anybody."""
    text = os.fspath(path)
    if not is_remote(text):
        return text
    scheme, host, path = split_url(text)
    return f"{scheme}://{host if scheme in CONTAINER_FIRST else host.rpartition('@')[2]}{path}"


def split_url(url: str) -> tuple[str, str, str]:
    """Scheme, host (with what stands before it) and path of any URL, malformed ones too, which urllib refuses."""
    scheme, rest = url.split("://", 1)
    host, slash, path = re.split("[?#]", rest, maxsplit=1)[0].partition("/")
    return scheme.lower(), host, slash + path
