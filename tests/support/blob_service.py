"""A small blob service of the tests' own, for what Azurite lacks: it plays these of Azure's documented answers.

- Put Page From URL (x-ms-copy-source): Microsoft, "Put Page From URL" (REST). Azurite answers 500.
- A managed disk's addresses: a read address serves ranges and the list of pages; a write address, of a disk that waits
  for its upload, takes pages and is not read: "Upload a VHD to Azure or copy a managed disk to another region".
- Leases: 409 LeaseAlreadyPresent to who asks for one that somebody else has, 412 LeaseIdMissing to a write without it:
  "Lease Blob". What a disk's write address answers to that is not documented: `leases` says whether it takes any.
- If-Match of a write: "Specifying conditional headers for Blob service operations".
- 503 ServerBusy with Retry-After, 500 OperationTimedOut, and no answer: "Common REST API error codes".
- 403 AuthenticationFailed of a signature that has expired; 409 InvalidBlobType; 416 InvalidRange; 412 ConditionNotMet
  and SourceConditionNotMet: "Blob service error codes".

Blobs are sparse files; the pages that were written are kept beside them.
"""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from support.azurite import data_of
from support.range_server import Listener

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PAGE = 512
RANGE = re.compile(r"bytes=(\d+)-(\d+)")


@dataclass
class Blob:
    """A page blob: its file, the numbers of its pages that were written, and how often that happened."""

    file: Path
    pages: set[int] = field(default_factory=set)
    version: int = 1
    kind: str = "PageBlob"
    lease: str = ""

    @property
    def etag(self) -> str:
        return f'"0x{self.version:X}"'

    @property
    def size(self) -> int:
        return self.file.stat().st_size

    def read(self, at: int, length: int) -> bytes:
        with self.file.open("rb") as stream:
            stream.seek(at)
            return stream.read(length)

    def write(self, at: int, data: bytes) -> None:
        with self.file.open("r+b") as stream:
            stream.seek(at)
            stream.write(data)
        self.pages.update(range(at // PAGE, (at + len(data)) // PAGE))
        self.version += 1


@dataclass
class BlobService:
    """What the service was asked for, and how it is to behave.

    Attributes:
        url: its address.
        requests: each request's method, path without secrets, and what it asks for.
        copies: whether it copies pages from an address.
        reads_write_addresses: False: as a disk that waits for its upload.
        leases: whether its addresses take leases.
        meanwhile: a request's number, from 1 on, and what is done before it is answered.
        busy: how many of the next requests are answered with 503; `wait`: the seconds that these say to wait.
        cut_at: the number of the request, from 1 on, from which on nothing is answered; 0: never.
    """

    url: str
    folder: Path
    blobs: dict[str, Blob] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    copies: bool = True
    reads_write_addresses: bool = True
    leases: bool = True
    meanwhile: tuple[int, Callable[[], object]] | None = None
    busy: int = 0
    wait: int = 1
    cut_at: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, name: str, content: Path | int) -> Blob:
        """A blob with the content of a file, or a new one of a size."""
        blob = self.blobs[name] = Blob(self.folder / name)
        with blob.file.open("wb") as stream:
            stream.truncate(content if isinstance(content, int) else content.stat().st_size)
        if not isinstance(content, int):
            with content.open("rb") as stream:
                for start, end in data_of(stream.fileno(), blob.size):
                    stream.seek(start)
                    blob.write(start, stream.read(end - start))
        return blob

    def address(self, name: str, access: str = "read", ends: str = "2099-01-01T00:00:00Z") -> str:
        """A blob's address with a signature: ``read`` or ``write``."""
        return f"{self.url}disks/{name}?sp={access[0]}&se={ends}&sig={access}-secret"


@contextmanager
def blob_service(folder: Path) -> Iterator[BlobService]:
    """Runs the service on a free port; its blobs lie in a folder."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else a body waits 40 ms until its headers were acknowledged

        def do_HEAD(self) -> None:
            self._serve()

        def do_GET(self) -> None:
            self._serve()

        def do_PUT(self) -> None:
            self._serve()

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            asked = query.get("comp", "blob") + (" from URL" if "x-ms-copy-source" in self.headers else "")
            with service.lock:
                service.requests.append(f"{self.command} {parts.path} {asked}")
                cut = service.cut_at and len(service.requests) >= service.cut_at
                busy = service.busy > 0
                service.busy -= busy
                number, act = service.meanwhile or (0, None)
                if act and len(service.requests) == number:
                    service.meanwhile = None
                else:
                    act = None
            if act:
                act()
            if cut:
                self.close_connection = True
                self.connection.close()
                return
            if busy:
                self._error(503, "ServerBusy", {"Retry-After": str(service.wait)})
                return
            blob = service.blobs.get(parts.path.rpartition("/")[2])
            if query.get("se", "9") < "2026":
                self._error(403, "AuthenticationFailed")
            elif blob is None:
                self._error(404, "BlobNotFound")
            elif self.command == "PUT":
                self._put(blob, query, body)
            elif query["sp"] == "w" and not service.reads_write_addresses:
                self._error(403, "AuthorizationPermissionMismatch")
            elif self.headers.get("If-Match", blob.etag) != blob.etag:
                self._error(412, "ConditionNotMet")
            elif query.get("comp") == "pagelist":
                self._pages(blob)
            else:
                self._get(blob)

        def _put(self, blob: Blob, query: dict[str, str], body: bytes) -> None:
            if query["sp"] != "w":
                self._error(403, "AuthorizationPermissionMismatch")
                return
            if query.get("comp") == "lease":
                self._lease(blob)
                return
            if blob.lease and blob.lease != self.headers.get("x-ms-lease-id"):
                self._error(412, "LeaseIdMissing")
                return
            if self.headers.get("If-Match", blob.etag) != blob.etag:
                self._error(412, "ConditionNotMet")
                return
            asked = RANGE.fullmatch(self.headers.get("x-ms-range") or self.headers["Range"])
            assert asked is not None
            first, last = int(asked[1]), int(asked[2])
            if first % PAGE or (last + 1) % PAGE or last >= blob.size:
                self._error(416, "InvalidPageRange")
                return
            if source := self.headers.get("x-ms-copy-source"):
                if not service.copies:
                    self._error(501, "NotImplemented")
                    return
                match = self.headers.get("x-ms-source-if-match", "")
                name = urlsplit(source).path.rpartition("/")[2]
                if match not in ("", service.blobs[name].etag):
                    self._error(412, "SourceConditionNotMet")
                    return
                wanted = self.headers["x-ms-source-range"]
                assert "secret" in source
                body = service.blobs[name].read(*_span(wanted))
            with service.lock:
                blob.write(first, body)
            self._answer(201, {"ETag": blob.etag, "x-ms-blob-sequence-number": "0"})

        def _lease(self, blob: Blob) -> None:
            wanted: str = self.headers.get("x-ms-proposed-lease-id") or self.headers["x-ms-lease-id"]
            if not service.leases:
                self._error(403, "AuthorizationPermissionMismatch")
            elif blob.lease not in ("", wanted):
                self._error(409, "LeaseAlreadyPresent")
            else:
                blob.lease = "" if self.headers["x-ms-lease-action"] == "release" else wanted
                self._answer(201, {"ETag": blob.etag, "x-ms-lease-id": wanted})

        def _get(self, blob: Blob) -> None:
            known = {
                "ETag": blob.etag,
                "x-ms-blob-type": blob.kind,
                "x-ms-lease-duration": "fixed" if blob.lease else "",
                "x-ms-creation-time": "Thu, 01 Jan 2026 00:00:00 GMT",
            }
            wanted = self.headers.get("x-ms-range") or self.headers.get("Range")
            if self.command == "HEAD" or not wanted:
                self._answer(200, {**known, "Content-Length": str(blob.size)}, None)
                return
            at, length = _span(wanted)
            length = min(length, blob.size - at)
            if length <= 0:
                self._error(416, "InvalidRange")
                return
            self._answer(
                206, {**known, "Content-Range": f"bytes {at}-{at + length - 1}/{blob.size}"}, blob.read(at, length)
            )

        def _pages(self, blob: Blob) -> None:
            ranges, last = [], -2
            for page in sorted(blob.pages):
                if page != last + 1:
                    ranges.append([page, page])
                ranges[-1][1] = last = page
            listed = "".join(
                f"<PageRange><Start>{first * PAGE}</Start><End>{(end + 1) * PAGE - 1}</End></PageRange>"
                for first, end in ranges
            )
            text = f'<?xml version="1.0" encoding="utf-8"?><PageList>{listed}</PageList>'
            known = {"ETag": blob.etag, "x-ms-blob-content-length": str(blob.size), "Content-Type": "application/xml"}
            self._answer(200, known, text.encode())

        def _error(self, status: int, code: str, more: dict[str, str] | None = None) -> None:
            text = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>no</Message></Error>'
            self._answer(
                status, {"x-ms-error-code": code, "Content-Type": "application/xml", **(more or {})}, text.encode()
            )

        def _answer(self, status: int, headers: dict[str, str], body: bytes | None = b"") -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if body is not None:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if body and self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Nothing on the tests' output."""

        def handle(self) -> None:
            try:
                super().handle()
            except (BrokenPipeError, ConnectionResetError, ValueError):
                self.close_connection = True

    listener = Listener(("127.0.0.1", 0), Handler)
    service = BlobService(f"http://127.0.0.1:{listener.server_address[1]}/", folder)
    thread = threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()


def _span(text: str) -> tuple[int, int]:
    """(offset, length) of a range's text."""
    first, last = map(int, RANGE.fullmatch(text).groups())  # type: ignore[union-attr]
    return first, last + 1 - first
