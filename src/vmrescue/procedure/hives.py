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
from vmrescue.procedure.microsoft import Answer, Tried, carried_out, in_microsofts_words

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
        try_reg(image, words, Choice(store, windows), notes.extend) as tried,
    ):
        receipt, written = carried_out(tried, overwrite, how)
    outcome, found = tried.outcome, tried.outcome.found or ()
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
def try_reg(
    image: Location, words: Sequence[str], choice: Choice, say: Say, show: Show | None = None
) -> Iterator[Tried]:
    """Reads a command of reg's, and runs it on the hives as they are; they stay open for a file that it exports.

    `say` gets what is to be said besides, and `show`, if it is given, what a query lists (`commands.reg.run`).
    """
    with ExitStack() as opened:
        yield _tried(image, words, choice, say, show, opened)


def _tried(
    image: Location, words: Sequence[str], choice: Choice, say: Say, show: Show | None, opened: ExitStack
) -> Tried:
    from vmrescue.commands.reg import KeyName, parse, run

    with in_microsofts_words():
        command = parse(words)
    reason = "reg", " ".join(words)
    if command.name in ("load", "unload"):
        return _name_hive(command, image, reason, choice, say)
    content = _file_to_import(command)
    bare = _bare(image, opened) if is_hive_file(image) else None
    registry = bare or _names(image, choice, opened)
    with in_microsofts_words():
        outcome = run(command, registry, content, show)
    say(registry.notes())
    paths = {each.path: bare.path(KeyName.parse(each.path)) for each in outcome.operations} if bare else None
    if outcome.export is None:
        opened.close()  # so that an edit finds nobody else at it
    file = None if outcome.export is None else (Path(command.arguments[1]), _in_microsofts_words(outcome.export))
    changes = partial(_changes, command, outcome, image, paths, choice)
    return Tried(image, reason, outcome, changes, file, may_overwrite=command.asks_nothing, choice=choice)


def _name_hive(command: Command, target: Location, reason: tuple[str, str], choice: Choice, say: Say) -> Tried:
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
    return Tried(target, reason, Outcome(f"{messages.SUCCESS}\n"), names=loaded)


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


def _changes(
    command: Command,
    outcome: Outcome,
    target: Location,
    paths: dict[str, str] | None,
    choice: Choice,
    disks: list[Disk],
) -> list[Change]:
    """The operations as changes of the hives on these disks. `paths`: of a hive's file, by the operations' paths."""
    from vmrescue.commands.reg import KeyName
    from vmrescue.commands.reg.hive_names import HiveNames
    from vmrescue.commands.reg.loaded_hives import read_loaded
    from vmrescue.commands.reg.registry_changes import registry_changes
    from vmrescue.windows import Installation
    from vmrescue.windows.bare_hive import BareHive

    if paths is not None and isinstance(disks[0], BareHive):
        hive = disks[0].hive
        return registry_changes(outcome.operations, lambda name: (hive, paths[name]))
    names = HiveNames(Installation.of(disks, choice), read_loaded(target))

    def place(name: str) -> tuple[RegistryFile, str]:
        return names.place(KeyName.parse(name), command.view)

    return registry_changes(outcome.operations, place)
