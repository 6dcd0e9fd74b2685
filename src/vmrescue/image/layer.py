"""A layer on a virtual disk: it passes on everything that it does not change, facts included.

Whatever lies on a disk and is a disk itself (a meter, a recorder) derives from `Layer`, so that nobody above it sees
another format, fewer warnings or fewer holes than the container has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.device import next_data

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vmrescue.image.risks import Risk
    from vmrescue.image.virtual_disk import VirtualDisk


class Layer:
    """Passes everything on to `below`, a `VirtualDisk`, and is one."""

    def __init__(self, below: VirtualDisk) -> None:
        self.below = below

    @property
    def size(self) -> int:
        return self.below.size

    @property
    def sector_size(self) -> int:
        return self.below.sector_size

    @property
    def format(self) -> str:
        return self.below.format

    @property
    def unique_id(self) -> bytes | None:
        return self.below.unique_id

    @property
    def parents(self) -> list[str]:
        return self.below.parents

    @property
    def warnings(self) -> list[str]:
        return self.below.warnings

    @property
    def risks(self) -> Sequence[Risk]:
        return self.below.risks

    @property
    def refusal(self) -> str | None:
        return self.below.refusal

    def read_at(self, offset: int, length: int) -> bytes:
        return self.below.read_at(offset, length)

    def next_data(self, offset: int) -> int:
        return next_data(self.below, offset)

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        self.below.write_at(offset, data)

    def resize(self, size: int) -> None:
        self.below.resize(size)

    def flush(self) -> None:
        self.below.flush()

    def close(self) -> None:
        self.below.close()
