"""A connection to an NBD server, in plain or inside TLS: whole messages, each within a time."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from vmrescue.errors import ReadError
from vmrescue.image.transports.nbd.protocol import SILENCE

if TYPE_CHECKING:
    import ssl


class ConnectionLostError(ReadError):
    """The server closed the connection, or the system did: where it is known why the server ended, that says more."""


class Wire:
    """Sends and receives bytes.

    Args:
        connection: to the server.
        name: of the export, for messages.
    """

    def __init__(self, connection: socket.socket, name: str) -> None:
        self.name = name
        self.is_encrypted = False
        self._socket = connection
        self._until = 0.0
        if connection.family in (socket.AF_INET, socket.AF_INET6):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def within(self, seconds: float) -> None:
        """What follows must be done in that time."""
        self._until = time.monotonic() + seconds

    def encrypt(self, context: ssl.SSLContext, host: str) -> None:
        """Continues inside TLS. Raises ReadError if the server's certificate is not trusted."""
        import ssl

        try:
            self._wait()
            self._socket = context.wrap_socket(self._socket, server_hostname=host)
        except ssl.SSLCertVerificationError as error:
            raise ReadError(
                f"{self.name}: the server's certificate is not trusted: {error.verify_message}"
                " (?tls-certificates=FOLDER names a folder with ca-cert.pem)"
            ) from error
        except (OSError, ValueError) as error:
            raise self._lost(error) from error
        self.is_encrypted = True

    def send(self, *parts: bytes | memoryview) -> None:
        """Sends all parts. Raises ReadError if the connection is lost, or the time is over."""
        try:
            self._wait()
            for part in parts:
                self._socket.sendall(part)
        except OSError as error:
            raise self._lost(error) from error

    def take(self, length: int) -> bytearray:
        """Exactly `length` bytes. Raises ReadError if the connection is lost, or the time is over."""
        data = bytearray(length)
        self.take_into(memoryview(data))
        return data

    def take_into(self, view: memoryview) -> None:
        """Fills `view`. Raises as `take`."""
        while view:
            try:
                self._wait()
                count = self._socket.recv_into(view)
            except OSError as error:
                raise self._lost(error) from error
            if not count:
                raise ConnectionLostError(f"{self.name}: the server has closed the connection")
            view = view[count:]

    def _wait(self) -> None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(min(left, SILENCE))

    def broken(self, found: str) -> ReadError:
        """The error for a server that breaks the protocol: `found`, as a sentence about it."""
        return ReadError(f"{self.name}: the server does not keep to NBD's protocol: {found}")

    def _lost(self, error: Exception) -> ReadError:
        if isinstance(error, TimeoutError):
            return ReadError(f"{self.name}: the server did not answer in time")
        return ConnectionLostError(f"{self.name}: {getattr(error, 'strerror', None) or error}")

    def close(self) -> None:
        self._socket.close()
