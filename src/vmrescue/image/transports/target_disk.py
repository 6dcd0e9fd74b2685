"""The disks of an opened dissect Target, as disks of ours: whatever its loader made of the image, it is only read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vmrescue.errors import NotFoundError, RefusedError
from vmrescue.image.transports.file import SECTOR
from vmrescue.image.virtual_disk import Container, Facts, sector_size_of
from vmrescue.readers.opened_disk import OpenedDisk

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable
    from typing import TypeGuard


def is_target(image: object) -> TypeGuard[Any]:
    """Whether it is a dissect Target; asked without importing dissect.target, which takes half a second."""
    return any(f"{each.__module__}.{each.__qualname__}" == "dissect.target.target.Target" for each in type(image).mro())


def disks_of(target: Any) -> list[TargetDisk]:
    """A Target's disks, in its order. Raises NotFoundError where it has none, such as one made from a folder."""
    disks = [TargetDisk(container, str(target.path)) for container in target.disks]
    if not disks:
        raise NotFoundError(f"the target {target.path} has no disks, and vmrescue reads disks")
    return disks


class TargetDisk(Container):
    """A disk that a Target holds open, and goes on to hold.

    Args:
        container: a `dissect.target.container.Container`: a stream with a size.
        path: of the Target, for reports.
    """

    def __init__(self, container: Any, path: str) -> None:
        # no refusal: only this way to it is read-only, and the image may be repaired by its path
        super().__init__(Facts(f"{container.__type__} (opened by dissect.target)"))
        self.path = path
        self.size = int(container.size)
        self._opened = OpenedDisk(container, self.size)
        self.sector_size = SECTOR
        self.sector_size = sector_size_of(self)

    def read_at(self, offset: int, length: int) -> bytes:
        return self._opened.read_at(self.format, offset, length)

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        raise self._read_only()

    def resize(self, size: int) -> None:
        raise self._read_only()

    def _read_only(self) -> RefusedError:
        return RefusedError(f"{self.path} was opened by dissect.target, for reading only")

    def flush(self) -> None:
        """Nothing was written."""

    def close(self) -> None:
        """The Target goes on."""


def each_disk(images: Iterable[str | os.PathLike[str] | Any]) -> list[str | os.PathLike[str] | TargetDisk]:
    """Images as they are, and Targets as their disks."""
    return [disk for image in images for disk in (disks_of(image) if is_target(image) else [image])]
