"""The differencing images that lie over an image: those beside it whose headers name it as their parent.

A write to a parent changes what its children read, and nothing in the parent names the children. So the headers of all
files in the same folder that are named as images are read.
"""

from __future__ import annotations

from contextlib import closing, suppress
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from vmrescue.errors import VmRescueError
from vmrescue.image.containers.foreign.kinds import QCOW2
from vmrescue.image.containers.parents import plain_names
from vmrescue.image.reference import Reference
from vmrescue.image.risks import HAS_CHILDREN, Risk
from vmrescue.image.transports.file import FileDevice
from vmrescue.signatures import VHD, VHDX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.image.reference import Location

SUFFIXES = (".vhd", ".avhd", ".vhdx", ".avhdx", ".qcow2", ".qcow", ".img")
MOST = 500  # files of a folder that are looked at


def risk_of_children(image: Location) -> tuple[Risk, ...]:
    """The risk that an image has children, if there are any beside it."""
    children = lying_over(image)
    if not children:
        return ()
    many = f" and {len(children) - 1} more lie" if len(children) > 1 else " lies"
    return (Risk(HAS_CHILDREN, f"{children[0]}{many} over it, and would read wrong once this is written to"),)


def lying_over(image: Location) -> list[str]:
    """The paths of differencing images in the image's own folder that name it as their parent.

    Empty for an image that is not on this machine, or no regular file. A file that cannot be read is none.
    """
    place = Reference.of(image)
    if place.is_remote or not (path := Path(place.shown)).is_file():
        return []
    real = path.resolve()
    names, found = {path.name.lower(), real.name.lower()}, []
    for other in sorted({each for folder in {path.parent.resolve(), real.parent} for each in _images_in(folder)}):
        with suppress(VmRescueError, OSError, UnicodeError):
            told = other.stat()
            parents = _parents_of(other, told.st_ino, told.st_size, told.st_mtime_ns)
            if any(name.lower() in names for name in parents) and not other.samefile(real):
                found.append(str(other))
    return found


@lru_cache(maxsize=4 * MOST)
def _parents_of(path: Path, *version: int) -> tuple[str, ...]:
    """The names of the files that an image calls its parent; read once for each version of it."""
    return tuple(plain_names(_parents_named(path)))


def _images_in(folder: Path) -> list[Path]:
    with suppress(OSError):
        named = (each for each in folder.iterdir() if each.suffix.lower() in SUFFIXES and each.is_file())
        return list(islice(named, MOST))
    return []


def _parents_named(path: Path) -> Iterator[str]:
    """The paths of its parent that an image stores; none if it has no parent. Raises VmRescueError."""
    with closing(FileDevice(path)) as store:
        head = store.read_at(0, min(store.size, len(VHD)))
        if head == VHD:  # a fixed one, which has no parent, begins with the disk's own bytes
            from vmrescue.image.containers.vhd_chain import parents_named

            yield from parents_named(path, store)
        elif head == VHDX:
            from vmrescue.image.containers.vhdx.metadata import read_metadata
            from vmrescue.image.containers.vhdx.regions import read_regions

            yield from (read_metadata(store, read_regions(store).metadata).parent or {}).values()
        elif QCOW2.is_marked(store):
            from vmrescue.image.containers.foreign.qcow2 import parent_named

            yield from parent_named(store)
