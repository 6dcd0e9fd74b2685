"""Copies of what a repair will edit, made before it does: the hives, the boot store, their logs, and a manifest."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from vmrescue.errors import RefusedError
from vmrescue.transaction.apply import find_volume
from vmrescue.windows.file_system import chunks, harmless, parts_of
from vmrescue.windows.registry_file import LOG_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from vmrescue.plan import FileRef
    from vmrescue.windows import Disk, Volume

MANIFEST = "manifest.json"
SCHEMA = "vmrescue.backup/1"


def back_up(files: Iterable[FileRef], disks: list[Disk], folder: Path) -> list[dict[str, Any]]:
    """Copies hives and their logs from the image into `folder`, with a manifest; returns the manifest's rows.

    Every file written is read back before it counts. Raises RefusedError where the folder cannot take them.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        rows = [
            _copy(file, volume, path, folder / _local_path(file, path))
            for file in files
            for volume in [find_volume(disks, file)]
            for path in _with_logs(volume, file.path)
        ]
        text = json.dumps({"schema": SCHEMA, "image": disks[0].path, "files": rows}, indent=2)
        (folder / MANIFEST).write_text(text + "\n")
    except OSError as error:
        raise RefusedError(f"nothing was changed: no backup can be written to {folder}: {error.strerror}") from error
    return rows


def _with_logs(volume: Volume, path: str) -> Iterator[str]:
    yield path
    yield from (path + suffix for suffix in LOG_SUFFIXES if volume.files.size_of(path + suffix) is not None)


def _local_path(file: FileRef, path: str) -> str:
    """``partition3/Windows/System32/config/SYSTEM``: the path on the volume, made of harmless names."""
    disk = f"disk{file.disk}-" if file.disk else ""
    return "/".join([f"{disk}partition{file.partition}", *map(harmless, parts_of(path))])


def _copy(file: FileRef, volume: Volume, path: str, target: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    size = 0
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as stream:
        for chunk in chunks(volume.files.open(path)):
            stream.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    copied = hashlib.sha256(target.read_bytes()).hexdigest()
    if copied != digest.hexdigest():
        raise RefusedError(f"the backup {target} does not hold what was written to it; nothing was changed")
    return {
        "disk": file.disk,
        "partition": file.partition,
        "path": path,
        "copy": _local_path(file, path),
        "bytes": size,
        "sha256": copied,
    }
