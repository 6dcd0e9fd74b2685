"""The interface of disks and volumes: an array of bytes with a size and a sector size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from vmrescue.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterable

Range = tuple[int, int]  # (offset, length) in bytes


class Readable(Protocol):
    """An array of bytes. Offsets and lengths are in bytes and need not be aligned."""

    @property
    def size(self) -> int:
        """Length in bytes."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset`. Raises FormatError if they are not all inside the device."""


class Held:
    """Bytes in memory as a `Readable`."""

    def __init__(self, data: bytes, name: str) -> None:
        self.size = len(data)
        self._data = data
        self._name = name  # for errors

    def read_at(self, offset: int, length: int) -> bytes:
        check_range(self._name, offset, length, self.size)
        return self._data[offset : offset + length]


class BlockDevice(Readable, Protocol):
    """An array of bytes that may be writable."""

    @property
    def sector_size(self) -> int:
        """Bytes of a logical sector (512 or 4096), the unit of partition tables."""

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        """Writes all of `data` at `offset`. Raises RefusedError if the device was opened read-only."""

    def flush(self) -> None:
        """Returns when everything that was written is on stable storage."""

    def close(self) -> None:
        """Closes what the device has open; may be called twice."""


@runtime_checkable
class Sparse(Protocol):
    """A device that knows which parts of it were never written."""

    def next_data(self, offset: int) -> int:
        """The first offset from `offset` on whose byte may be nonzero; the device's size if there is none."""


def next_data(device: object, offset: int) -> int:
    """`Sparse.next_data` for any device; a device that is not `Sparse` counts as fully written."""
    is_sparse = issubclass(type(device), Sparse)  # Python remembers it, of a protocol's `isinstance` it does not
    return cast("Sparse", device).next_data(offset) if is_sparse else offset


@runtime_checkable
class Far(Protocol):
    """A device that is read over a network, so that it gains from knowing what will be read next."""

    def prefetch(self, ranges: Iterable[Range]) -> bool:
        """Announces ranges, (offset, length) in bytes, that will be read soon; nothing waits for them.

        False if nothing is gained, because the device is at hand: whoever would have to work out what comes next asks
        first, with no ranges. Parts of ranges that lie outside of the device are left out.
        """


def prefetch(device: object, ranges: Iterable[Range] = ()) -> bool:
    """`Far.prefetch` for any device; False for one that is not `Far`."""
    return issubclass(type(device), Far) and cast("Far", device).prefetch(ranges)


@runtime_checkable
class SideBySide(Protocol):
    """A device to which several parts are written at the same time."""

    def write_parts(self, parts: Iterable[tuple[int, bytes]]) -> None:
        """Writes parts, (offset, bytes), in any order; all are written when it returns."""


@runtime_checkable
class Marked(Protocol):
    """A device that tells everybody who opens it that a repair is writing to it."""

    def unmark(self) -> None:
        """The repair is over, and what it wrote is on stable storage: nothing is told any more. Raises WriteError."""


def unmark(device: object) -> None:
    """`Marked.unmark` for any device; nothing for one that is not `Marked`."""
    if isinstance(device, Marked):
        device.unmark()


@runtime_checkable
class ReadOnly(Protocol):
    """A device that may be read-only and knows why."""

    @property
    def refusal(self) -> object | None:
        """Why it is only read, and how to convert it; None if it can be written."""


def refusal_of(device: object) -> str | None:
    """`ReadOnly.refusal` for any device, as a sentence; None if it can be written."""
    found = device.refusal if isinstance(device, ReadOnly) else None
    return None if found is None else str(found)


@runtime_checkable
class OfOneLength(Protocol):
    """A device whose length may be fixed, and which knows why."""

    @property
    def why_not_longer(self) -> str | None:
        """Why it cannot be made longer; None if it can."""


def why_not_longer(device: object) -> str | None:
    """`OfOneLength.why_not_longer` for any device."""
    return device.why_not_longer if isinstance(device, OfOneLength) else None


def check_range(what: str, offset: int, length: int, size: int) -> None:
    """Raises FormatError unless bytes [offset, offset + length) are inside a `what` of `size` bytes."""
    if offset < 0 or length < 0 or offset + length > size:
        expected, found = f"{length} bytes inside its {size}", f"an end at {offset + length}"
        raise FormatError(what, offset, expected, found, beyond=offset + length > size)
