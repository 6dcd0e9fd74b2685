"""NBD's URLs: where the server is, the name of the export, and whether TLS is demanded.

    nbd://host:port/export    nbd+unix:///export?socket=PATH    nbds://…, nbds+unix://…: only with TLS

Source: the NBD project, doc/uri.md. With TLS the server must have a certificate that this machine trusts, or that is
signed by ``ca-cert.pem`` in the folder ``?tls-certificates=FOLDER``, where the client's own certificate may be too.
"""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, unquote

from vmrescue.dataclass import dataclass
from vmrescue.errors import UsageError
from vmrescue.image.journal_place import for_address
from vmrescue.image.transports.nbd.protocol import LONGEST_STRING
from vmrescue.image.url import NBD, scheme_of, shown, split_url

if TYPE_CHECKING:
    import ssl

PORT = 10809
NOT_SUPPORTED = ("tls-psk-file", "tls-username")
CA, CERTIFICATE, KEY = "ca-cert.pem", "client-cert.pem", "client-key.pem"  # the names that QEMU and libnbd use


@dataclass(frozen=True)
class Address:
    """Where an export is.

    Attributes:
        shown: the URL without what may be secret.
        host, port: of the server; empty and 0 for a Unix socket.
        socket: path of the Unix socket, else None.
        export: the name of the export; empty for the server's default.
        demands_tls: whether a server without TLS is refused. Another server may still ask for it.
        certificates: the folder with the certificates, else None.
        name: the host name in the server's certificate.
    """

    shown: str
    host: str
    port: int
    socket: str | None
    export: bytes
    demands_tls: bool
    certificates: str | None = field(default=None, repr=False)
    name: str = ""

    @classmethod
    def of(cls, url: str) -> Address:
        """Parses a URL. Raises UsageError if it names no server."""
        scheme = scheme_of(url)
        _, place, path = split_url(url)
        query = url.partition("?")[2].partition("#")[0]
        given = {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}
        if scheme not in NBD:
            raise UsageError(f"{shown(url)} is no URL of NBD: it begins with {', '.join(NBD)}")
        if asked := [name for name in NOT_SUPPORTED if name in given]:
            raise UsageError(f"{shown(url)}: {asked[0]} (TLS with a shared key) is not supported, certificates are")
        export = unquote(path.removeprefix("/")).encode("utf-8", "surrogateescape")
        if len(export) > LONGEST_STRING:
            raise UsageError(f"{shown(url)[:200]}…: an export's name has {LONGEST_STRING} bytes at most")
        host, port, socket = "", 0, None
        if scheme.endswith("+unix"):
            socket = given.get("socket")
            if not socket or place:
                raise UsageError(f"{shown(url)}: a Unix socket is named so: {scheme}:///EXPORT?socket=PATH")
        else:
            host, port = _host(url, place)
        folder = given.get("tls-certificates") or None
        name = given.get("tls-hostname") or host or "localhost"
        return cls(shown(url), host, port, socket, export, scheme.startswith("nbds"), folder, name)

    @property
    def journal_folder(self) -> Path:
        """The folder of the export's undo journals, the same for all URLs of it on this machine."""
        place = f"unix:{Path(self.socket).resolve()}" if self.socket else f"{self.host.lower()}:{self.port}"
        return for_address(f"nbd {place}/{quote(self.export, safe='')}")

    def tls(self) -> ssl.SSLContext:
        """The settings of a TLS connection; the server's certificate is checked. Raises UsageError."""
        import ssl  # here, because it is slow to import

        try:
            if self.certificates is None:
                return ssl.create_default_context()
            folder = Path(self.certificates)
            context = ssl.create_default_context(cafile=str(folder / CA))
            if (folder / CERTIFICATE).exists():
                context.load_cert_chain(folder / CERTIFICATE, folder / KEY)
        except OSError as error:  # ssl.SSLError is one
            reason = error.strerror or str(error)
            raise UsageError(
                f"{self.shown}: the certificates in {self.certificates} cannot be used: {reason}"
            ) from error
        return context


def _host(url: str, place: str) -> tuple[str, int]:
    """The host and the port in a URL, whose address may be one of IPv6 in brackets."""
    place = place.rpartition("@")[2]
    if place.startswith("["):
        host, _, port = place[1:].partition("]")
        port = port.removeprefix(":")
    else:
        host, _, port = place.partition(":")
    if not host or (port and not (port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16)):
        raise UsageError(f"{shown(url)}: a server is named so: nbd://HOST:PORT/EXPORT")
    return unquote(host), int(port or PORT)
