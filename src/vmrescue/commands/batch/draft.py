"""The disks as the lines so far leave them, in memory: files, hives, names of hives. Each line sees them so.

What comes of all lines in the end is one plan: it says of each file and each value how it was and how it is to be, not
how the lines got there.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from vmrescue.commands.batch.draft_files import DraftFiles
from vmrescue.commands.reg.current_control_set import through_select_in
from vmrescue.commands.reg.hive_names import HiveNames
from vmrescue.commands.reg.key_name import KeyName
from vmrescue.commands.reg.loaded_hives import LoadedHives
from vmrescue.commands.reg.registry_changes import EditedHive
from vmrescue.errors import NotFoundError, RefusedError
from vmrescue.plan import CreateKey, DeleteKey, DeleteValue, FileRef, SetValue
from vmrescue.registry import Hive, operations
from vmrescue.registry.mounts import mount_of
from vmrescue.upcase import upper
from vmrescue.windows.named_paths import NamedPaths
from vmrescue.windows.registry_file import RegistryFile

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from vmrescue.plan import Change
    from vmrescue.registry.operations import Operation
    from vmrescue.volumes.disk import Volume
    from vmrescue.windows import Installation

ON_A_DISK = re.compile(r"[A-Za-z]:|[\\/%]")


class Draft:
    """Starts with an installation as it is.

    Args:
        read_beside: gives the content of a file of this machine, which a line names without a drive.
        others: drives' letters that are said to be another machine's.

    Attributes:
        line: the number of the line that is being done.
        left: what `changes` left out, each with the line that asked for it.
        defragmented: the volumes that are to be defragmented, each with the line, and whether free space is wanted too.
    """

    def __init__(
        self, installation: Installation, read_beside: Callable[[str], bytes], others: Collection[str] = ()
    ) -> None:
        self.installation = installation
        self.read_beside = read_beside
        self.paths = NamedPaths(installation, others)
        self.files = DraftFiles()
        self.loaded = LoadedHives()
        self.registry = DraftNames(self)
        self.left: list[tuple[int, str]] = []
        self.defragmented: list[tuple[int, Volume, bool]] = []
        self._hives: dict[FileRef, _DraftHive] = {}

    @property
    def line(self) -> int:
        return self.files.line

    @line.setter
    def line(self, number: int) -> None:
        self.files.line = number

    def file(self, text: str) -> tuple[Volume, str]:
        """The volume and path of a file that is there now. Raises NotFoundError, RefusedError."""
        return self.paths.find(text, self.files.is_file, "file")

    def folder(self, text: str) -> tuple[Volume, str]:
        """The same of a folder."""
        return self.paths.find(text, self.files.is_folder, "folder")

    def target(self, text: str) -> tuple[Volume, str]:
        """Where something is to be written: a file or folder that is there, or a place in a folder that is."""
        try:
            return self.paths.find(text, self.files.is_there, "file or folder")
        except NotFoundError:
            if text.endswith(("\\", "/")):
                raise
        return self.paths.find(text, lambda volume, path: self.files.is_folder(volume, _above(path)), "folder for it")

    def content(self, text: str) -> bytes:
        """What a file holds now: one of the disks where a drive is named, or one of this machine, beside the lines."""
        return self.files.read(*self.file(text)) if ON_A_DISK.match(text) else self.read_beside(text)

    def write(self, volume: Volume, path: str, data: bytes) -> None:
        """Gives a file a content. Raises RefusedError where lines have edited it as a hive."""
        self.take(volume, path)
        self.files.put(volume, path, data)

    def take(self, volume: Volume, path: str) -> None:
        """Before a file is replaced, renamed or deleted. Raises RefusedError where lines have edited it as a hive."""
        ref = self._ref(volume, path)
        hive = self._hives.pop(ref, None)
        if hive is not None and hive.is_edited:
            raise RefusedError(f"a line before this one edits the hive \\{path}: put this line before it")

    def read(self, volume: Volume, path: str) -> bytes:
        """A file to be copied. Raises as `take`: the bytes of a hive that is edited are not known yet."""
        self.take(volume, path)
        return self.files.read(volume, path)

    def hive(self, volume: Volume, path: str) -> Hive:
        """A hive as it is now. Raises NotFoundError where a line has taken it away."""
        return self._draft_hive(volume, path).hive

    def edit(self, volume: Volume, path: str, wanted: Iterable[Operation]) -> None:
        """Does operations whose paths are those of the hive. Raises as the editor does."""
        hive = self._draft_hive(volume, path)
        for operation in wanted:
            hive.apply(operation, self.line)
        if isinstance(hive, _NewHive):
            self.files.put(volume, path, hive.hive.to_bytes())

    def changes(self) -> Iterator[tuple[int, Volume, Change]]:
        """What all lines come to: each change with the line that asked for it last, and its volume."""
        found = [*self.files.changes(), *(each for hive in self._hives.values() for each in hive.changes())]
        yield from found
        changed = {self._ref(volume, change.file.path) for _, volume, change in found}
        for line, volume, change in self.files.attribute_changes():
            path = change.file.path
            if self._ref(volume, path) in changed or not volume.files.entry(path):
                self.left.append(
                    (line, f"the attributes of {change.file} stay as they are: other lines write that file")
                )
            else:
                yield line, volume, change

    def _draft_hive(self, volume: Volume, path: str) -> _DraftHive:
        ref = self._ref(volume, path)
        if ref not in self._hives:
            if self.files.is_as_it_was(volume, path):
                self._hives[ref] = _OldHive(RegistryFile.of(volume, volume.files.spelled(path)))
            else:
                self._hives[ref] = _NewHive(self.files.read(volume, path), path, volume)
        return self._hives[ref]

    @staticmethod
    def _ref(volume: Volume, path: str) -> FileRef:
        """A file by a name that is the same whatever its case."""
        return FileRef(volume.disk_index, volume.partition.number, upper(path))


class _OldHive:
    """A hive in a file as it was: its edits are changes of keys and values."""

    def __init__(self, file: RegistryFile) -> None:
        self._volume = file.volume
        self._edited = EditedHive(file)
        self._lines: dict[tuple[str, str | None], int] = {}  # which line had to do with a value, or a key, last

    @property
    def hive(self) -> Hive:
        return self._edited.hive

    @property
    def is_edited(self) -> bool:
        return next(iter(self._edited.changes()), None) is not None

    def apply(self, operation: Operation, line: int) -> None:
        self._edited.apply(operation)
        name = operation.name if isinstance(operation, operations.SetValue | operations.DeleteValue) else None
        self._lines[_named(operation.path, name)] = line

    def changes(self) -> Iterator[tuple[int, Volume, Change]]:
        for change in self._edited.changes():
            yield self._line_of(change), self._volume, change

    def _line_of(self, change: Change) -> int:
        """That which named the value, or else its key, or else one above or below that."""
        if not isinstance(change, SetValue | DeleteValue | CreateKey | DeleteKey):
            return max(self._lines.values())
        name = change.name if isinstance(change, SetValue | DeleteValue) else None
        key, _ = place = _named(change.key, name)
        near = [line for (path, _), line in self._lines.items() if key.startswith(path) or path.startswith(key)]
        return self._lines.get(place) or self._lines.get((key, None)) or max(near)


def _named(path: str, name: str | None) -> tuple[str, str | None]:
    """A value, or (None) a key; in capitals, since that is how they are told apart."""
    return f"{upper(path)}\\", None if name is None else upper(name)


class _NewHive:
    """A hive in a file that a line has written: its edits are part of what is written."""

    def __init__(self, content: bytes, path: str, volume: Volume) -> None:
        self.hive = Hive(content, name=f"the hive \\{path} on {volume}", mount=mount_of(path, b""))

    is_edited = False  # the file has them already

    def apply(self, operation: Operation, _line: int) -> None:
        operations.make(self.hive, [operation])

    def changes(self) -> Iterator[tuple[int, Volume, Change]]:
        """They are the file's."""
        return iter(())


_DraftHive = _OldHive | _NewHive


class DraftNames(HiveNames):
    """The guest's names of hives, and those that lines have loaded, for the hives of a draft."""

    def __init__(self, draft: Draft) -> None:
        super().__init__(draft.installation, draft.loaded)
        self._draft = draft

    def hive(self, file: RegistryFile) -> Hive:
        return self._draft.hive(file.volume, file.path)

    def control_set_path(self, file: RegistryFile, path: str) -> str:
        return through_select_in(self.hive(file), path)

    def edit(self, wanted: Iterable[Operation], view: int) -> None:
        """Does operations whose paths are the registry's full names."""
        for operation in wanted:
            file, path = self.place(KeyName.parse(operation.path), view)
            self._draft.edit(file.volume, file.path, [replace(operation, path=path)])


def _above(path: str) -> str:
    return path.rpartition("\\")[0]
