"""The disk that an NBD server exports, as the bytes of an image.

NBD has no locks. A lock file keeps the repairs of this user on this machine apart; more cannot be done. Another
machine, another client of the server, or a running VM is not kept from writing.
"""

from __future__ import annotations

from bisect import bisect_right
from contextlib import ExitStack
from typing import TYPE_CHECKING

from vmrescue.device import check_range
from vmrescue.errors import ReadError, RefusedError, WriteError
from vmrescue.image.journal_place import locked_file
from vmrescue.image.notices import tell
from vmrescue.image.transports.nbd import protocol as nbd
from vmrescue.image.transports.nbd.address import Address
from vmrescue.image.transports.nbd.session import Session
from vmrescue.image.transports.remote import RemoteFile, Traffic

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LOCK = "lock"
CAUTION = "NBD has no locks: nothing else may write to it meanwhile, no running VM and no other client of the server"
LENGTH = "over NBD a disk cannot be made longer: resize it at its server first"
SECTOR = 512
FURTHEST = 1 << 31  # bytes whose state is asked for at once
MOST_QUESTIONS = 64  # questions for the next data; a server that answers in tiny pieces is read instead

_HELD: dict[Path, Session] = {}
"""The exports that this process has open to write, by the folder of their journals.

Who opens one of them to read uses the same connection: many servers serve only one client.
"""


class NbdDevice:
    """The bytes of an export. Reads are cached.

    Args:
        session: with the server.
        path: the export's URL, or the path of the image that it is made of, for messages and to find its journals.
        writable: whether it may be written to.

    Attributes:
        refusal: why it cannot be written; None if it can.
    """

    unfinished: str | None = None
    version: str | None = None  # NBD has none
    sector_size = SECTOR
    why_not_longer = LENGTH

    def __init__(self, session: Session, path: str, writable: bool = False) -> None:
        self.path = path
        self.size = session.export.size
        self.refusal = _refusal(session, path)
        self._session = session
        self._writable = writable
        self._unit = max(nbd.SMALLEST_WRITE, session.export.smallest)
        self._opened = ExitStack()
        self._reader = RemoteFile(path, _Export(session))
        self._forget_states()

    def also_close(self, opened: ExitStack) -> None:
        """Closes these when the device is closed."""
        self._opened = opened

    def read_at(self, offset: int, length: int) -> bytes:
        return self._reader.read_at(offset, length)

    def next_data(self, offset: int) -> int:
        """Skips what the server says is zero, if it tells."""
        if self._session.export.context is None:
            return offset
        for _ in range(MOST_QUESTIONS):
            if offset >= self.size:
                return self.size
            if not self._ends or not self._begin <= offset < self._ends[-1]:
                self._ask_states(offset)
            at = bisect_right(self._ends, offset)
            if not self._zero[at]:
                return offset
            offset = min(self._ends[at], self.size)
        return offset

    def _ask_states(self, offset: int) -> None:
        """Learns the states from the block of `offset` on."""
        smallest = self._session.export.smallest
        self._forget_states()
        self._begin = end = offset - offset % smallest
        for length, state in self._session.states(end, min(FURTHEST, self.size - end)):
            end += length
            self._ends.append(end)
            self._zero.append(bool(state & nbd.ZERO))

    def _forget_states(self) -> None:
        self._begin = 0
        self._ends: list[int] = []
        self._zero: list[bool] = []

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        check_range(self.path, offset, len(data), self.size)
        self._must_be_writable()
        if not data:
            return
        before = offset % self._unit
        after = min(-(offset + len(data)) % self._unit, self.size - offset - len(data))
        if before or after:
            head, tail = self.read_at(offset - before, before), self.read_at(offset + len(data), after)
            offset, data = offset - before, b"".join((head, data, tail))
        self._reader.forget(offset, len(data))
        self._forget_states()
        try:
            self._session.write(offset, data)
        except ReadError as error:
            raise WriteError(str(error)) from error

    def resize(self, size: int) -> None:
        """Raises RefusedError: NBD cannot do that."""
        if size != self.size:
            raise RefusedError(f"{self.path} has {self.size} bytes and is to have {size}: {LENGTH}")

    def flush(self) -> None:
        if not self._writable:
            return
        try:
            self._session.flush()
        except ReadError as error:
            raise WriteError(str(error)) from error

    def settle(self) -> None:
        """Nothing to do: the server shows every write that it has answered."""

    def drop_cache(self) -> None:
        """Drops cached bytes, so that later reads come from the server."""
        self._reader.forget(0, self.size)
        self._forget_states()

    def must_be_unchanged(self) -> None:
        """Nothing to do: NBD does not tell of other writers."""

    def close(self) -> None:
        self._opened.close()

    def _must_be_writable(self) -> None:
        if not self._writable:
            raise RefusedError(f"{self.path} was opened for reading only")


class _Export:
    """An export as the source of a `RemoteFile`, which reads whole blocks of it, one after the other."""

    is_blob = False
    metadata: Mapping[str, str] = {}

    def __init__(self, session: Session) -> None:
        self._session = session
        self.size = session.export.size
        self.traffic = Traffic()

    async def fetch(self, offset: int, length: int) -> bytes:
        self.traffic.requests += 1
        return bytes(self._session.read(offset, length))  # it waits: no other request may go out meanwhile

    def will_fail_again(self, error: Exception) -> bool:
        return True

    def close(self) -> None:
        """The session is closed by its owner."""


def open_export(url: str) -> NbdDevice:
    """Opens an export for reading only. Raises as `Session`."""
    address = Address.of(url)
    with ExitStack() as opened:
        session = _HELD.get(address.journal_folder)
        if session is None:
            session = Session(address)
            opened.callback(session.close)
        device = NbdDevice(session, address.shown)
        device.also_close(opened.pop_all())
    return device


def hold_export(url: str) -> NbdDevice:
    """Opens an export for writing. Other repairs of this user on this machine are kept out until it is closed.

    Raises:
        RefusedError: the server lets nobody write, cannot bring bytes to stable storage, or another repair holds it.
        ReadError: as `Session`.
    """
    address = Address.of(url)
    folder = address.journal_folder
    with ExitStack() as opened:
        opened.enter_context(locked_file(folder, LOCK, address.shown))
        session = Session(address)
        opened.callback(session.close)
        device = NbdDevice(session, address.shown, writable=True)
        if device.refusal:
            raise RefusedError(device.refusal)
        tell(address.shown, (CAUTION,))
        _HELD[folder] = session
        opened.callback(lambda: _HELD.pop(folder))
        device.also_close(opened.pop_all())
    return device


def journal_folder_of(url: str) -> Path:
    """The folder of the undo journals of the export behind a URL."""
    return Address.of(url).journal_folder


def _refusal(session: Session, path: str) -> str | None:
    flags = session.export.flags
    if flags & nbd.READ_ONLY:
        return f"{path} is exported for reading only: start the server without that (qemu-nbd without --read-only)"
    if not flags & (nbd.SEND_FLUSH | nbd.SEND_FUA):
        return f"{path} is not written: the server has no way to bring bytes to stable storage (neither FLUSH nor FUA)"
    return None
