"""The disks of an opened dissect Target as disks of ours. They are only read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vmrescue.errors import NotFoundError, RefusedError
from vmrescue.image.transports.file import SECTOR
from vmrescue.image.virtual_disk import Container, Facts, sector_size_of
from vmrescue.readers.opened_disk import OpenedDisk

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable
    from typing import Protocol, TypeGuard

    class Target(Protocol):
        """What is used of a `dissect.target.Target`: types are known where that package is not installed too."""

        path: Any
        disks: Any


def is_target(image: object) -> TypeGuard[Target]:
    """Whether it is a dissect Target, without importing dissect.target, which takes half a second."""
    return any(f"{each.__module__}.{each.__qualname__}" == "dissect.target.target.Target" for each in type(image).mro())


def disks_of(target: Target) -> list[TargetDisk]:
    """A Target's disks, in its order. Raises NotFoundError if it has none, as a Target made from a folder."""
    disks = [TargetDisk(container, str(target.path)) for container in target.disks]
    if not disks:
        raise NotFoundError(f"the target {target.path} has no disks, and vmrescue reads disks")
    return disks


class TargetDisk(Container):
    """A disk that a Target has open, and keeps open.

    Args:
        container: a `dissect.target.container.Container`: a stream with a size.
        path: the Target's path, for reports.
    """

    def __init__(self, container: Any, path: str) -> None:
        # no refusal: the image may be writable when it is opened by its path; only this access is read-only
        super().__init__(Facts(f"{container.__type__} (opened by Dissect)"))
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
        return RefusedError(f"{self.path} was opened by Dissect, for reading only")

    def flush(self) -> None:
        """Nothing to do: nothing is ever written."""

    def close(self) -> None:
        """Nothing to do: the disk belongs to the Target."""


def each_disk(images: Iterable[str | os.PathLike[str] | Any]) -> list[str | os.PathLike[str] | TargetDisk]:
    """The list of images in which each Target is replaced by its disks."""
    return [disk for image in images for disk in (disks_of(image) if is_target(image) else [image])]
