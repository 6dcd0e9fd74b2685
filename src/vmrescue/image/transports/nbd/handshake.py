"""The first part of an NBD connection: client and server agree on the export and on what is used.

Asked for are TLS (if the URL or the server demands it), structured replies, the states of `base:allocation` and the
export's block sizes. Only the export itself must be granted. Source: the NBD project, doc/proto.md.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.errors import ReadError, UnsupportedError
from vmrescue.image.transports.nbd import protocol as nbd

if TYPE_CHECKING:
    import struct
    from collections.abc import Iterator

    from vmrescue.image.transports.nbd.address import Address
    from vmrescue.image.transports.nbd.wire import Wire

REFUSALS = (nbd.UNSUPPORTED, nbd.POLICY, nbd.PLATFORM)  # answers to what may be refused


@dataclass(frozen=True)
class Export:
    """What a server exports, and how.

    Attributes:
        size: bytes.
        flags: of `protocol`.
        structured: whether replies are structured.
        context: the number of `base:allocation`; None if the server does not tell of holes.
        smallest: bytes; reads and writes begin and end at multiples of it.
        largest: most bytes of one request.
    """

    size: int
    flags: int
    structured: bool
    context: int | None
    smallest: int
    largest: int


class _TlsDemandedError(Exception):
    """The server answers nothing before TLS."""


def connected(address: Address) -> socket.socket:
    """A connection to the server. Raises ReadError."""
    try:
        if address.socket is None:
            return socket.create_connection((address.host, address.port), nbd.CONNECT)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(nbd.CONNECT)
            connection.connect(address.socket)
        except BaseException:
            connection.close()
            raise
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ReadError(f"cannot reach {address.shown}: {reason}") from error
    return connection


def shake_hands(wire: Wire, address: Address) -> Export:
    """Agrees with a server on an export.

    Raises:
        ReadError: the server breaks the protocol, is silent, has no such export, or its certificate is not trusted.
        UnsupportedError: it does not speak fixed newstyle, or has no TLS where that is demanded.
    """
    wire.within(nbd.CONNECT)
    magic, style = nbd.HANDSHAKE.unpack(wire.take(nbd.HANDSHAKE.size))
    if magic != nbd.MAGIC:
        raise wire.broken(f"it begins with {magic!r}, as no NBD server does")
    if style == nbd.OLDSTYLE_MAGIC:
        raise UnsupportedError(f"{wire.name}: the server speaks the oldstyle protocol only: fixed newstyle is needed")
    if style != nbd.OPTION_MAGIC:
        raise wire.broken(f"it announces {style!r} after its first word")
    (flags,) = nbd.WORD.unpack(wire.take(nbd.WORD.size))
    if not flags & nbd.FIXED_NEWSTYLE:
        raise UnsupportedError(f"{wire.name}: the server does not speak the fixed newstyle protocol")
    flags &= nbd.FIXED_NEWSTYLE | nbd.NO_ZEROES
    wire.send(nbd.NUMBER.pack(flags))
    if address.demands_tls:
        _start_tls(wire, address)
    try:
        return _agree(wire, address.export, bool(flags & nbd.NO_ZEROES))
    except _TlsDemandedError:
        _start_tls(wire, address)
        return _agree(wire, address.export, bool(flags & nbd.NO_ZEROES))


def _start_tls(wire: Wire, address: Address) -> None:
    if wire.is_encrypted:
        raise wire.broken("it demands TLS inside of TLS")
    for kind, data in _ask(wire, nbd.STARTTLS, b""):
        if kind >= nbd.ERROR:
            raise UnsupportedError(f"{wire.name}: the server has no TLS: {_said(kind, data)}")
    wire.encrypt(address.tls(), address.name)


def _agree(wire: Wire, name: bytes, no_zeroes: bool) -> Export:
    structured = _is_granted(wire, nbd.STRUCTURED_REPLY)
    context = _context(wire, name) if structured else None
    asked = nbd.NUMBER.pack(len(name)) + name + nbd.WORD.pack(1) + nbd.WORD.pack(nbd.INFO_BLOCK_SIZE)
    found: tuple[int, int] | None = None
    smallest, largest = 1, nbd.PIECE
    for kind, data in _ask(wire, nbd.GO, asked):
        if kind == nbd.UNSUPPORTED:
            found = _by_name(wire, name, no_zeroes)
        elif kind >= nbd.ERROR:
            raise ReadError(f"{wire.name}: the server refuses the export: {_said(kind, data)}")
        elif kind == nbd.INFO and data[:2] == nbd.WORD.pack(nbd.INFO_EXPORT):
            _, *numbers = _unpack(wire, nbd.EXPORT_INFO, data)
            found = numbers[0], numbers[1]
        elif kind == nbd.INFO and data[:2] == nbd.WORD.pack(nbd.INFO_BLOCK_SIZE):
            _, smallest, _, largest = _unpack(wire, nbd.BLOCK_SIZES, data)
    if found is None:
        raise wire.broken("it grants the export without its size")
    size, flags = found
    if not 0 < smallest <= nbd.LARGEST_UNIT or smallest & (smallest - 1) or largest < smallest:
        raise wire.broken(f"its block sizes are {smallest} and {largest}, not powers of two up to {nbd.LARGEST_UNIT}")
    if not 0 < size <= nbd.BIGGEST or size % smallest:
        raise wire.broken(f"its export has {size} bytes, not whole blocks of {smallest}")
    return Export(size, flags, structured, context, smallest, min(largest, nbd.PIECE) // smallest * smallest)


def _by_name(wire: Wire, name: bytes, no_zeroes: bool) -> tuple[int, int]:
    """The size and flags of an export of an older server, which closes the connection if it has none."""
    _send(wire, nbd.EXPORT_NAME, name)
    size, flags = nbd.EXPORT.unpack(wire.take(nbd.EXPORT.size))
    if not no_zeroes:
        wire.take(nbd.ZEROES)
    return size, flags


def _context(wire: Wire, name: bytes) -> int | None:
    """The number that the server gives the states of `base:allocation`."""
    queries = nbd.NUMBER.pack(1) + nbd.NUMBER.pack(len(nbd.ALLOCATION)) + nbd.ALLOCATION
    found = None
    for kind, data in _ask(wire, nbd.SET_META_CONTEXT, nbd.NUMBER.pack(len(name)) + name + queries):
        if kind == nbd.META_CONTEXT and data[4:] == nbd.ALLOCATION:
            (found,) = nbd.NUMBER.unpack(data[:4])
    return found


def _is_granted(wire: Wire, option: int) -> bool:
    granted = False
    for kind, data in _ask(wire, option, b""):
        if kind >= nbd.ERROR and kind not in REFUSALS:
            raise ReadError(f"{wire.name}: {_said(kind, data)}")
        granted = kind == nbd.ACK
    return granted


def _ask(wire: Wire, option: int, data: bytes) -> Iterator[tuple[int, bytes]]:
    """The replies to an option: (type, data) of each, the last one an acknowledgement or an error.

    Raises _TlsDemandedError if the server answers so, other than to STARTTLS.
    """
    _send(wire, option, data)
    for _ in range(nbd.MOST_ANSWERS):
        magic, about, kind, length = nbd.OPTION_REPLY.unpack(wire.take(nbd.OPTION_REPLY.size))
        if magic != nbd.REPLY_MAGIC or about != option:
            raise wire.broken(f"it answers option {about} (0x{magic:x}) where option {option} was asked")
        if length > nbd.LONGEST_ANSWER:
            raise wire.broken(f"its reply to option {option} has {length} bytes")
        answer = bytes(wire.take(length))
        if kind == nbd.TLS_REQUIRED and option != nbd.STARTTLS:
            raise _TlsDemandedError
        yield kind, answer
        if kind == nbd.ACK or kind >= nbd.ERROR:
            return
    raise wire.broken(f"it sends more than {nbd.MOST_ANSWERS} replies to option {option}")


def _send(wire: Wire, option: int, data: bytes) -> None:
    wire.send(nbd.OPTION.pack(nbd.OPTION_MAGIC, option, len(data)) + data)


def _unpack(wire: Wire, form: struct.Struct, data: bytes) -> tuple[int, ...]:
    if len(data) != form.size:
        raise wire.broken(f"it describes the export in {len(data)} bytes instead of {form.size}")
    return form.unpack(data)


def _said(kind: int, data: bytes) -> str:
    """An error of the server, as a sentence."""
    text = nbd.ERRORS.get(kind, f"error 0x{kind:x}")
    with suppress(UnicodeDecodeError):
        if data:
            return f"{text} ({data[:200].decode()})"
    return text
