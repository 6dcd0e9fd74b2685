"""A command file, read whole: every line is understood before any is done, and then all are made one plan.

No control flow: a file that decides, jumps or repeats is refused, with the line's number, and so is every line that is
not known or cannot be done.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vmrescue.arguments import typed
from vmrescue.commands.batch import file_commands, programs
from vmrescue.commands.batch.deed import Deed, Said
from vmrescue.commands.batch.draft import Draft
from vmrescue.commands.batch.text import LARGEST, decoded, joined
from vmrescue.commands.batch.words import Statement, expanded, setting, statement
from vmrescue.dataclass import dataclass
from vmrescue.errors import (
    NotFoundError,
    ReadError,
    RefusedError,
    UnsupportedError,
    UsageError,
    VmRescueError,
    WriteError,
)
from vmrescue.files import open_regular, read_whole
from vmrescue.plan import DeleteFile, RenameFile, Step
from vmrescue.windows.needed_files import NeededFiles
from vmrescue.windows.why_not import Obstacles

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Iterable, Mapping

    from vmrescue.plan import Change
    from vmrescue.volumes.disk import Volume
    from vmrescue.windows import Installation

CHECK = "run"  # what the steps of the plan say asks for them
LARGEST_BESIDE = 256 << 20  # bytes of a file of this machine that a line copies or imports
CONTROL = frozenset({"if", "for", "goto", "call", "exit", "shift", "choice", "start"})
NOTHING = frozenset({"pause", "cls", "title"})  # commands for who sits before cmd's window
# Where cmd leaves the file: with success, or with what the last command came to.
END = re.compile(r"(?i)[ \t@]*(?:exit(?:[ \t]+/b)?(?:[ \t]+(?:0|%errorlevel%))?|goto[ \t]*:eof)[ \t]*")
# What setlocal may turn on or off without that another line means something else.
EXTENSIONS = frozenset({"enableextensions", "disabledelayedexpansion"})
PROGRAMS: dict[str, Callable[[Statement], Deed]] = {
    "bcdedit": programs.bcdedit,
    "reg": programs.reg,
    "defrag": programs.defrag,
    "attrib": file_commands.attrib,
    "del": file_commands.delete,
    "erase": file_commands.delete,
    "copy": file_commands.copy,
    "ren": file_commands.rename,
    "rename": file_commands.rename,
    "md": file_commands.make_folder,
    "mkdir": file_commands.make_folder,
}
KINDS = (UsageError, NotFoundError, RefusedError, UnsupportedError, ReadError, WriteError)


@dataclass(frozen=True)
class Command:
    """A line that does something; `text` is it, its variables replaced."""

    number: int
    text: str
    deed: Deed


@dataclass(frozen=True)
class Printed:
    """What a line printed and what is to be said of it: see `Said`."""

    number: int
    text: str
    said: Said

    def to_dict(self) -> dict[str, Any]:
        return {"line": self.number, "command": self.text, "output": [*self.said.lines], "notes": [*self.said.notes]}


@dataclass(frozen=True)
class Compiled:
    """What a command file comes to on some disks.

    Attributes:
        steps: of its plan; each says which line asked for it last.
        printed: what its lines print, and what is to be said of them.
        defragmented: the volumes that it defragments, each with the line, and whether free space is wanted too.
    """

    steps: tuple[Step, ...]
    printed: tuple[Printed, ...]
    defragmented: tuple[tuple[int, Volume, bool], ...]


@typed
@dataclass(frozen=True)
class Runbook:
    """A command file that was read and understood.

    Attributes:
        name: for messages.
        commands: its lines that do something.
        folder: where the files of this machine lie that its lines name without a drive.
    """

    name: str
    commands: tuple[Command, ...]
    folder: Path

    @classmethod
    def read(cls, path: str | os.PathLike[str], variables: Mapping[str, str] | None = None) -> Runbook:
        """Reads a file. Raises as `parse`; ReadError where there is no such file, UsageError where it is too large."""
        try:
            with open(path, "rb", opener=open_regular) as stream:
                data = read_whole(stream, LARGEST)
        except RefusedError as error:
            raise UsageError(f"no command file: {error}; the order is: vmrescue run IMAGE FILE") from error
        except OSError as error:
            raise ReadError(f"cannot read {path}: {error.strerror}") from error
        return cls.parse(data, str(path), Path(path).resolve().parent, variables)

    @classmethod
    def parse(
        cls, data: bytes, name: str, folder: Path = Path(), variables: Mapping[str, str] | None = None
    ) -> Runbook:
        """Understands every line.

        Args:
            data: the file's bytes.
            variables: values of variables that the file does not set itself, by name.

        Raises:
            UsageError: it is no text, or a line is not known; with its number.
        """
        known = _Variables(variables or {})
        commands = []
        for line in joined(decoded(data, name)):
            if END.fullmatch(line.text):
                break
            try:
                found = _command(line.text, known)
            except VmRescueError as error:
                raise _at_line(error, name, line.number) from error
            if found is not None:
                commands.append(Command(line.number, *found))
        return cls(name, tuple(commands), folder)

    def compile(
        self, installation: Installation, in_place: bool = True, repair_letters: Collection[str] = ()
    ) -> Compiled:
        """Does every line in memory, each on what those before have left.

        Args:
            installation: the disks; nothing is written to them.
            in_place: whether the image itself is to be changed, and not a copy of it.
            repair_letters: drives' letters (``F:``) that the repair VM gave, though the guest may have them too.

        Raises:
            VmRescueError: a line cannot be done; with its number.
        """
        draft = Draft(installation, self._read_beside, repair_letters)
        printed = []
        for command in self.commands:
            draft.line = command.number
            told = len(draft.paths.notes)
            try:
                said = command.deed.do(draft)
            except NotFoundError as error:
                if not command.deed.reads:
                    raise _at_line(error, self.name, command.number) from error
                said = Said(notes=(f"nothing is listed: {_one_line(error)}",))
            except VmRescueError as error:
                raise _at_line(error, self.name, command.number) from error
            said = Said(said.lines, tuple(draft.paths.notes[told:])).with_notes(said.notes)
            printed.append(Printed(command.number, command.text, said))
        if names := draft.loaded.files:
            note = f"at the end of the file {' and '.join(names)} is unloaded: a name lasts no longer than the file"
            draft.left.append((self.commands[-1].number, note))
        steps = self._steps(draft, in_place)
        left = {number: [note for line, note in draft.left if line == number] for number, _ in draft.left}
        all_said = (
            Printed(each.number, each.text, each.said.with_notes(left.get(each.number, ()))) for each in printed
        )
        return Compiled(steps, tuple(all_said), tuple(draft.defragmented))

    def _steps(self, draft: Draft, in_place: bool) -> tuple[Step, ...]:
        texts = {command.number: command.text for command in self.commands}
        installation = draft.installation
        obstacles = Obstacles(installation.disks, in_place=in_place)
        needed = NeededFiles({installation.os.root} if installation.os else set())
        steps = []
        for number, volume, change in self._changes(draft):
            if why := _why_not(change, volume, obstacles, needed):
                raise RefusedError(f"{self.name}, line {number}: cannot {change.title}: {why}")
            steps.append(Step(CHECK, f"line {number}: {texts[number]}", change))
        return tuple(steps)

    def _changes(self, draft: Draft) -> Iterable[tuple[int, Volume, Change]]:
        try:
            yield from draft.changes()
        except VmRescueError as error:
            raise _at_line(error, self.name, draft.line) from error

    def _read_beside(self, name: str) -> bytes:
        """A file of this machine, in the folder of the command file or below it."""
        path = self.folder.joinpath(*re.split(r"[\\/]", name)).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            raise RefusedError(f"{name} lies elsewhere than the command file: only what lies beside it is read")
        try:
            with open(path, "rb", opener=open_regular) as stream:
                return read_whole(stream, LARGEST_BESIDE)
        except OSError as error:
            raise ReadError(f"cannot read {path}, a file of this machine: {error.strerror}") from error


class _Variables(dict[str, str]):
    """The variables at a line, by their names in capitals; `setlocal` keeps them, `endlocal` gives them back."""

    def __init__(self, given: Mapping[str, str]) -> None:
        super().__init__({each.upper(): value for each, value in given.items()})
        self._kept: list[dict[str, str]] = []

    def keep(self) -> None:
        self._kept.append(dict(self))

    def give_back(self) -> None:
        if self._kept:
            before = self._kept.pop()
            self.clear()
            self.update(before)


def _command(line: str, variables: _Variables) -> tuple[str, Deed] | None:
    """What a line does; None for one that does nothing but set a variable or comment."""
    bare = line.lstrip(" \t@")
    if bare.startswith("::") or re.match(r"(?i)rem(?![^ \t])", bare):
        return None
    if bare.startswith(":"):
        raise UsageError(f"{bare.split()[0]} is a label, and there is no control flow here")
    text = expanded(line, variables)
    found = statement(text)
    if found is None:
        return None
    if found.name == "set":
        name, value = setting(found.rest)
        variables[name] = value
        return None
    if found.name == "setlocal":
        if other := set(found.rest.lower().split()) - EXTENSIONS:
            raise UsageError(f"setlocal {other.pop()}: after it other lines would mean what they do not mean here")
        variables.keep()
        return None
    if found.name == "endlocal":
        variables.give_back()
        return None
    if found.name in NOTHING:
        return None
    if found.name.startswith("echo") and found.name[4:5] in ("", *".:+[]\\"):
        return _echo(found, text.strip())
    return text.strip().lstrip("@"), _program(found)(found)


def _echo(found: Statement, text: str) -> tuple[str, Deed] | None:
    shown = f"{found.name[5:]}{found.rest}" if found.name[4:] else found.rest.removeprefix(" ")
    if not found.name[4:] and shown.strip().lower() in ("on", "off", ""):
        return None
    return text, Deed(lambda draft: Said((shown,)), reads=True)


def _program(found: Statement) -> Callable[[Statement], Deed]:
    if found.name in CONTROL or found.name.startswith("("):
        raise UsageError(f"{found.name} is control flow, which is not done here: give plain commands, one a line")
    if found.name not in PROGRAMS:
        raise UsageError(f"{found.name} is not known here; these are: {', '.join([*PROGRAMS, 'set', 'echo', 'rem'])}")
    return PROGRAMS[found.name]


def _why_not(change: Change, volume: Volume, obstacles: Obstacles, needed: NeededFiles) -> str | None:
    if isinstance(change, DeleteFile | RenameFile):
        nature = volume.files.nature(change.file.path)
        if nature and (what := needed.why_needed(volume, change.file.path, nature.number)):
            return f"it is {what}, which can be replaced, but must not be missing"
    return obstacles.why_not(change)


def _one_line(error: VmRescueError) -> str:
    return " ".join(str(error).split("\n"))


def _at_line(error: VmRescueError, name: str, number: int) -> VmRescueError:
    """The same with the line's number. What a line looks for in vain (NoMatchError) is no answer here, but an error."""
    kind = next((kind for kind in KINDS if isinstance(error, kind)), VmRescueError)
    return kind(f"{name}, line {number}: {_one_line(error)}")
