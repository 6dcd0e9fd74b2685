"""A connection to a server on this machine that fails when it is told to: at a certain page of a page blob."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

UPLOAD = b"?comp=page&"  # in the first line of the request that writes pages
LAST_UPLOAD = b"?comp=page "
METHODS = (b"GET /", b"PUT /", b"HEAD /")


@dataclass
class FrailLine:
    """What the line does, and what has passed through it.

    Attributes:
        port: where it listens.
        fails_at: the number of the upload, from 1 on, at which it fails; 0: never.
        every: whether every request counts, not only uploads.
        way: how: ``cut`` (the request is lost, and so are all others until `mend`), ``hold`` (it is held back),
            ``drop answer`` (it arrives, its answer does not; the next ones do).
        uploads: how many there were.
        failed: set when it failed.
        answered: bytes that the server has sent.
    """

    port: int
    fails_at: int = 0
    every: bool = False
    way: str = "cut"
    uploads: int = 0
    failed: threading.Event = field(default_factory=threading.Event)
    is_cut: bool = False
    answered: int = 0

    def mend(self) -> None:
        self.fails_at, self.way, self.uploads, self.is_cut, self.every = 0, "cut", 0, False, False
        self.failed.clear()

    def passes(self, data: bytes) -> str:
        """What is to become of what a client sends: ``pass`` or one of the ways to fail."""
        if UPLOAD in data or LAST_UPLOAD in data or (self.every and data.startswith(METHODS)):
            self.uploads += 1
            if self.uploads == self.fails_at:
                self.is_cut = self.way == "cut"
                self.failed.set()
                return self.way
        return "cut" if self.is_cut else "pass"


@contextmanager
def frail_line(server_port: int) -> Iterator[FrailLine]:
    """A line to a server, on a port of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    line = FrailLine(listener.getsockname()[1])
    done = threading.Event()

    def serve(client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", server_port)) as server:
            for end in (client, server):  # else a body waits 40 ms until its headers were acknowledged
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=answer, args=(server, client), daemon=True)
            back.start()
            with suppress(OSError):
                while data := client.recv(1 << 20):
                    fate = line.passes(data)
                    if fate == "hold":
                        done.wait()
                    if fate in ("hold", "cut"):
                        break
                    if fate == "drop answer":
                        client.shutdown(socket.SHUT_RDWR)
                    server.sendall(data)
            for end in (client, server):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            back.join()

    def answer(server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(1 << 20):
                line.answered += len(data)
                client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)  # the server has closed its end

    def listen() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                if line.is_cut:
                    client.close()
                else:
                    threading.Thread(target=serve, args=(client,), daemon=True).start()

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield line
    finally:
        done.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
