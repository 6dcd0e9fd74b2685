"""Requests to an NBD server, and its replies, structured or simple. Source: the NBD project, doc/proto.md.

Several requests are sent before the first is answered, so that a long read or write does not wait for the network
between its pieces. A session in which anything went wrong is not used again: what comes next could be the answer to
something else. It is used by one thread at a time.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import field
from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.errors import ReadError
from vmrescue.image.transports.nbd import protocol as nbd
from vmrescue.image.transports.nbd.handshake import connected, shake_hands
from vmrescue.image.transports.nbd.wire import ConnectionLostError, Wire
from vmrescue.units import counted

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from vmrescue.image.transports.nbd.address import Address

Extents = list[tuple[int, int]]  # (bytes, state)
COMMANDS = {nbd.READ: "read", nbd.WRITE: "write", nbd.FLUSH: "flush", nbd.BLOCK_STATUS: "tell the state of"}


@dataclass
class _Request:
    """A request, and what came in answer to it."""

    command: int
    offset: int
    length: int
    flags: int = 0
    data: memoryview | None = None  # to be written; or where to put what is read
    came: list[tuple[int, int]] = field(default_factory=list)  # (start, end) in `data` of what was read
    extents: Extents = field(default_factory=list)
    chunks: int = 0
    error: int = 0
    message: str = ""


class Session:
    """A connection to an export, after the handshake.

    Args:
        address: where the export is.
        connection: made already, else it is made.
        ended: says why the server may have ended, for the errors of a lost connection.

    Raises:
        As `shake_hands`; ReadError if the server cannot be reached.
    """

    def __init__(
        self, address: Address, connection: socket.socket | None = None, ended: Callable[[], str] = lambda: ""
    ) -> None:
        self.name = address.shown
        self._ended = ended
        self._one = threading.Lock()
        self._lost: str | None = None
        self._cookie = 0
        self._wire = Wire(connection or connected(address), self.name)
        try:
            self.export = shake_hands(self._wire, address)
        except ReadError as error:
            self._wire.close()
            raise self._with_reason(error) from None
        except BaseException:
            self._wire.close()
            raise

    def read(self, offset: int, length: int) -> bytearray:
        """Bytes inside the export; offset and length are multiples of `Export.smallest`. Raises ReadError."""
        data = bytearray(length)
        self._exchange(self._pieces(nbd.READ, offset, memoryview(data)), nbd.REPLY)
        return data

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """Writes bytes inside the export, in multiples of `Export.smallest`. Returns when all are answered.

        Raises ReadError.
        """
        through = not self.export.flags & nbd.SEND_FLUSH
        pieces = self._pieces(nbd.WRITE, offset, memoryview(data), nbd.FUA if through else 0)
        self._exchange(pieces, nbd.STORED if through else nbd.REPLY)

    def flush(self) -> None:
        """Returns when everything that was written is on stable storage. Raises ReadError."""
        if self.export.flags & nbd.SEND_FLUSH:
            self._exchange([_Request(nbd.FLUSH, 0, 0)], nbd.STORED)

    def states(self, offset: int, length: int) -> Extents:
        """(length, state of `base:allocation`) of the first extents from `offset` on. Raises ReadError."""
        request = _Request(nbd.BLOCK_STATUS, offset, length)
        self._exchange([request], nbd.REPLY)
        return request.extents

    def _pieces(self, command: int, offset: int, data: memoryview, flags: int = 0) -> list[_Request]:
        step = self.export.largest
        return [
            _Request(command, offset + at, min(step, len(data) - at), flags, data[at : at + step])
            for at in range(0, len(data), step)
        ]

    def _exchange(self, requests: list[_Request], seconds: float) -> None:
        """Sends requests and takes the replies, which may come in any order.

        Raises:
            ReadError: the server reports an error, breaks the protocol, or is lost.
        """
        with self._one, self._whole():
            waiting: dict[int, _Request] = {}
            todo = deque(requests)
            while todo or waiting:
                self._wire.within(seconds)
                while todo and len(waiting) < nbd.DEPTH:
                    self._cookie += 1
                    waiting[self._cookie] = request = todo.popleft()
                    self._send(request)
                self._receive(waiting)
        for request in requests:
            if request.error:
                what = f"cannot {COMMANDS[request.command]} {self.name} at byte {request.offset}"
                raise ReadError(f"{what}: {request.message or _error_text(request.error)}")

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Unless the block ends well (an interrupt counts too), the session cannot be used again."""
        if self._lost is not None:
            raise ReadError(self._lost)
        self._lost = f"{self.name}: an earlier request was interrupted"
        try:
            yield
        except ReadError as error:
            said = self._with_reason(error)
            self._lost = str(said)
            raise said from None
        self._lost = None

    def _with_reason(self, error: ReadError) -> ReadError:
        reason, where = self._ended(), f"{self.name}: "
        if not reason:
            return error
        if isinstance(error, ConnectionLostError):
            return ReadError(f"{where}{reason}")
        if str(error).startswith(where):  # of the connection: what the server said comes first
            return ReadError(f"{where}{reason} ({str(error).removeprefix(where)})")
        return ReadError(f"{error} ({reason})")

    def _send(self, request: _Request) -> None:
        head = nbd.REQUEST.pack(
            nbd.REQUEST_MAGIC, request.flags, request.command, self._cookie, request.offset, request.length
        )
        if request.command == nbd.WRITE and request.data is not None:
            self._wire.send(head, request.data)
        else:
            self._wire.send(head)

    def _receive(self, waiting: dict[int, _Request]) -> None:
        """Takes one reply, or one chunk of a reply; an answered request is taken out of `waiting`."""
        (magic,) = nbd.NUMBER.unpack(self._wire.take(nbd.NUMBER.size))
        if magic == nbd.SIMPLE_MAGIC:
            error, cookie = nbd.SIMPLE.unpack(self._wire.take(nbd.SIMPLE.size))
            self._simple(self._asked(waiting, cookie), error)
            done = True
        elif magic == nbd.CHUNK_MAGIC and self.export.structured:
            flags, kind, cookie, length = nbd.CHUNK.unpack(self._wire.take(nbd.CHUNK.size))
            self._chunk(self._asked(waiting, cookie), kind, length)
            done = bool(flags & nbd.DONE)
            if kind == nbd.NONE and not done:
                raise self._wire.broken("it sends an empty chunk that is not the last one")
        else:
            raise self._wire.broken(f"a reply begins with 0x{magic:08x}")
        if done:
            self._must_be_complete(waiting.pop(cookie))

    def _asked(self, waiting: dict[int, _Request], cookie: int) -> _Request:
        if cookie not in waiting:
            raise self._wire.broken("it answers a request that was not made")
        return waiting[cookie]

    def _simple(self, request: _Request, error: int) -> None:
        request.error = error
        if error or request.command in (nbd.WRITE, nbd.FLUSH):
            return
        if self.export.structured or request.data is None:
            raise self._wire.broken(f"it answers a {COMMANDS[request.command]} with a simple reply")
        self._wire.take_into(request.data)
        request.came.append((0, request.length))

    def _chunk(self, request: _Request, kind: int, length: int) -> None:
        request.chunks += 1
        if request.chunks > 64 + request.length // nbd.SMALLEST_WRITE:
            raise self._wire.broken(f"it answers in more than {request.chunks} chunks")
        if kind == nbd.NONE and not length:
            return
        if kind >= nbd.CHUNK_ERROR and nbd.NUMBER.size + nbd.WORD.size <= length <= nbd.LONGEST_STRING:
            self._error(request, bytes(self._wire.take(length)))
        elif kind == nbd.OFFSET_DATA and request.command == nbd.READ and length > nbd.OFFSET.size:
            (offset,) = nbd.OFFSET.unpack(self._wire.take(nbd.OFFSET.size))
            self._wire.take_into(self._place(request, offset, length - nbd.OFFSET.size))
        elif kind == nbd.OFFSET_HOLE and request.command == nbd.READ and length == nbd.HOLE.size:
            offset, size = nbd.HOLE.unpack(self._wire.take(length))
            self._place(request, offset, size)  # it is zeros already
        elif kind == nbd.STATUS and request.command == nbd.BLOCK_STATUS and not request.extents:
            self._status(request, length)
        else:
            raise self._wire.broken(f"a chunk of type {kind} and {length} bytes answers a {COMMANDS[request.command]}")

    def _place(self, request: _Request, offset: int, length: int) -> memoryview:
        """Where bytes of a read belong."""
        start = offset - request.offset
        if request.data is None or start < 0 or not length or start + length > request.length:
            raise self._wire.broken(f"it sends {counted(length, 'byte')} at {offset}, where none was asked for")
        request.came.append((start, start + length))
        return request.data[start : start + length]

    def _status(self, request: _Request, length: int) -> None:
        count, rest = divmod(length - nbd.NUMBER.size, nbd.EXTENT.size)
        if rest or not 0 < count <= nbd.MOST_EXTENTS:
            raise self._wire.broken(f"it tells states in {length} bytes")
        data = self._wire.take(length)
        if nbd.NUMBER.unpack(data[:4])[0] != self.export.context:
            raise self._wire.broken("it tells states that were not asked for")
        request.extents = [(size, state) for size, state in nbd.EXTENT.iter_unpack(data[4:])]
        if not all(size for size, _ in request.extents):
            raise self._wire.broken("it tells the state of no bytes")

    def _error(self, request: _Request, data: bytes) -> None:
        (request.error,), (size,) = nbd.NUMBER.unpack(data[:4]), nbd.WORD.unpack(data[4:6])
        if not request.error:
            raise self._wire.broken("it reports an error that is none")
        with suppress(UnicodeDecodeError):
            request.message = data[6 : 6 + min(size, 200)].decode()

    def _must_be_complete(self, request: _Request) -> None:
        if request.error:
            return
        end = 0
        if request.command == nbd.READ:
            for start, stop in sorted(request.came):
                if start != end:
                    raise self._wire.broken(f"of {request.length} bytes at {request.offset} it leaves some out")
                end = stop
            if end != request.length:
                raise self._wire.broken(f"it sends {end} bytes at {request.offset} where {request.length} were asked")
        elif request.command == nbd.BLOCK_STATUS and not request.extents:
            raise self._wire.broken("it tells no state")

    def close(self) -> None:
        """Ends the session and tells the server so."""
        if self._lost is None:
            with suppress(ReadError), self._one, self._whole():
                self._wire.within(nbd.CONNECT)
                self._wire.send(nbd.REQUEST.pack(nbd.REQUEST_MAGIC, 0, nbd.DISCONNECT, 0, 0, 0))
        self._lost = self._lost or f"{self.name}: it is closed"
        self._wire.close()


def _error_text(number: int) -> str:
    """An error number of the protocol, which is that of Linux, as text."""
    return os.strerror(number) if number < 1 << 16 else f"error {number}"
