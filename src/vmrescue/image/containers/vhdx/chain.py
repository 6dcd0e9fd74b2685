"""The chain of files of a differencing VHDX: finds each parent and checks that it is the right one ([MS-VHDX] 2.6.2.6).

`parents` says where a parent is looked for. The right one has the id of the last write to its data that the child
stores.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.device import Held
from vmrescue.errors import FormatError, VmRescueError
from vmrescue.files import open_regular
from vmrescue.image.containers.parents import find_parent, is_one_of
from vmrescue.image.containers.vhdx.disk import Vhdx
from vmrescue.image.containers.vhdx.file import VhdxFile, read_file
from vmrescue.image.containers.vhdx.header import read_current
from vmrescue.image.containers.vhdx.layout import FIRST_REGION_AT, SIGNATURE, guid_text
from vmrescue.image.recovery import open_for_reading
from vmrescue.image.risks import PARENT_CHANGED, Risk

if TYPE_CHECKING:
    from vmrescue.image.transports.file import ImageStore

LINKAGES = ("parent_linkage", "parent_linkage2")  # the ids that the parent may have
RELATIVE, VOLUME, ABSOLUTE = "relative_path", "volume_path", "absolute_win32_path"


@dataclass(frozen=True)
class _Link:
    """One file of the chain, and what was found when it was looked for."""

    path: Path | None
    file: VhdxFile
    notes: tuple[str, ...] = ()
    risks: tuple[Risk, ...] = ()


def open_vhdx(store: ImageStore, path: str | None = None, folder: Path | None = None) -> Vhdx:
    """Opens the VHDX in `store`, and its parents for reading.

    Args:
        store: the image's bytes; the disk then owns `store` and closes it.
        path: the image's path.
        folder: where to look for parents, besides the child's folder; by default the folder of `parents_in`.

    Raises:
        FormatError, UnsupportedError: it or a parent is no valid VHDX, or a parent is another disk than its child says.
        NotFoundError: a parent is in neither folder, nor unchanged at the path that its child stores.
    """
    with ExitStack() as opened:
        chain = [_Link(Path(path) if path else None, read_file(store, opened))]
        while (said := chain[-1].file.metadata.parent) is not None:
            chain.append(_open_parent(chain, dict(said), folder, opened))
        disk: Vhdx | None = None
        for link in reversed(chain):
            disk = Vhdx(link.file, disk)
        assert disk is not None
        opened.pop_all()
    below = chain[1:]
    notes = (f"{link.path}: {note}" for link in below for note in link.file.notes)
    disk.learn(
        parents=tuple(str(link.path) for link in below),
        notes=(*disk.facts.notes, *(note for link in below for note in link.notes), *notes),
        risks=tuple(risk for link in below for risk in link.risks),
    )
    return disk


def _open_parent(chain: list[_Link], said: dict[str, str], folder: Path | None, opened: ExitStack) -> _Link:
    """Opens the parent of the chain's last file, which says this about it."""
    child = chain[-1]
    stored = [said[key] for key in (RELATIVE, ABSOLUTE, VOLUME) if key in said]
    linkages = [said[key].lower() for key in LINKAGES if key in said]
    paths = [link.path for link in chain]
    path = find_parent("differencing VHDX", paths, stored, partial(_is_the_one, linkages=linkages), folder)
    if is_one_of(paths, path):
        raise FormatError("VHDX parent locator", None, "a parent that isn't its own child", str(path))
    store, interrupted = open_for_reading(path)
    opened.callback(store.close)
    try:
        file = read_file(store, opened)
    except FormatError as error:
        raise error.of(path) from error
    notes = ["a repair of the parent was interrupted: what is read is as it was before"] if interrupted else []
    risks = []
    if file.metadata.sector_size != child.file.metadata.sector_size:
        found = f"{file.metadata.sector_size} bytes in {path}"
        raise FormatError("VHDX metadata", None, "sectors of the same size in a disk and in its parent", found)
    if guid_text(file.current.header.data_write_guid) not in linkages:
        if (file.metadata.disk_id, file.metadata.size) != (child.file.metadata.disk_id, child.file.metadata.size):
            found = guid_text(file.current.header.data_write_guid)
            raise FormatError(
                "VHDX parent locator", None, f"the id of the parent {path}, {found}", " or ".join(linkages)
            )
        what = f"{path} was written to after {child.path} was made over it: if changed, what is read is wrong"
        notes.append(what)
        risks.append(Risk(PARENT_CHANGED, what))
    return _Link(path, file, tuple(notes), tuple(risks))


def _is_the_one(place: Path, linkages: list[str]) -> bool:
    """Whether a file is a VHDX whose last write to its data has one of these ids."""
    try:
        with open(place, "rb", opener=open_regular) as stream:
            head = stream.read(FIRST_REGION_AT)
        if not head.startswith(SIGNATURE):
            return False
        return guid_text(read_current(Held(head, "VHDX")).header.data_write_guid) in linkages
    except (OSError, ValueError, VmRescueError):
        return False
