"""What a disk is to the rest of the program: an array of bytes with a size and a sector size."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from vmrescue.errors import FormatError


class Readable(Protocol):
    """An array of bytes. Offsets and lengths are bytes, and need not be aligned."""

    @property
    def size(self) -> int:
        """Length in bytes."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset`. Raises FormatError where they do not lie wholly inside the device."""


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
        """Bytes in a logical sector (512 or 4096): the unit in which partition tables count."""

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        """Writes all of `data` at `offset`. Raises RefusedError where the device was opened read-only."""

    def flush(self) -> None:
        """Returns when all that was written is on stable storage."""

    def close(self) -> None:
        """Releases what the device holds; it may be called twice."""


@runtime_checkable
class Sparse(Protocol):
    """A device that knows which of its parts were never written."""

    def next_data(self, offset: int) -> int:
        """The first byte from `offset` on that may be other than zero; the device's size where there is none."""


def next_data(device: object, offset: int) -> int:
    """As `Sparse.next_data`, of any device: what it does not know counts as written."""
    return device.next_data(offset) if isinstance(device, Sparse) else offset


@runtime_checkable
class ReadOnly(Protocol):
    """A device that may know why it is only read."""

    @property
    def refusal(self) -> object | None:
        """Why it is only read, and what makes one that is written; None where it is itself."""


def refusal_of(device: object) -> str | None:
    """As `ReadOnly.refusal`, of any device, as a sentence."""
    found = device.refusal if isinstance(device, ReadOnly) else None
    return None if found is None else str(found)


def check_range(what: str, offset: int, length: int, size: int) -> None:
    """Raises FormatError unless bytes [offset, offset + length) lie inside a `what` of `size` bytes."""
    if offset < 0 or length < 0 or offset + length > size:
        raise FormatError(what, offset, f"{length} bytes inside its {size}", f"an end at {offset + length}")
