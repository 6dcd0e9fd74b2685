"""A disk as its container shows it, and what is known of it: facts that every layer above it carries on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from vmrescue.image.transports.file import SECTOR
from vmrescue.signatures import GPT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vmrescue.device import BlockDevice
    from vmrescue.image.risks import Risk


class SecondOpinion(Enum):
    """Who confirms what was written to an image: code that is not ours, and that does not write."""

    LIBVHDI = "libvhdi"
    FILE = "the operating system: the disk's bytes are the file's"
    NONE = "nobody: such an image is not written"


@dataclass(frozen=True)
class Facts:
    """What a disk is, whatever layers lie on it.

    Attributes:
        format: what people call its container: ``fixed VHD``, ``raw image``, ``block device``, ``VHDX image``, …
        unique_id: the 16 bytes by which a VHD's children know it; a raw image has none.
        parents: the paths of the images below a differencing one, the nearest first.
        notes: what is odd about the container, in sentences, though it could be opened.
        risks: why an edit may do harm that no check can see; it is refused unless these are accepted.
        refusal: why the image is only read, and what makes one of it that is written; None where it is itself.
        flat: whether each byte of the disk is at the same place of the file.
        second_opinion: who confirms what was written.
        why_not_longer: why the disk cannot be made longer; None where it can.
        longest: bytes that it can have at most; None where the container sets no limit.
        why_not_confirmed: why nobody would confirm what is written to this file; a copy of it can be repaired.
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


class VirtualDisk(ABC):
    """A disk: an array of bytes with facts. It is a `BlockDevice`, and `Sparse`."""

    size: int
    sector_size: int

    @property
    @abstractmethod
    def file(self) -> BlockDevice | None:
        """The bytes that its container lies in; None where they are not at hand (a Target's)."""

    @property
    @abstractmethod
    def facts(self) -> Facts:
        """What is known of it."""

    @abstractmethod
    def learn(self, **facts: Any) -> None:
        """Makes more known of it: the fields of `Facts` by their names."""

    @abstractmethod
    def read_at(self, offset: int, length: int) -> bytes:
        """As `BlockDevice.read_at`."""

    @abstractmethod
    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        """As `BlockDevice.write_at`."""

    @abstractmethod
    def resize(self, size: int) -> None:
        """Makes the disk `size` bytes long; it only grows. Raises RefusedError."""

    @abstractmethod
    def flush(self) -> None:
        """As `BlockDevice.flush`."""

    @abstractmethod
    def close(self) -> None:
        """As `BlockDevice.close`."""

    def next_data(self, offset: int) -> int:
        """The first byte from `offset` on that may be other than zero."""
        return offset

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
        """The facts' notes, by the name that they have had from the start."""
        return list(self.facts.notes)

    @property
    def risks(self) -> Sequence[Risk]:
        return self.facts.risks

    @property
    def refusal(self) -> str | None:
        return self.facts.refusal


class Container(VirtualDisk):
    """A disk out of a container: it knows its facts itself."""

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
    """Lies on a disk and passes everything on that it does not change, facts included."""

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
    def size(self) -> int:  # type: ignore[override]  # a layer's is what lies below
        return self.below.size

    @property
    def sector_size(self) -> int:  # type: ignore[override]
        return self.below.sector_size

    def read_at(self, offset: int, length: int) -> bytes:
        return self.below.read_at(offset, length)

    def next_data(self, offset: int) -> int:
        return self.below.next_data(offset)

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        self.below.write_at(offset, data)

    def resize(self, size: int) -> None:
        self.below.resize(size)

    def flush(self) -> None:
        self.below.flush()

    def close(self) -> None:
        self.below.close()


def sector_size_of(store: BlockDevice) -> int:
    """What the device says; for the image of a disk with 4096-byte sectors, what its GPT header's place says."""
    if store.size >= 8192 and store.read_at(SECTOR, 8) != GPT == store.read_at(4096, 8):
        return 4096
    return store.sector_size
