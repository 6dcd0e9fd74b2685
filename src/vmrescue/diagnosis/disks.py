"""The disks of a VM, opened to be read."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from vmrescue.arguments import typed
from vmrescue.errors import FormatError
from vmrescue.image import open_disk
from vmrescue.image.notices import tell
from vmrescue.image.reference import Reference
from vmrescue.image.transports.target_disk import TargetDisk, each_disk
from vmrescue.volumes.disk import DiskWithoutTable
from vmrescue.windows.bare_hive import disk_or_hive

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator

    from vmrescue.image import VirtualDisk
    from vmrescue.image.transports.target_disk import Target
    from vmrescue.windows import Disk


@typed
@contextmanager
def open_disks(
    images: Iterable[str | os.PathLike[str] | Target], read: Callable[[VirtualDisk, str, int], Disk] = disk_or_hive
) -> Iterator[list[Disk]]:
    """The disks of `images`, opened read-only and closed at the end."""
    with ExitStack() as opened:
        disks = []
        for index, image in enumerate(each_disk(images)):
            device = image if isinstance(image, TargetDisk) else open_disk(image)
            opened.callback(device.close)
            path = image.path if isinstance(image, TargetDisk) else Reference.of(image).shown
            disks.append(read(device, path, index))
            tell(path, disks[-1].warnings)
        yield disks


def whatever_there_is(device: VirtualDisk, path: str, index: int) -> Disk:
    """A disk whose table cannot be read has no volumes, and says why."""
    try:
        return disk_or_hive(device, path, index)
    except FormatError:
        return DiskWithoutTable(device, path, index)
