"""A disk that loses its power: what the operating system was asked to do is recorded, then a crash is played.

The model is the one against which databases are tested. Bytes written to a file last only once the file is synced;
names made, changed or removed in a folder, only once the folder is. Until then a crash may keep or lose each write on
its own, keep only some sectors of it, and keep any number of a folder's changes in the order in which they were made.
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")

SECTOR = 512
PIECE = 1 << 16
ZEROS = bytes(PIECE)

POLICIES = ("keep", "lose", "only data", "only names", "chance", "chance again", "torn")


@dataclass
class Action:
    """One thing that the operating system was asked to do to a file or folder, which `target` stands for."""

    kind: str  # write, truncate, sync; create, rename, unlink, mkdir, sync-folder
    target: int
    offset: int = 0
    data: bytes = b""
    name: str = ""
    other: str = ""
    child: int = 0

    @property
    def is_name(self) -> bool:
        return self.kind in ("create", "rename", "unlink", "mkdir")


class Content:
    """A file's bytes: those pieces of it that are not all zero. Copies share what they do not change."""

    def __init__(self, content: bytes = b"") -> None:
        self.size = len(content)
        pieces = ((start // PIECE, content[start : start + PIECE]) for start in range(0, len(content), PIECE))
        self._pieces = {number: piece for number, piece in pieces if piece != ZEROS[: len(piece)]}

    def copy(self) -> Content:
        other = Content()
        other.size, other._pieces = self.size, dict(self._pieces)
        return other

    def change(self, action: Action) -> None:
        """What a write or a truncation does."""
        if action.kind == "truncate":
            self._cut(action.offset)
            self.size = action.offset
        self._put(action.offset, action.data)
        self.size = max(self.size, action.offset + len(action.data))

    def _cut(self, size: int) -> None:
        """What is beyond `size` is zero when the file grows again."""
        for number in [number for number in self._pieces if (number + 1) * PIECE > size]:
            self._pieces[number] = self._pieces[number][: max(0, size - number * PIECE)]
            if not self._pieces[number]:
                del self._pieces[number]

    def _put(self, at: int, data: bytes) -> None:
        while data:
            number, within = divmod(at, PIECE)
            part = data[: PIECE - within]
            old = self._pieces.get(number, b"").ljust(within + len(part), b"\0")
            self._pieces[number] = old[:within] + part + old[within + len(part) :]
            at, data = at + len(part), data[len(part) :]

    def print_of(self) -> object:
        """Two of the same are of the same content. Python keeps the hash of a piece, which most contents share."""
        return self.size, frozenset((number, hash(piece)) for number, piece in self._pieces.items())

    def write_to(self, path: Path) -> None:
        """Leaves holes where it is zero: images are mostly that, and there are hundreds of crashes."""
        with path.open("wb") as file:
            for number, piece in self._pieces.items():
                file.seek(number * PIECE)
                file.write(piece)
            file.truncate(self.size)


class Recording:
    """The files below a folder as they were at first, and everything that was done to them since."""

    def __init__(self, root: Path) -> None:
        self.files: dict[int, Content] = {}
        self.folders: dict[int, dict[str, int]] = {}
        self.actions: list[Action] = []
        self._numbers: dict[int, int] = {}  # inode -> what stands for it here; inodes are used again
        self._next = itertools.count()
        self.top = self._take_in(root)

    def _take_in(self, path: Path) -> int:
        number = self.add(path)
        if path.is_dir():
            self.folders[number] = {each.name: self._take_in(each) for each in path.iterdir()}
        else:
            self.files[number] = Content(path.read_bytes())
        return number

    def add(self, path: Path) -> int:
        """A number for a file or folder that is new."""
        self._numbers[path.stat().st_ino] = number = next(self._next)
        return number

    def number(self, path: Path) -> int:
        return self._numbers[path.stat().st_ino]

    def note(self, kind: str, target: Path, **more: Any) -> None:
        self.actions.append(Action(kind, self.number(target), **more))

    def note_name(self, kind: str, path: Path, **more: Any) -> None:
        self.note(kind, path.parent, name=path.name, **more)


@contextmanager
def recorded(root: Path) -> Iterator[Recording]:
    """Records all that is done, through Python's `os`, to files and folders: only to those below `root`, please."""
    recording = Recording(root)
    real_open, real_write, real_pwrite, real_fsync = os.open, os.write, os.pwrite, os.fsync
    real_truncate, real_rename, real_unlink, real_mkdir = os.ftruncate, os.rename, os.unlink, os.mkdir

    def opened(file: int) -> Path:
        return Path(f"/proc/self/fd/{file}")

    def fake_open(path: Any, flags: int, mode: int = 0o777, **more: Any) -> int:
        new = flags & os.O_CREAT and not Path(path).exists()
        file = real_open(path, flags, mode, **more)
        if new:
            child = recording.add(opened(file))
            recording.files[child] = Content()
            recording.note_name("create", Path(path), child=child)
        return file

    def fake_write(file: int, data: Any) -> int:
        offset = os.lseek(file, 0, os.SEEK_CUR)
        done = real_write(file, data)
        recording.note("write", opened(file), offset=offset, data=bytes(data)[:done])
        return done

    def fake_pwrite(file: int, data: Any, offset: int) -> int:
        done = real_pwrite(file, data, offset)
        recording.note("write", opened(file), offset=offset, data=bytes(data)[:done])
        return done

    def fake_ftruncate(file: int, size: int) -> None:
        real_truncate(file, size)
        recording.note("truncate", opened(file), offset=size)

    def fake_fsync(file: int) -> None:
        real_fsync(file)
        recording.note("sync-folder" if opened(file).is_dir() else "sync", opened(file))

    def fake_rename(source: Any, target: Any) -> None:
        assert Path(source).parent == Path(target).parent, "the model knows renaming within a folder only"
        recording.note_name("rename", Path(source), other=Path(target).name)
        real_rename(source, target)

    def fake_unlink(path: Any) -> None:
        recording.note_name("unlink", Path(path))
        real_unlink(path)

    def fake_mkdir(path: Any, mode: int = 0o777) -> None:
        real_mkdir(path, mode)
        child = recording.add(Path(path))
        recording.folders[child] = {}
        recording.note_name("mkdir", Path(path), child=child)

    with mock.patch.multiple(
        os,
        open=fake_open,
        write=fake_write,
        pwrite=fake_pwrite,
        fsync=fake_fsync,
        ftruncate=fake_ftruncate,
        rename=fake_rename,
        unlink=fake_unlink,
        mkdir=fake_mkdir,
    ):
        yield recording


@dataclass(frozen=True)
class State:
    """What a disk holds after a crash: the folders below `top`, each with the numbers of its names."""

    top: int
    folders: dict[int, dict[str, int]]
    contents: dict[int, Content]

    def print_of(self) -> object:
        """Two states of the same hold the same files, under the same names."""
        return self._print_of(self.top)

    def _print_of(self, number: int) -> object:
        if number not in self.folders:
            return self.contents[number].print_of()
        return frozenset((name, self._print_of(child)) for name, child in self.folders[number].items())

    def write_to(self, into: Path) -> None:
        """Makes the folder."""
        self._write_out(self.top, into)

    def _write_out(self, folder: int, into: Path) -> None:
        into.mkdir()
        for name, number in self.folders[folder].items():
            if number in self.folders:
                self._write_out(number, into / name)
            else:
                self.contents[number].write_to(into / name)


def crash(recording: Recording, after: int, policy: str, into: Path) -> None:
    """Writes to the folder `into` what the disk may hold after a crash: see `crashed`."""
    crashed(recording, after, policy).write_to(into)


def outcomes(
    recording: Recording, folder: Path, look: Callable[[], T], policies: Iterable[str] = POLICIES
) -> dict[tuple[int, str], T]:
    """What `look` finds in the folder in each state in which a crash may leave it, by `after` and policy.

    Many crashes leave the same state, as each after a sync does: it is made and looked at once.
    """
    found: dict[tuple[int, str], T] = {}
    seen: dict[object, T] = {}
    for after in range(len(recording.actions) + 1):
        for policy in policies:
            if policy == "torn" and [action.kind for action in recording.actions[after : after + 1]] != ["write"]:
                continue
            state = crashed(recording, after, policy)
            if (key := state.print_of()) not in seen:
                if folder.exists():
                    shutil.rmtree(folder)
                state.write_to(folder)
                seen[key] = look()
            found[after, policy] = seen[key]

    return found


def crashed(recording: Recording, after: int, policy: str) -> State:
    """What the disk may hold if the power fails when `after` actions were asked for.

    `policy` says what becomes of what was not synced by then: see `POLICIES`. With `torn`, the next action is a write
    of which a part arrived, and all before it did.
    """
    chance = random.Random(f"{after} {policy}")
    actions = recording.actions[:after]
    if policy == "torn" and after < len(recording.actions):
        actions.append(recording.actions[after])
    synced = {action.target: at for at, action in enumerate(actions) if action.kind.startswith("sync")}
    contents = {number: content.copy() for number, content in recording.files.items()}
    folders = {number: dict(names) for number, names in recording.folders.items()}
    lost_names: set[int] = set()  # folders of which a change was lost, and so all later ones
    for at, action in enumerate(actions):
        lasts = at < synced.get(action.target, -1)
        if action.is_name:
            if not lasts and not _keeps_name(policy, chance):
                lost_names.add(action.target)
            if action.target not in lost_names:
                _change_names(folders[action.target], action)
        elif action.kind in ("write", "truncate"):
            for piece in [action] if lasts else _what_arrives(action, policy, at == after, chance):
                contents[action.target].change(piece)
    return State(recording.top, folders, contents)


def _keeps_name(policy: str, chance: random.Random) -> bool:
    return policy in ("keep", "only names", "torn") or (policy.startswith("chance") and chance.random() < 0.6)


def _what_arrives(action: Action, policy: str, is_torn: bool, chance: random.Random) -> list[Action]:
    """The parts of an unsynced write that reach the disk."""
    if is_torn and action.kind == "write":
        return [replace(action, data=action.data[: chance.randrange(len(action.data) + 1)])]
    if policy in ("keep", "only data", "torn"):
        return [action]
    if policy in ("lose", "only names"):
        return []
    if action.kind == "truncate" or chance.random() < 0.5:
        return [action] if chance.random() < 0.5 else []
    ends = range(SECTOR - action.offset % SECTOR, len(action.data) + SECTOR, SECTOR)
    starts = [0, *ends[:-1]]
    return [
        replace(action, offset=action.offset + start, data=action.data[start:end])
        for start, end in zip(starts, ends, strict=True)
        if chance.random() < 0.5
    ]


def _change_names(names: dict[str, int], action: Action) -> None:
    if action.kind in ("create", "mkdir"):
        names[action.name] = action.child
    elif action.kind == "rename":
        names[action.other] = names.pop(action.name)
    else:
        del names[action.name]


@contextmanager
def failing(at: int, number: int, lasting: bool = False) -> Iterator[list[str]]:
    """The operating system's write call number `at` fails with this error number; if `lasting`, so do all later ones.

    Counted are writes, syncs, truncations, renames and new folders. Yields what was counted, which grows as it is done.
    """
    counted: list[str] = []

    def maybe(call: str) -> Any:
        real = getattr(os, call)

        def fake(*arguments: Any) -> Any:
            counted.append(call)
            if len(counted) - 1 == at or (lasting and len(counted) > at):
                raise OSError(number, os.strerror(number))
            return real(*arguments)

        return fake

    calls = ("write", "pwrite", "fsync", "ftruncate", "rename", "mkdir")
    with mock.patch.multiple(os, **{call: maybe(call) for call in calls}):
        yield counted
