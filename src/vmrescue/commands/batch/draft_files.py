"""The files of the disks as the lines so far leave them, and the changes that this comes to.

Each path is looked at as it was and as it is now. So a file that is put aside and put back is no change, and one that
is renamed, with another one put in its place, is two files written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vmrescue.dataclass import dataclass
from vmrescue.digests import sha256
from vmrescue.errors import NotFoundError, RefusedError, UsageError
from vmrescue.plan import DeleteFile, FileRef, MakeFolder, PutFile, RenameFile, SetAttributes, schema
from vmrescue.readers.file_system import bits_of, chunks, whole
from vmrescue.upcase import upper

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.plan import Change
    from vmrescue.volumes.disk import Volume

LARGEST = 256 << 20  # bytes of a file that is copied: it is in memory several times over


class Place(NamedTuple):
    """A path on a volume, in capitals, by which it is known whatever its case."""

    disk: int
    partition: int
    path: str


@dataclass(frozen=True)
class _Now:
    """A path that a line has to do with.

    Attributes:
        path: as it is spelled.
        line: which line.
        origin: whose content it has, as that file was at first; None where it has its own, or there is no file now.
        data: its own content.
    """

    path: str
    line: int
    origin: str | None = None
    data: bytes | None = None

    @property
    def is_there(self) -> bool:
        return self.origin is not None or self.data is not None


class DraftFiles:
    """Starts with the files as they are. `line` is the number of the line that is being done."""

    def __init__(self) -> None:
        self.line = 0
        self._now: dict[Place, _Now] = {}
        self._folders: dict[Place, _Now] = {}
        self._attributes: dict[Place, tuple[int, str, int]] = {}  # the line, the path, and what they are to be
        self._volumes: dict[tuple[int, int], Volume] = {}

    def is_file(self, volume: Volume, path: str) -> bool:
        now = self._now.get(self._place(volume, path))
        return now.is_there if now else volume.has_file(path)

    def is_folder(self, volume: Volume, path: str) -> bool:
        return self._place(volume, path) in self._folders or volume.has_folder(path)

    def is_there(self, volume: Volume, path: str) -> bool:
        """Whether there is a file or folder of this path."""
        return self.is_file(volume, path) or self.is_folder(volume, path)

    def is_as_it_was(self, volume: Volume, path: str) -> bool:
        """Whether no line so far has replaced, renamed or deleted the file."""
        now = self._now.get(self._place(volume, path))
        return now is None or (now.data is None and now.origin is not None and upper(now.origin) == upper(path))

    def read(self, volume: Volume, path: str) -> bytes:
        """A file's content. Raises NotFoundError, UnsupportedError where it is too much to be held."""
        now = self._now.get(self._place(volume, path))
        if now is not None and not now.is_there:
            raise NotFoundError(f"line {now.line} takes \\{path} away")
        if now is not None and now.data is not None:
            return now.data
        origin = (now.origin if now else None) or path
        return whole(volume.files.open(origin), origin, LARGEST)

    def put(self, volume: Volume, path: str, data: bytes) -> None:
        self._set(volume, path, _Now(self._spelled(volume, path), self.line, data=data))

    def delete(self, volume: Volume, path: str) -> None:
        self._set(volume, path, _Now(self._spelled(volume, path), self.line))

    def delete_listed(self, volume: Volume, folder: str, name: str) -> str:
        """Deletes one of `files_in`, which is known to be there. Returns its path."""
        path = f"{folder}\\{name}".lstrip("\\")
        self._now[self._place(volume, path)] = _Now(path, self.line)
        return path

    def rename(self, volume: Volume, path: str, name: str) -> None:
        """Gives a file another name in its folder."""
        before = self._now.get(self._place(volume, path)) or _Now(path, 0, origin=volume.files.spelled(path))
        self.delete(volume, path)
        folder = path.rpartition("\\")[0]
        new = f"{folder}\\{name}".lstrip("\\")
        self._set(volume, new, _Now(new, self.line, before.origin, before.data))

    def make_folder(self, volume: Volume, path: str) -> None:
        _check(path)
        self._folders[self._place(volume, path)] = _Now(path, self.line)

    def files_in(self, volume: Volume, folder: str) -> list[str]:
        """The names of a folder's files."""
        names = {}
        if volume.has_folder(folder):
            entries = volume.files.entries(folder)
            names = {upper(entry.name): entry.name for entry in entries if not entry.is_directory}
        above = self._place(volume, folder)
        for place, now in self._now.items():
            parent, _, name = now.path.rpartition("\\")
            if place[:2] == above[:2] and upper(parent) == above.path:
                names.pop(upper(name), None)
                if now.is_there:
                    names[upper(name)] = name
        return sorted(names.values(), key=upper)

    def attributes(self, volume: Volume, path: str) -> int:
        """Whether a file or folder is read-only, hidden or a system's, as bits; 0 for what lines have made."""
        if (place := self._place(volume, path)) in self._attributes:
            return self._attributes[place][2]
        entry = volume.files.entry(path)
        return bits_of(entry.flags) if entry else 0

    def attributes_in(self, volume: Volume, folder: str) -> dict[str, int]:
        """What lines have set in a folder, by the names in capitals."""
        above = self._place(volume, folder)
        found = {}
        for place, (_, _, bits) in self._attributes.items():
            parent, _, name = place.path.rpartition("\\")
            if (*place[:2], parent) == above:
                found[name] = bits
        return found

    def set_attributes(self, volume: Volume, path: str, attributes: int) -> None:
        self._attributes[self._place(volume, path)] = self.line, volume.files.spelled(path), attributes

    def attribute_changes(self) -> Iterator[tuple[int, Volume, SetAttributes]]:
        """As `changes`, of attributes alone: also where something else of a file is changed, or it is new."""
        for place, (line, path, after) in self._attributes.items():
            volume = self._volumes[place[:2]]
            entry = volume.files.entry(path)
            before = bits_of(entry.flags) if entry else 0
            if before != after:
                yield line, volume, SetAttributes(self._ref(place, path), before, after)

    def changes(self) -> Iterator[tuple[int, Volume, Change]]:
        """Each change with the line that asked for it last, folders first. Raises as `read`."""
        for place, now in self._folders.items():
            self.line = now.line
            yield now.line, self._volumes[place[:2]], MakeFolder(self._ref(place, now.path))
        renames = self._renames()
        renamed = {name for name, _ in renames.values()}
        for place, now in self._now.items():
            volume, self.line = self._volumes[place[:2]], now.line
            if place in renames:
                digest = sha256(chunks(volume.files.stored(now.path)))
                yield now.line, volume, RenameFile(self._ref(place, now.path), digest, renames[place][1])
            elif place not in renamed and (change := self._change(place, now, volume)) is not None:
                yield now.line, volume, change

    def _change(self, place: Place, now: _Now, volume: Volume) -> Change | None:
        size = volume.files.size_of(now.path)
        ref = self._ref(place, now.path)
        if not now.is_there:
            return None if size is None else DeleteFile(ref, size)
        if now.data is None and now.origin is not None and upper(now.origin) == place.path:
            return None
        data = now.data if now.data is not None else whole(volume.files.open(now.origin or ""), now.path, LARGEST)
        before = None if size is None else sha256(chunks(volume.files.stored(now.path)))
        return None if before == sha256([data]) else PutFile(ref, before, data)

    def _renames(self) -> dict[Place, tuple[Place, str]]:
        """Files that have got a name that none had at first, and whose own name none has now: by that, the new one."""
        found = {}
        for place, now in self._now.items():
            if now.data is not None or now.origin is None or upper(now.origin) == place.path:
                continue
            old = Place(place.disk, place.partition, upper(now.origin))
            was_free = not self._volumes[place[:2]].has_file(now.path)
            if was_free and old in self._now and not self._now[old].is_there:
                found[old] = place, now.path.rpartition("\\")[2]
        return found

    def _set(self, volume: Volume, path: str, now: _Now) -> None:
        _check(path)
        folder = path.rpartition("\\")[0]
        if not self.is_folder(volume, folder):
            raise NotFoundError(f"there is no folder \\{folder} on {volume}")
        if self.is_folder(volume, path):
            raise RefusedError(f"\\{path} on {volume} is a folder")
        self._now[self._place(volume, path)] = now

    def _spelled(self, volume: Volume, path: str) -> str:
        return volume.files.spelled(path) if volume.has_file(path) else path

    def _place(self, volume: Volume, path: str) -> Place:
        self._volumes[volume.disk_index, volume.partition.number] = volume
        return Place(volume.disk_index, volume.partition.number, upper(path))

    @staticmethod
    def _ref(place: Place, path: str) -> FileRef:
        return FileRef(place.disk, place.partition, path)


def _check(path: str) -> None:
    """Raises UsageError where a name in a path is none that Windows allows."""
    try:
        schema.file_path(path)
    except ValueError as error:
        raise UsageError(str(error)) from error
