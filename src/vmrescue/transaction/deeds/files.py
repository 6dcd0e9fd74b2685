"""Files deleted, made, renamed, and given another content or other attributes; folders made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.arguments import typed
from vmrescue.digests import sha256
from vmrescue.errors import NotFoundError, RepairFailedError
from vmrescue.readers.file_system import FLAGS, bits_of, chunks
from vmrescue.transaction.deeds.deed import find_volume
from vmrescue.transaction.stale import gone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vmrescue.plan import DeleteFile, MakeFolder, PutFile, RenameFile, SetAttributes
    from vmrescue.transaction.deeds.deed import Bench
    from vmrescue.windows import Disk, Volume


MOST_TOGETHER = 64  # files deleted by one edit, which holds their records in memory


class _Delete:
    whole = True
    together = MOST_TOGETHER

    def apply(self, changes: Sequence[DeleteFile], bench: Bench) -> None:
        file = changes[0].file
        try:
            bench.editor(file).delete(*(change.file.path for change in changes))
        except NotFoundError as error:
            if len(changes) == 1:
                raise gone(file, error) from error
            for change in changes:  # none was deleted: one by one they tell which is missing
                self.apply([change], bench)
        bench.restructured(file)

    def confirm(self, changes: Sequence[DeleteFile], disks: list[Disk]) -> None:
        file = changes[0].file
        files = find_volume(disks, file).files
        # another file may be left whose name differs only in case
        if files.size_of(file.path) is not None and files.spelled(file.path) == file.path:
            raise RepairFailedError(f"{file} is still there")

    def backs_up(self, changes: Sequence[DeleteFile]) -> bool:
        return False  # what is deleted is in the journal: a page file would fill the backup


class _Put:
    whole = True
    together = 1

    def apply(self, changes: Sequence[PutFile], bench: Bench) -> None:
        [change] = changes
        editor, path = bench.editor(change.file), change.file.path
        try:
            (editor.create_file if change.before is None else editor.write_file)(path, change.data)
        except NotFoundError as error:
            if change.before is None:
                raise
            raise gone(change.file, error) from error
        bench.restructured(change.file)

    def confirm(self, changes: Sequence[PutFile], disks: list[Disk]) -> None:
        file = changes[0].file
        if file_hash(find_volume(disks, file), file.path) != sha256([changes[0].data]):
            raise RepairFailedError(f"the readers do not see in {file} what was written to it")

    def backs_up(self, changes: Sequence[PutFile]) -> bool:
        return changes[0].before is not None


class _Rename:
    whole = True
    together = 1

    def apply(self, changes: Sequence[RenameFile], bench: Bench) -> None:
        [change] = changes
        try:
            bench.editor(change.file).rename(change.file.path, change.after)
        except NotFoundError as error:
            raise gone(change.file, error) from error
        bench.restructured(change.file)

    def confirm(self, changes: Sequence[RenameFile], disks: list[Disk]) -> None:
        [change] = changes
        volume = find_volume(disks, change.file)
        folder = change.file.path.rpartition("\\")[0]
        entries = {entry.name for entry in volume.files.entries(folder)}
        renamed = f"{folder}\\{change.after}".lstrip("\\")
        if change.file.path.rpartition("\\")[2] in entries:
            raise RepairFailedError(f"{change.file} still has its name")
        if change.after not in entries or file_hash(volume, renamed) != change.before:
            raise RepairFailedError(f"the readers do not see {change.file} as {change.after}")

    def backs_up(self, changes: Sequence[RenameFile]) -> bool:
        return False  # its content stays


class _Folder:
    whole = True
    together = 1

    def apply(self, changes: Sequence[MakeFolder], bench: Bench) -> None:
        [change] = changes
        bench.editor(change.file).create_directory(change.file.path)
        bench.restructured(change.file)

    def confirm(self, changes: Sequence[MakeFolder], disks: list[Disk]) -> None:
        file = changes[0].file
        nature = find_volume(disks, file).files.nature(file.path)
        if nature is None or not nature.directory:
            raise RepairFailedError(f"the readers do not see the folder {file}")

    def backs_up(self, changes: Sequence[MakeFolder]) -> bool:
        return False


class _Attributes:
    whole = True
    together = 1

    def apply(self, changes: Sequence[SetAttributes], bench: Bench) -> None:
        [change] = changes
        try:
            bench.editor(change.file).set_attributes(change.file.path, change.after, sum(FLAGS))
        except NotFoundError as error:
            raise gone(change.file, error) from error
        bench.restructured(change.file)

    def confirm(self, changes: Sequence[SetAttributes], disks: list[Disk]) -> None:
        [change] = changes
        if attributes_of(find_volume(disks, change.file), change.file.path) != change.after:
            raise RepairFailedError(f"the readers do not see the attributes of {change.file} that were set")

    def backs_up(self, changes: Sequence[SetAttributes]) -> bool:
        return False  # its content stays


DELETE, PUT, RENAME, FOLDER, ATTRIBUTES = _Delete(), _Put(), _Rename(), _Folder(), _Attributes()


def attributes_of(volume: Volume, path: str) -> int | None:
    """Whether a file or folder is read-only, hidden or a system's, as the reader sees it; None where there is none."""
    entry = volume.files.entry(path)
    return bits_of(entry.flags) if entry else None


@typed
def file_hash(volume: Volume, path: str) -> str | None:
    """The SHA-256 of a file's content, or stored form (`FileSystem.stored`), as the reader sees it; None where there is
    no such file.
    """
    if volume.files.size_of(path) is None:
        return None
    return sha256(chunks(volume.files.stored(path)))
