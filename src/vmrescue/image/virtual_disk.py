"""A disk as its container shows it, and facts about it, which every layer above passes on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol, Self

from vmrescue.dataclass import dataclass
from vmrescue.image.transports.file import SECTOR
from vmrescue.signatures import GPT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vmrescue.device import BlockDevice, Range
    from vmrescue.image.commit_step import Step
    from vmrescue.image.risks import Risk


class SecondOpinion(Enum):
    """Which reader, that is not our code and does not write, confirms what was written to an image."""

    LIBVHDI = "libvhdi"
    FOREIGN = "dissect's reader of the container; of a container that it does not read, a second qemu-nbd"
    FILE = "the operating system: the disk's bytes are the file's"
    NONE = "nobody: such an image is not written"


@dataclass(frozen=True)
class Facts:
    """Facts about a disk, the same for all layers above it.

    Attributes:
        format: the usual name of its container: ``fixed VHD``, ``dynamic VHDX``, ``raw image``, ``block device``, …
        unique_id: a VHD's or VHDX's 16-byte id, which its children store; None for a raw image.
        parents: the paths of a differencing image's parents, nearest first.
        notes: oddities of the container, in sentences; it could be opened nevertheless.
        risks: reasons why an edit may do harm that no check can see; edits are refused unless these are accepted.
        refusal: why the image is only read, and how to convert it; None if it can be written.
        flat: whether each byte of the disk is at the same offset of what the undo journal counts: of the file, or,
            where QEMU writes the container, of the disk itself.
        second_opinion: the reader that confirms what was written.
        why_not_longer: why the disk cannot be made longer; None if it can.
        longest: most bytes that the disk can have; None if the container sets no limit.
        lost_footer: whether a raw image is named as a VHD, so that a footer is missing at its end.
        why_not_confirmed: why no reader could confirm what is written to this file (a copy of it can be repaired);
            None if one can.
    """

    format: str
    unique_id: bytes | None = None
    parents: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    risks: tuple[Risk, ...] = ()
    refusal: str | None = None
    flat: bool = False
    second_opinion: SecondOpinion = SecondOpinion.NONE
    why_not_longer: str | None = None
    longest: int | None = None
    why_not_confirmed: str | None = None
    lost_footer: bool = False


class VirtualDisk(ABC):
    """A disk: an array of bytes with facts. It is a `BlockDevice`, and `Sparse`; used with ``with``, it is closed."""

    size: int
    sector_size: int

    @property
    @abstractmethod
    def file(self) -> BlockDevice | None:
        """The bytes of the image file, container included; None if they are not accessible (a Target's)."""

    @property
    @abstractmethod
    def facts(self) -> Facts:
        """The facts about the disk."""

    @abstractmethod
    def learn(self, **facts: Any) -> None:
        """Changes facts: the fields of `Facts` by their names."""

    @abstractmethod
    def read_at(self, offset: int, length: int) -> bytes:
        """As `BlockDevice.read_at`."""

    @abstractmethod
    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        """As `BlockDevice.write_at`."""

    @abstractmethod
    def resize(self, size: int) -> None:
        """Makes the disk `size` bytes long; it can only grow. Raises RefusedError."""

    @abstractmethod
    def flush(self) -> None:
        """As `BlockDevice.flush`."""

    @abstractmethod
    def close(self) -> None:
        """As `BlockDevice.close`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def next_data(self, offset: int) -> int:
        """The first byte from `offset` on that may be other than zero."""
        return offset

    def commit_steps(self, image: BlockDevice) -> Sequence[Step]:
        """The steps in which what was written since the last commit reaches the file; empty: all in one.

        `image`: the file as it is.
        """
        return ()

    def prefetch(self, ranges: Iterable[Range]) -> bool:
        """As `Far.prefetch`."""
        return False

    @property
    def format(self) -> str:
        return self.facts.format

    @property
    def unique_id(self) -> bytes | None:
        return self.facts.unique_id

    @property
    def parents(self) -> list[str]:
        return list(self.facts.parents)

    @property
    def warnings(self) -> list[str]:
        """The facts' notes; the name is part of the public interface."""
        return list(self.facts.notes)

    @property
    def risks(self) -> Sequence[Risk]:
        return self.facts.risks

    @property
    def refusal(self) -> str | None:
        return self.facts.refusal


class Mapped(Protocol):
    """A disk whose container has tables that map its bytes to places in the file."""

    @property
    def format(self) -> str:
        """As `VirtualDisk.format`."""

    @property
    def own_ranges(self) -> list[tuple[int, int]]:
        """(offset, length) in the file of the structures that map the disk to it."""

    def stored(self, offset: int, length: int) -> Iterable[tuple[int, int]]:
        """The parts of the file, as (offset, length), that store a range of the disk."""


class Container(VirtualDisk):
    """A disk in a container. It has its facts itself."""

    def __init__(self, facts: Facts, file: BlockDevice | None = None) -> None:
        self._facts = facts
        self._file = file

    @property
    def file(self) -> BlockDevice | None:
        return self._file

    @property
    def facts(self) -> Facts:
        return self._facts

    def learn(self, **facts: Any) -> None:
        self._facts = replace(self._facts, **facts)


class Layer(VirtualDisk):
    """A layer over a disk. It passes on everything that it does not change, facts included."""

    def __init__(self, below: VirtualDisk) -> None:
        self.below = below

    @property
    def file(self) -> BlockDevice | None:
        return self.below.file

    @property
    def facts(self) -> Facts:
        return self.below.facts

    def learn(self, **facts: Any) -> None:
        self.below.learn(**facts)

    @property
    def size(self) -> int:  # type: ignore[override]  # a layer's size is that of the disk below
        return self.below.size

    @property
    def sector_size(self) -> int:  # type: ignore[override]
        return self.below.sector_size

    def read_at(self, offset: int, length: int) -> bytes:
        return self.below.read_at(offset, length)

    def next_data(self, offset: int) -> int:
        return self.below.next_data(offset)

    def prefetch(self, ranges: Iterable[Range]) -> bool:
        return self.below.prefetch(ranges)

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        self.below.write_at(offset, data)

    def resize(self, size: int) -> None:
        self.below.resize(size)

    def commit_steps(self, image: BlockDevice) -> Sequence[Step]:
        return self.below.commit_steps(image)

    def flush(self) -> None:
        self.below.flush()

    def close(self) -> None:
        self.below.close()


def sector_size_of(store: BlockDevice) -> int:
    """The sector size in bytes: 4096 if there is a GPT header at byte 4096 and none at 512, else the device's."""
    if store.size >= 8192 and store.read_at(SECTOR, 8) != GPT == store.read_at(4096, 8):
        return 4096
    return store.sector_size
