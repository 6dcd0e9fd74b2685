"""A web server of files on this machine, for what reads them from afar: it serves ranges, counts, and can misbehave."""

from __future__ import annotations

import re
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RANGE = re.compile(r"bytes=(\d+)-(\d+)")
PIECE = 1 << 20


class Listener(ThreadingHTTPServer):
    """Has room for all connections that clients make at once: what finds none is tried again a second later."""

    request_queue_size = 128


@dataclass
class RangeServer:
    """What the server was asked for, and how it is to behave.

    Attributes:
        url: its address, with a slash at the end.
        requests: each request's method and path with its query, as they came.
        sent: bytes of content sent.
        ranges: whether ranges are served; else every request gets the whole file.
        failures: how many of the next requests for content end in status 503.
        encoding: what the server says that content is packed with, where it is.
        shift: bytes by which a range lies behind the one that was asked for.
        endless: whether content goes on after its end, for as long as somebody reads.
        pause: seconds before each byte of content, which then comes byte by byte.
        delay: seconds before each answer begins.
    """

    url: str
    requests: list[str] = field(default_factory=list)
    sent: int = 0
    ranges: bool = True
    failures: int = 0
    encoding: str | None = None
    shift: int = 0
    endless: bool = False
    pause: float = 0
    delay: float = 0


@contextmanager
def serving(folder: Path) -> Iterator[RangeServer]:
    """Serves the files of a folder on a free port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else a body waits 40 ms until its headers were acknowledged

        def do_HEAD(self) -> None:
            self._answer(head=True)

        def do_GET(self) -> None:
            self._answer(head=False)

        def _answer(self, head: bool) -> None:
            server.requests.append(f"{self.command} {self.path}")
            time.sleep(server.delay)
            path = folder / self.path.partition("?")[0].lstrip("/")
            if not path.is_file():
                self._status(404)
            elif server.failures and not head:
                server.failures -= 1
                self._status(503)
            else:
                self._send(path, head)

        def _status(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _send(self, path: Path, head: bool) -> None:
            size = path.stat().st_size
            wanted = RANGE.fullmatch(self.headers.get("Range", "")) if server.ranges else None
            first, last = (int(wanted[1]), min(int(wanted[2]), size - 1)) if wanted else (0, size - 1)
            if wanted:
                first, last = first + server.shift, last + server.shift
            self.send_response(206 if wanted else 200)
            if server.endless and not head:
                self.send_header("Connection", "close")  # the content's end, if it had one
            else:
                self.send_header("Content-Length", str(last + 1 - first))
            if wanted:
                self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
            if server.encoding and not head:
                self.send_header("Content-Encoding", server.encoding)
            self.end_headers()
            if not head:
                self._send_content(path, first, last)

        def _send_content(self, path: Path, first: int, last: int) -> None:
            with path.open("rb") as stream:
                stream.seek(first)
                while first <= last:
                    time.sleep(server.pause)
                    piece = stream.read(min(1 if server.pause else PIECE, last + 1 - first))
                    first += len(piece)
                    self._write(piece)
            while server.endless:
                self._write(bytes(PIECE))

        def _write(self, piece: bytes) -> None:
            server.sent += len(piece)  # before the client can know
            self.wfile.write(piece)

        def log_message(self, *arguments: object) -> None:
            """Nothing on the tests' output."""

        def handle(self) -> None:
            try:
                super().handle()
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # the reader had enough

    listener = Listener(("127.0.0.1", 0), Handler)
    server = RangeServer(f"http://127.0.0.1:{listener.server_address[1]}/")
    thread = threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()
