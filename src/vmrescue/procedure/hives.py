"""Microsoft's reg on the registry of an image, or on a hive's file."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from vmrescue.arguments import typed
from vmrescue.commands.reg.listed import Compared, ListedKey, ListedProblem
from vmrescue.dataclass import dataclass
from vmrescue.errors import ReadError
from vmrescue.procedure.hive_files import is_hive_file, open_hive_file
from vmrescue.procedure.microsoft import Answer, Edit, Ran, carried_out, in_microsofts_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from vmrescue.commands.reg import Command, Outcome
    from vmrescue.commands.reg.hive_names import HiveNames
    from vmrescue.commands.reg.one_hive import OneHive
    from vmrescue.commands.reg.query import Show
    from vmrescue.plan import Change, FileRef
    from vmrescue.procedure.microsoft import Location, Say
    from vmrescue.transaction import Editing
    from vmrescue.windows import Choice, Disk, RegistryFile

LARGEST_IMPORT = 512 << 20  # bytes: an export of a hive of 80 MB that is all binary values, six for each of theirs


@dataclass(frozen=True)
class RegAnswer(Answer):
    """What a command of reg's came to.

    Attributes:
        keys: what ``query`` lists.
        compared: what ``compare`` lists.
        problems: what ``check`` finds wrong with a hive.
    """

    keys: tuple[ListedKey, ...] = ()
    compared: tuple[Compared, ...] = ()
    problems: tuple[ListedProblem, ...] = ()


@typed
def reg(
    image: Location,
    words: Sequence[str],
    *,
    store: str | None = None,
    windows: str | None = None,
    overwrite: bool = False,
    **how: Unpack[Editing],
) -> RegAnswer:
    r"""Microsoft's reg on the registry of an image, or on a hive's file, as the command of that name does it.

        vmrescue.reg("os.vhd", ["query", r"HKLM\SYSTEM\Select"]).keys[0].values
        vmrescue.reg("os.vhd", ["add", r"HKLM\SYSTEM\Setup", "/v", "Upgrade", "/t", "REG_DWORD", "/d", "0"]).receipt

    Args:
        image: as for `vmrescue.repair`, or a hive's file.
        words: of the command, one each, as reg takes them.
        store, windows: which boot store and which Windows boot, as for `vmrescue.diagnose`.
        overwrite: whether the file of ``export`` may take the place of one that is there.
        how: as for `vmrescue.repair`, for what edits the registry. Nothing is asked, with or without /f.

    Raises as `vmrescue.repair`; UsageError and NotFoundError in reg's own words where it would not do it.
    """
    from vmrescue.image import accepting, parents_in
    from vmrescue.transaction.repairing import must_be_known
    from vmrescue.windows import Choice

    must_be_known(how)
    notes: list[str] = []
    with (
        accepting(how.get("accept", ())),
        parents_in(how.get("parent_dir")),
        read_reg(image, words, Choice(store, windows), notes.extend) as command,
    ):
        receipt, written = carried_out(command, overwrite, how)
    outcome, found = command.outcome, command.outcome.found or ()
    return RegAnswer(
        outcome.text,
        outcome.passed,
        tuple(notes),
        receipt,
        written,
        tuple(each for each in found if isinstance(each, ListedKey)),
        tuple(each for each in found if isinstance(each, Compared)),
        tuple(each for each in found if isinstance(each, ListedProblem)),
    )


@contextmanager
def read_reg(
    image: Location, words: Sequence[str], choice: Choice, say: Say, show: Show | None = None
) -> Iterator[Ran | Edit]:
    """Reads a command of reg's; one that edits nothing is run, on hives that stay open for a file that it exports.

    `say` gets what is to be said besides, and `show`, if it is given, what a query lists (`commands.reg.run`).
    """
    from vmrescue.commands.reg import parse

    with in_microsofts_words():
        command = parse(words)
    if command.edits:
        run = partial(_edited, command, _file_to_import(command), image, choice, say)
        yield Edit(image, ("reg", " ".join(words)), choice, run)
    elif command.name in ("load", "unload"):
        yield _name_hive(command, image, choice, say)
    else:
        with ExitStack() as opened:
            yield _ran(command, image, choice, say, show, opened)


def _ran(command: Command, image: Location, choice: Choice, say: Say, show: Show | None, opened: ExitStack) -> Ran:
    from vmrescue.commands.reg import run

    registry = _bare(image, opened) if is_hive_file(image) else _names(image, choice, opened)
    with in_microsofts_words():
        outcome = run(command, registry, show=show)
    say(registry.notes())
    file = None if outcome.export is None else (Path(command.arguments[1]), _in_microsofts_words(outcome.export))
    return Ran(image, outcome, file, may_overwrite=command.asks_nothing)


def _edited(
    command: Command, content: bytes, image: Location, choice: Choice, say: Say, disks: list[Disk]
) -> tuple[Outcome, list[Change]]:
    """Runs a command that edits on the hives of these disks: what it prints, and the changes that it asks for."""
    from vmrescue.commands.reg import KeyName, run
    from vmrescue.commands.reg.hive_names import HiveNames
    from vmrescue.commands.reg.loaded_hives import read_loaded
    from vmrescue.commands.reg.one_hive import OneHive
    from vmrescue.commands.reg.registry_changes import registry_changes
    from vmrescue.windows import Installation
    from vmrescue.windows.bare_hive import BareHive

    registry: OneHive | HiveNames
    if isinstance(disks[0], BareHive):
        file = disks[0].hive
        registry = bare = OneHive(file.draft(), Path(image).name)

        def place(name: str) -> tuple[RegistryFile, str]:
            return file, bare.path(KeyName.parse(name))
    else:
        registry = names = HiveNames(Installation.of(disks, choice), read_loaded(image))

        def place(name: str) -> tuple[RegistryFile, str]:
            return names.place(KeyName.parse(name), command.view)

    with in_microsofts_words():
        outcome = run(command, registry, content)
    say(registry.notes())
    return outcome, registry_changes(outcome.operations, place)


def _name_hive(command: Command, target: Location, choice: Choice, say: Say) -> Ran:
    """`load` and `unload`: the names beside the image, not the image."""
    from vmrescue.commands.reg import Outcome, messages
    from vmrescue.commands.reg.loaded_hives import name_for, read_loaded

    with in_microsofts_words():
        if is_hive_file(target):
            raise messages.no_load(command.name)
        name, loaded = name_for(command.arguments[0]), read_loaded(target)
        if command.name == "load":
            file, taken = _hive_at(command.arguments[1], target, choice, name.root, say)
            loaded.load(name, file, taken)
        else:
            loaded.unload(name)
    return Ran(target, Outcome(f"{messages.SUCCESS}\n"), names=loaded)


def _hive_at(path: str, target: Location, choice: Choice, root: str, say: Say) -> tuple[FileRef, list[str]]:
    """The hive at a path of the image, and the names below a root that its Windows has. Raises FormatError."""
    from vmrescue.commands.reg.hive_names import HiveNames
    from vmrescue.diagnosis import open_disks
    from vmrescue.windows import Installation
    from vmrescue.windows.named_paths import NamedPaths
    from vmrescue.windows.registry_file import RegistryFile

    with open_disks([target]) as disks:
        installation = Installation.of(disks, choice)
        paths = NamedPaths(installation)
        file = RegistryFile.of(*paths.file(path))
        file.root  # noqa: B018 - that it is a hive
        say([*paths.notes, *file.notes()])
        return file.ref, HiveNames(installation).own(root) if installation.os else []


def _file_to_import(command: Command) -> bytes:
    from vmrescue.files import read_whole

    if command.name != "import":
        return b""
    try:
        with Path(command.arguments[0]).open("rb") as stream:
            return read_whole(stream, LARGEST_IMPORT)
    except OSError as error:
        raise ReadError(f"cannot read {command.arguments[0]}: {error.strerror}") from error


def _bare(target: Location, opened: ExitStack) -> OneHive:
    from vmrescue.commands.reg.one_hive import OneHive
    from vmrescue.registry import Hive
    from vmrescue.registry.base_block import SECTOR
    from vmrescue.registry.mounts import mount_of

    data, logs = open_hive_file(target, opened)
    mount = mount_of(Path(target).resolve().name, data[:SECTOR])
    return OneHive(Hive(data, logs, name=f"the hive {target}", mount=mount), Path(target).name)


def _names(target: Location, choice: Choice, opened: ExitStack) -> HiveNames:
    from vmrescue.commands.reg.hive_names import HiveNames
    from vmrescue.commands.reg.loaded_hives import read_loaded
    from vmrescue.diagnosis import open_disks
    from vmrescue.windows import Installation

    disks = opened.enter_context(open_disks([target]))
    return HiveNames(Installation.of(disks, choice), read_loaded(target))


def _in_microsofts_words(content: Iterable[bytes]) -> Iterator[bytes]:
    with in_microsofts_words():
        yield from content
