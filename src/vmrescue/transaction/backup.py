"""Copies of what a repair will edit, made before it does: hives, the boot store, replaced files, and a manifest."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from vmrescue import file_path
from vmrescue.arguments import typed
from vmrescue.digests import file_sha256
from vmrescue.errors import NotFoundError, RefusedError, UnsupportedError, VmRescueError, WriteError
from vmrescue.file_names import harmless
from vmrescue.files import write_sparse
from vmrescue.image.journal_place import make_folder
from vmrescue.interrupts import checkpoint
from vmrescue.plan import FileRef
from vmrescue.progress import work
from vmrescue.readers.file_system import chunks
from vmrescue.registry.base_block import LOG_SUFFIXES
from vmrescue.transaction.deeds.deed import find_volume
from vmrescue.windows import Installation
from vmrescue.windows.boot_store import BIOS_STORE, UEFI_STORE
from vmrescue.windows.places import find_windows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from vmrescue.progress import Work
    from vmrescue.windows import Disk, OperatingSystem

MANIFEST = "manifest.json"
SCHEMA = "vmrescue.backup/1"
AS_STORED = ".as-stored"  # behind the name of a copy that is no content (`FileSystem.stored`)


@typed
def back_up(
    files: Iterable[FileRef],
    disks: list[Disk],
    folder: Path,
    image: str | None = None,
    unread: dict[FileRef, str] | None = None,
) -> list[dict[str, Any]]:
    """Copies files of the image, and the logs beside them, into `folder`, with a manifest; returns its rows.

    `image` is its name for the manifest, where that is not the disk's path.

    Every file written is read back before it counts. What WOF has compressed is copied as it is stored, to a name that
    says so.

    Args:
        unread: where given, only contents are copied; a file whose content cannot be read is left out, its reason is
            put here and into the manifest, and all others are copied.

    Raises:
        VmRescueError: a file cannot be read; where `unread` is given, none can.
        WriteError: the folder cannot take them.
        RefusedError: a link in the folder leads elsewhere.
    """
    wanted = dict.fromkeys(each for file in files for each in _with_logs(file, disks))
    made: list[Path] = []
    try:
        make_folder(folder.parent)  # for good: the undo journal may come to lie in there too
        if not folder.exists():
            folder.mkdir(mode=0o700)
            made.append(folder)
        if unread is None:
            for file in wanted:  # what cannot be read is said before anything is written
                find_volume(disks, file).files.stored(file.path)
            places = _places(wanted, disks)
        else:
            places = local_paths(wanted)
        with work("backing up", sum(_size(file, disks) for file in wanted)) as now:
            rows = [
                row
                for file, local in places.items()
                if (row := _copy_if_read(file, disks, folder, local, now, made, unread)) is not None
            ]
        if unread and not rows:
            raise UnsupportedError("; ".join(unread.values()))
        missing = [_place(file) | {"because": why} for file, why in (unread or {}).items()]
        document = {"schema": SCHEMA, "image": image or disks[0].path, "files": rows}
        text = json.dumps(document | ({"missing": missing} if missing else {}), indent=2)
        with (folder / MANIFEST).open("x", encoding="utf-8") as stream:
            made.append(folder / MANIFEST)
            stream.write(text + "\n")
    except BaseException as error:  # an interrupt too: half a backup would be taken for one
        _take_away(made)
        if not isinstance(error, OSError | WriteError):
            raise
        raise WriteError(f"no backup can be written to {folder}: {_why(error)}") from error
    return rows


def _take_away(made: list[Path]) -> None:
    """Deletes what was made, the last first. What the operating system keeps, stays."""
    for path in reversed(made):
        with suppress(OSError):
            path.rmdir() if path.is_dir() else path.unlink()


def _why(error: OSError | WriteError) -> str:
    if isinstance(error, FileExistsError):
        return f"{os.fsdecode(error.filename)} is there already"
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


@typed
def configuration_files(disks: list[Disk], name: str | None = None) -> list[FileRef]:
    """What the procedure copies away before anything is edited: the files of the config folder, and the boot store.

    Of a disk without a Windows, or where a volume is named (its number or letter): what of them lies on that volume.
    """
    if name is not None:
        return _on_volume(find_windows(disks[0], name))
    installation = Installation.of(disks)
    windows = installation.os
    stores = [
        FileRef(store.volume.disk_index, store.volume.partition.number, store.path) for store in installation.stores
    ]
    if not stores and windows is None:
        return _on_volume(find_windows(disks[0], None))
    return [*stores, *(_hives(windows) if windows else ())]


def _hives(windows: OperatingSystem) -> list[FileRef]:
    volume = windows.volume
    names = [entry.name for entry in volume.files.entries(windows.config) if not entry.is_directory]
    return [FileRef(volume.disk_index, volume.partition.number, f"{windows.config}\\{name}") for name in names]


def _on_volume(windows: OperatingSystem) -> list[FileRef]:
    volume = windows.volume
    stores = [path for path in (BIOS_STORE, UEFI_STORE) if volume.files.size_of(path) is not None]
    found = [FileRef(volume.disk_index, volume.partition.number, path) for path in stores]
    with suppress(NotFoundError):
        found += _hives(windows)
    if not found:
        raise NotFoundError(f"there is nothing to back up on {volume}: no boot store, and no \\{windows.config}")
    return found


def _with_logs(file: FileRef, disks: list[Disk]) -> list[FileRef]:
    """The file, and those of its transaction logs that are there."""
    files = find_volume(disks, file).files
    logs = [FileRef(file.disk, file.partition, file.path + suffix) for suffix in LOG_SUFFIXES]
    return [file, *(log for log in logs if files.size_of(log.path) is not None)]


def _copy_if_read(
    file: FileRef,
    disks: list[Disk],
    folder: Path,
    local: str,
    now: Work,
    made: list[Path],
    unread: dict[FileRef, str] | None,
) -> dict[str, Any] | None:
    """Copies a file; None, and nothing of it stays, where it cannot be read and that is to be told in `unread`."""
    count = len(made)
    try:
        if unread is not None:
            find_volume(disks, file).files.open(file.path)
        return _copy(file, disks, folder, local, now, made)
    except (WriteError, RefusedError):
        raise
    except VmRescueError as error:
        if unread is None:
            raise
        _take_away(made[count:])
        del made[count:]
        unread[file] = str(error)
        return None


def _size(file: FileRef, disks: list[Disk]) -> int:
    """In bytes; of a file whose record cannot be read, 0: reading it says so."""
    with suppress(VmRescueError):
        return find_volume(disks, file).files.size_of(file.path) or 0
    return 0


def _place(file: FileRef) -> dict[str, Any]:
    return {"disk": file.disk, "partition": file.partition, "path": file.path}


def _copy(file: FileRef, disks: list[Disk], folder: Path, local: str, now: Work, made: list[Path]) -> dict[str, Any]:
    target = folder / local
    made += [each for each in reversed(target.parents) if not each.exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.parent.resolve().is_relative_to(folder.resolve()):
        raise RefusedError(f"{target.parent} is a link out of the backup's folder")
    digest = hashlib.sha256()
    target.touch(mode=0o600, exist_ok=False)  # SAM and SECURITY hold the machine's secrets
    made.append(target)
    with target.open("wb") as stream:
        content = chunks(find_volume(disks, file).files.stored(file.path))
        write_sparse(stream, _hashed(content, digest, now))
    copied = file_sha256(target)
    if copied != digest.hexdigest():
        raise WriteError(f"{target} does not hold what was written to it")
    return _place(file) | {
        "copy": local,
        "bytes": target.stat().st_size,
        "sha256": copied,
    }


def _hashed(pieces: Iterable[bytes], digest: hashlib._Hash, now: Work) -> Iterator[bytes]:
    for piece in pieces:
        checkpoint()
        digest.update(piece)
        now.advance(len(piece))
        yield piece


def _places(files: Iterable[FileRef], disks: list[Disk]) -> dict[FileRef, str]:
    return {
        file: local + AS_STORED if find_volume(disks, file).why_not_read(file.path) else local
        for file, local in local_paths(files).items()
    }


def local_paths(files: Iterable[FileRef]) -> dict[FileRef, str]:
    """Where each file's copy goes in the folder: no two to names that are one where case does not matter."""
    paths: dict[FileRef, str] = {}
    taken: set[str] = set()
    for file in files:
        path = first = _local_path(file)
        number = 2
        while path.casefold() in taken:
            path, number = f"{first}~{number}", number + 1
        taken.add(path.casefold())
        paths[file] = path
    return paths


def _local_path(file: FileRef) -> str:
    """``partition3/Windows/System32/config/SYSTEM``: the path on the volume, made of harmless names."""
    disk = f"disk{file.disk}-" if file.disk else ""
    return "/".join([f"{disk}partition{file.partition}", *map(harmless, file_path.split(file.path))])
