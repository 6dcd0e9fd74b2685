"""The chain of files of a differencing VHD: finds each parent and checks that it is the right one.

`parents` says where a parent is looked for. The right one has the unique id, the time of last change and the size that
the child stores.
Source: Microsoft, "Virtual Hard Disk Image Format Specification", version 1.0, "Identification of the Parent".
"""

from __future__ import annotations

import stat
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.device import check_range
from vmrescue.errors import FormatError, VmRescueError
from vmrescue.files import open_regular
from vmrescue.image.containers.parents import find_parent, is_one_of
from vmrescue.image.containers.vhd import FoundFooter, VhdDynamic, VhdFixed, read_dynamic_header
from vmrescue.image.containers.vhd_layout import ABSOLUTE, DIFFERENCING, EPOCH, FIXED, RELATIVE, Header, read_footer
from vmrescue.image.recovery import open_for_reading
from vmrescue.image.risks import PARENT_CHANGED, Risk
from vmrescue.image.transports.file import SECTOR

if TYPE_CHECKING:
    from vmrescue.device import BlockDevice
    from vmrescue.image.transports.file import ImageStore

LONGEST_NAME = 4096  # most bytes of a parent locator
STAMP_TOLERANCE = 2  # seconds; some file systems store times in steps of two seconds
PARENT_ID_AT = 40  # offset in the dynamic header
WINDOWS_NAMES = (RELATIVE, ABSOLUTE)


@dataclass(frozen=True)
class _Link:
    """One file of the chain. A fixed disk has no dynamic header."""

    path: Path | None
    store: ImageStore
    found: FoundFooter
    header: Header | None


def open_vhd(store: ImageStore, path: str | None = None, folder: Path | None = None) -> VhdFixed | VhdDynamic:
    """Opens the VHD in `store`, and its parents for reading.

    Args:
        store: the image's bytes; the disk then owns `store` and closes it.
        path: the image's path.
        folder: where to look for parents, besides the child's folder; by default the folder of `parents_in`.

    Raises:
        FormatError, UnsupportedError: it or a parent is no valid VHD, or a parent has another id than its child says.
        NotFoundError: a parent is in neither folder, nor unchanged at the path that its child stores.
    """
    with ExitStack() as opened:
        chain = [_link(Path(path) if path else None, store)]
        while (header := chain[-1].header) is not None and chain[-1].found.footer.disk_type == DIFFERENCING:
            chain.append(_open_parent(chain, header, folder))
            opened.callback(chain[-1].store.close)
        disk = _stack(chain)
        opened.pop_all()
    return disk


def _link(path: Path | None, store: ImageStore) -> _Link:
    found = FoundFooter(store)
    fixed = found.footer.disk_type == FIXED
    return _Link(path, store, found, None if fixed else read_dynamic_header(store, found))


def _stack(chain: list[_Link]) -> VhdFixed | VhdDynamic:
    """The disk of the whole chain, built from the last parent up."""
    base, *above = reversed(chain)
    disk = _disk(base, None)
    for link in above:
        disk = _disk(link, disk)
    below = chain[1:]
    # That a parent's machine was saved does not matter for the child; that a parent was changed does.
    risks = (risk for link in below for risk in link.found.risks if risk.name == PARENT_CHANGED)
    notes = (f"{link.path}: {warning}" for link in below for warning in link.found.warnings)
    disk.learn(
        parents=tuple(str(link.path) for link in below),
        notes=(*disk.facts.notes, *notes),
        risks=(*disk.facts.risks, *risks),
    )
    return disk


def _disk(link: _Link, below: BlockDevice | None) -> VhdFixed | VhdDynamic:
    if link.header is None:
        return VhdFixed(link.store, link.found)
    return VhdDynamic(link.store, link.found, link.header, below)


def _open_parent(chain: list[_Link], header: Header, folder: Path | None) -> _Link:
    """Opens the parent of the chain's last file, a differencing disk with this header."""
    child = chain[-1]
    paths = [link.path for link in chain]
    is_the_one = partial(_is_the_one, child=child, header=header)
    path = find_parent("differencing VHD", paths, _paths(child, header), is_the_one, folder)
    if is_one_of(paths, path):
        position = child.found.footer.data_offset
        raise FormatError("VHD dynamic header", position, "a parent that isn't its own child", str(path))
    store, interrupted = open_for_reading(path)
    with ExitStack() as opened:
        opened.callback(store.close)
        try:
            parent = _link(path, store)
        except FormatError as error:
            raise error.of(path) from error
        _check_identity(child, header, parent, path)
        opened.pop_all()
    if interrupted:
        parent.found.warnings.append("a repair of it was interrupted: what is read is as it was before")
    return parent


def _check_identity(child: _Link, header: Header, parent: _Link, path: Path) -> None:
    """Raises FormatError if the parent's id is not the one in the child. Another time stamp or size is a risk."""
    footer = parent.found.footer
    if footer.unique_id != header.parent_unique_id:
        raise FormatError(
            "VHD dynamic header",
            child.found.footer.data_offset + PARENT_ID_AT,
            f"the unique id of the parent {path}, {footer.unique_id.hex()}",
            header.parent_unique_id.hex(),
        )
    own = child.found.footer
    if own.current_size != footer.current_size:
        _parent_changed(
            child, f"{path} has {footer.current_size} bytes now, and {child.path} over it {own.current_size}"
        )
    known = (
        0,
        footer.time_stamp,
        int(path.stat().st_mtime) - EPOCH,
    )  # some programs write no time, or the time of creation
    if not any(abs(header.parent_time_stamp - stamp) <= STAMP_TOLERANCE for stamp in known):
        _parent_changed(child, f"{path} was changed or copied after {child.path} was made over it")


def _parent_changed(child: _Link, what: str) -> None:
    """Records the risk that the parent was changed, so that its bytes are not those that the child was made for."""
    found = f"{what}: if changed, what is read is wrong"
    child.found.warnings.append(found)
    child.found.risks.append(Risk(PARENT_CHANGED, found))


def _is_the_one(place: Path, child: _Link, header: Header) -> bool:
    """Whether a file has the unique id, the size and the time of last change that a child stores of its parent."""
    try:
        found = place.stat()
        if not stat.S_ISREG(found.st_mode) or found.st_size < SECTOR:
            return False
        if abs(int(found.st_mtime) - EPOCH - header.parent_time_stamp) > STAMP_TOLERANCE:
            return False
        with open(place, "rb", opener=open_regular) as stream:
            stream.seek(found.st_size - SECTOR)
            footer = read_footer(stream.read(SECTOR), found.st_size - SECTOR)
    except (OSError, ValueError, VmRescueError):
        return False
    known = header.parent_unique_id, child.found.footer.current_size
    return (footer.unique_id, footer.current_size) == known


def parents_named(path: Path, store: ImageStore) -> list[str]:
    """The paths of its parent that a VHD stores, likeliest first; none if it is no differencing one."""
    link = _link(path, store)
    is_child = link.header is not None and link.found.footer.disk_type == DIFFERENCING
    return _paths(link, link.header) if is_child and link.header else []


def _paths(child: _Link, header: Header) -> list[str]:
    """The paths of its parent that a child stores, likeliest first."""
    paths = [header.parent_name]
    for locator in header.locators:
        if locator.platform_code in WINDOWS_NAMES and 0 < locator.length <= LONGEST_NAME:
            check_range("VHD parent locator", locator.offset, locator.length, child.store.size)
            paths.append(child.store.read_at(locator.offset, locator.length).decode("utf-16-le", "replace"))
    return [path.partition("\0")[0] for path in reversed(paths)]
