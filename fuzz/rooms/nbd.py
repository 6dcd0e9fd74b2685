"""What an NBD server sends: recorded of nbdkit and qemu-nbd, changed, and sent to our client by a hostile server."""

from __future__ import annotations

import functools
import random
import socket
from typing import TYPE_CHECKING, cast

from fuzz import scratch
from fuzz.layouts import Field
from fuzz.mutation import Seed
from fuzz.parser import Parser, Refusals
from support.nbd import nbdkit, qemu_nbd
from vmrescue.image.transports.nbd.address import Address
from vmrescue.image.transports.nbd.device import NbdDevice
from vmrescue.image.transports.nbd.handshake import connected
from vmrescue.image.transports.nbd.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = 2 << 20
HEADERS = 1000  # bytes, in which every number counts: the handshake and the first replies
ADDRESS = Address("nbd+unix:///?socket=none", "", 0, "none", b"", demands_tls=False)


class Line:
    """A connection to a server of which only the bytes are left: it takes anything and sends these."""

    family = socket.AF_UNIX

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)

    def settimeout(self, seconds: float) -> None: ...

    def sendall(self, data: bytes) -> None: ...

    def recv_into(self, view: memoryview) -> int:
        part = self._data[: len(view)]
        view[: len(part)] = part
        self._data = self._data[len(part) :]
        return len(part)

    def close(self) -> None: ...


class Recorder:
    """A connection to a server that keeps what comes."""

    def __init__(self, connection: socket.socket) -> None:
        self.family, self.came = connection.family, bytearray()
        self.settimeout, self.sendall, self.close = connection.settimeout, connection.sendall, connection.close
        self._connection = connection

    def recv_into(self, view: memoryview) -> int:
        count = self._connection.recv_into(view)
        self.came += view[:count]
        return count


def use(data: bytes) -> None:
    """Everything that is asked of an export."""
    _use(ADDRESS, cast("socket.socket", Line(data)))


def _use(address: Address, connection: socket.socket) -> None:
    refused = Refusals()
    session = Session(address, connection)
    device = NbdDevice(session, address.shown, writable=True)
    questions: tuple[Callable[[], object], ...] = (
        lambda: device.read_at(0, min(300_000, device.size)),
        lambda: device.next_data(0),
        lambda: device.read_at(max(0, device.size - 512), min(512, device.size)),
        lambda: device.next_data(device.size // 2),
        lambda: device.write_at(700, b"changed"),
        lambda: device.flush(),
    )
    for ask in questions:
        with refused.allowed():
            ask()
    session.close()
    refused.tell()


@functools.cache
def seeds() -> list[Seed]:
    disk = scratch.folder() / "nbd.raw"
    content = bytearray(SIZE)
    content[:4096] = content[200_000:204_096] = random.Random(1).randbytes(4096)
    disk.write_bytes(content)
    found = []
    kinds = {
        "nbdkit": nbdkit("file", disk),
        "nbdkit, simple": nbdkit("--no-sr", "file", disk),
        "qemu-nbd": qemu_nbd(disk, "raw"),
    }
    for name, server in kinds.items():
        with server as url:
            address = Address.of(url)
            line = Recorder(connected(address))
            _use(address, cast("socket.socket", line))
        numbers = [Field(f"byte {at}", at, size, "big") for at in range(HEADERS) for size in (2, 4, 8)]
        found.append(Seed(name, bytes(line.came), numbers))
    return found


PARSERS = (Parser("nbd", use, seeds),)
