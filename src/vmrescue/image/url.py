"""URLs as text: recognising them, splitting them, and showing them without their secrets."""

from __future__ import annotations

import os
import re

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
SOCKET = re.compile(r"[?&](socket=[^&#]*)")
QUERY = re.compile(r"\?[^\s'\")]*")

AZURE = ("az", "abfs", "abfss")  # for these, adlfs takes the account from its settings
WEB = ("http", "https")
NBD = ("nbd", "nbds", "nbd+unix", "nbds+unix")
QEMU = ("rbd", "iscsi", "iser", "gluster", "gluster+tcp", "gluster+unix", "gluster+rdma", "nfs")
CEPH = "rbd:"  # rbd:POOL/IMAGE:OPTION=VALUE, as QEMU writes it; an option may be a secret
OPTION = re.compile(r"(?<!\\):")
WHICH_CEPH = ("conf=", "mon_host=", "mon-host=", "mon host=")  # options that choose the cluster
OF_FILES = ("conf", "socket")  # options that are paths of this machine
CONTAINER_FIRST = ("abfs", "abfss")  # abfs://container@account.dfs.core.windows.net/name


def scheme_of(text: str) -> str:
    """The scheme of a URL, in lower case; empty for a path of this machine."""
    return split_url(text)[0] if URL.match(text) or text.startswith(CEPH) else ""


def shown(text: str) -> str:
    """A path unchanged; a URL without user name, password and query: a SAS URL's query gives anybody access.

    What tells one image from another stays: a socket in the query, and which of Ceph's clusters is meant.
    """
    if text.startswith(CEPH):
        _, image, *options = OPTION.split(text)
        return CEPH + ":".join([image, *(option for option in options if option.startswith(WHICH_CEPH))])
    if not URL.match(text):
        return text
    scheme, host, path = split_url(text)
    socket = SOCKET.search(text) if scheme in (*NBD, *QEMU) else None
    rest = f"?{socket[1]}" if socket else ""
    return f"{scheme}://{host if scheme in CONTAINER_FIRST else host.rpartition('@')[2]}{path}{rest}"


def split_url(url: str) -> tuple[str, str, str]:
    """Scheme, host (with user name and password) and path of any URL, also of malformed ones, which urllib refuses."""
    if url.startswith(CEPH):
        return "rbd", "", url[len(CEPH) :].split(":")[0]
    scheme, rest = url.split("://", 1)
    host, slash, path = re.split("[?#]", rest, maxsplit=1)[0].partition("/")
    return scheme.lower(), host, slash + path


def from_anywhere(text: str) -> str:
    """A path or a URL as it may be given from every folder: what it names of this machine has its whole path."""
    scheme = scheme_of(text)
    if not scheme:
        return os.path.abspath(text)  # noqa: PTH100 - links are not followed
    if text.startswith(CEPH):
        return CEPH + ":".join(map(_with_whole_path, OPTION.split(text[len(CEPH) :])))
    if scheme in (*NBD, *QEMU):
        return SOCKET.sub(lambda found: found[0].replace(found[1], _with_whole_path(found[1])), text)
    return text


def _with_whole_path(option: str) -> str:
    name, _, value = option.partition("=")
    return f"{name}={os.path.abspath(value)}" if name in OF_FILES else option  # noqa: PTH100
