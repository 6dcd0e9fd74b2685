"""The chain of files of a differencing VHDX: finds each parent and checks that it is the right one ([MS-VHDX] 2.6.2.6).

A parent is looked for in the folder that the user names and in the child's folder, by the file's name alone. A path in
the child is used only if the file there is a VHDX whose id of the last write to its data is the one that the child
stores. So an image cannot decide which files of this machine are opened, unless its maker knows that id of a file.
Errors say nothing about other files at that path.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.device import Held
from vmrescue.errors import FormatError, UnsupportedError, VmRescueError
from vmrescue.files import open_regular
from vmrescue.image.containers.parents import DEEPEST, find_by_name, folders_for, missing_parent, plain_names
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
        chain = [_Link(Path(path) if path else None, _read(store, opened))]
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


def _read(store: ImageStore, opened: ExitStack) -> VhdxFile:
    file = read_file(store)
    if file.replayed is not None:
        opened.callback(file.replayed.close)
    return file


def _open_parent(chain: list[_Link], said: dict[str, str], folder: Path | None, opened: ExitStack) -> _Link:
    """Opens the parent of the chain's last file, which says this about it."""
    child = chain[-1]
    if len(chain) == DEEPEST:
        raise UnsupportedError(f"{chain[0].path} has more than {DEEPEST - 1} parents, one below the other")
    paths = [said[key] for key in (RELATIVE, ABSOLUTE, VOLUME) if key in said]
    linkages = [said[key].lower() for key in LINKAGES if key in said]
    names, folders = plain_names(paths), folders_for(child.path, folder)
    path = find_by_name(names, folders) or _where_it_says(child.path, paths, linkages)
    if path is None:
        raise missing_parent("differencing VHDX", child.path, names, folders)
    if any(link.path is not None and path.samefile(link.path) for link in chain):
        raise FormatError("VHDX parent locator", None, "a parent that isn't its own child", str(path))
    store, interrupted = open_for_reading(path)
    opened.callback(store.close)
    try:
        file = _read(store, opened)
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


def _where_it_says(child: Path | None, paths: list[str], linkages: list[str]) -> Path | None:
    """The file at a path that the child stores, if it has an id that the child stores; None otherwise."""
    for said in paths if child is not None else ():
        place = child.parent / said.replace("\\", "/") if child is not None else Path(said)
        if _is_the_one(place, linkages):
            return place.resolve()
    return None


def _is_the_one(place: Path, linkages: list[str]) -> bool:
    try:
        with open(place, "rb", opener=open_regular) as stream:
            head = stream.read(FIRST_REGION_AT)
        if not head.startswith(SIGNATURE):
            return False
        return guid_text(read_current(Held(head, "VHDX")).header.data_write_guid) in linkages
    except (OSError, ValueError, VmRescueError):
        return False
