"""Microsoft's bcdedit on the store that boots an image, on another of its stores, or on a store's file."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from vmrescue.arguments import typed
from vmrescue.commands.bcdedit.listed import ListedEntry
from vmrescue.dataclass import dataclass
from vmrescue.errors import NotFoundError, UsageError
from vmrescue.procedure.hive_files import is_hive_file, read_hive_file
from vmrescue.procedure.microsoft import Answer, Edit, Ran, carried_out, in_microsofts_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vmrescue.bcd.hive_key import HiveKey
    from vmrescue.commands.bcdedit import Command, Outcome, Volumes
    from vmrescue.plan import Change
    from vmrescue.procedure.microsoft import Location, Say
    from vmrescue.registry.operations import Operation
    from vmrescue.transaction import Editing
    from vmrescue.windows import Choice, Disk, RegistryFile


@dataclass(frozen=True)
class BcdeditAnswer(Answer):
    """What a command of bcdedit's came to.

    Attributes:
        entries: what a listing lists; empty for a command that lists nothing.
    """

    entries: tuple[ListedEntry, ...] = ()


@typed
def bcdedit(
    image: Location | None,
    words: Sequence[str] = (),
    *,
    store: str | None = None,
    windows: str | None = None,
    overwrite: bool = False,
    **how: Unpack[Editing],
) -> BcdeditAnswer:
    r"""Microsoft's bcdedit on the store that boots an image, or on a store's file, as the command of that name does it.

        vmrescue.bcdedit("os.vhd").entries[0].title                       # 'Windows Boot Manager'
        vmrescue.bcdedit("os.vhd", ["/set", "{default}", "recoveryenabled", "No"]).receipt

    Args:
        image: as for `vmrescue.repair`, or a store's file; None for ``/createstore`` alone.
        words: of the command, one each, as bcdedit takes them: ``["/enum", "all"]``; none: the active entries.
        store, windows: which boot store and which Windows boot, as for `vmrescue.diagnose`.
        overwrite: whether the file of ``/export`` and ``/createstore`` may take the place of one that is there.
        how: as for `vmrescue.repair`, for what edits the store. As on Windows nothing is asked.

    Raises as `vmrescue.repair`; UsageError and NotFoundError in bcdedit's own words where it would not do it.
    """
    from vmrescue.image import accepting, parents_in
    from vmrescue.transaction.repairing import must_be_known
    from vmrescue.windows import Choice

    must_be_known(how)
    notes: list[str] = []
    with accepting(how.get("accept", ())), parents_in(how.get("parent_dir")):
        command = read_bcdedit(image, words, Choice(store, windows), notes.extend)
        receipt, written = carried_out(command, overwrite, how)
    outcome = command.outcome
    entries = tuple(each for each in outcome.found or () if isinstance(each, ListedEntry))
    return BcdeditAnswer(outcome.text, outcome.passed, tuple(notes), receipt, written, entries)


def read_bcdedit(image: Location | None, words: Sequence[str], choice: Choice, say: Say) -> Ran | Edit:
    """Reads a command of bcdedit's; one that edits nothing is run. `say` gets what is to be said besides."""
    from vmrescue.bcd.whole_store import empty_store, exported
    from vmrescue.commands.bcdedit import parse

    with in_microsofts_words():
        command = parse(words)
    if command.name == "createstore":
        return _file("", command, empty_store())
    if image is None:
        raise UsageError("bcdedit needs an image or a store's file; only /createstore needs none")
    in_file = is_hive_file(image)
    if in_file and command.store is not None:
        raise UsageError("/store names a file in an image; this is a store's file itself")
    if command.edits:
        return Edit(image, ("bcdedit", " ".join(words)), choice, partial(_edited, command, choice, say))
    if command.name == "export":
        root = _root(image, say) if in_file else _root_in(image, command.store, choice, say)
        return _file(image, command, exported(root))
    outcome = _listed_in_file(command, image, say) if in_file else _listed_in_image(command, image, choice, say)
    say(outcome.notes)
    return Ran(image, outcome)


def _file(image: Location, command: Command, operations: Iterable[Operation]) -> Ran:
    """A new store's file with what the operations make."""
    from vmrescue.commands.bcdedit import Outcome, messages
    from vmrescue.commands.bcdedit.store_file import store_file

    return Ran(image, Outcome(f"{messages.SUCCESS}\n"), (Path(command.arguments[0]), [store_file(operations)]))


def _listed_in_file(command: Command, target: Location, say: Say) -> Outcome:
    from vmrescue.bcd import Store
    from vmrescue.commands.bcdedit import run

    root = _root(target, say)
    with in_microsofts_words():
        return run(command, Store(root))


def _listed_in_image(command: Command, target: Location, choice: Choice, say: Say) -> Outcome:
    from vmrescue.diagnosis import open_disks

    with open_disks([target]) as disks:
        _, outcome = _run(command, disks, choice, say)
        return outcome


def _edited(command: Command, choice: Choice, say: Say, disks: list[Disk]) -> tuple[Outcome, list[Change]]:
    """Runs a command that edits on the store of these disks: what it prints, and the changes that it asks for."""
    from vmrescue.windows.hive_changes import hive_changes

    file, outcome = _run(command, disks, choice, say)
    say(outcome.notes)
    return outcome, hive_changes(file, outcome.operations)


def _run(command: Command, disks: list[Disk], choice: Choice, say: Say) -> tuple[RegistryFile, Outcome]:
    """Runs a command on the store that boots these disks, or that it names."""
    from vmrescue.bcd import Store
    from vmrescue.commands.bcdedit import run

    file, volumes, notes = _store_of(disks, command.store, choice)
    say(notes)
    if command.name == "import":
        return file, _import(command, _hive_root(file.read(), file.logs(), file.name, say), say)
    with in_microsofts_words():
        outcome = run(command, Store(file.root), volumes)
    say(file.notes())
    return file, outcome


def _store_of(disks: list[Disk], name: str | None, choice: Choice) -> tuple[RegistryFile, Volumes, Sequence[str]]:
    """The store that boots the disk, or the one that /store names; the volumes that its devices mean; notes.

    A store that leads to no Windows is just what one may want to edit: the volumes then have no letters.
    """
    from vmrescue.commands.bcdedit import NoVolumes
    from vmrescue.commands.bcdedit.volume_names import VolumeNames
    from vmrescue.windows import Installation
    from vmrescue.windows.bare_hive import BareHive
    from vmrescue.windows.named_paths import NamedPaths
    from vmrescue.windows.registry_file import RegistryFile

    if isinstance(disks[0], BareHive):
        return disks[0].hive, NoVolumes(), ()
    installation = Installation.of(disks, choice)
    volumes = VolumeNames(installation.volumes)
    if name is None:
        return installation.boot.hive, volumes, ()
    paths = NamedPaths(installation)
    return RegistryFile.of(*paths.file(name)), volumes, paths.notes


def _import(command: Command, root: HiveKey, say: Say) -> Outcome:
    """What makes the store's objects those of the file."""
    from vmrescue.bcd.whole_store import imported
    from vmrescue.commands.bcdedit import Outcome, messages

    source = command.arguments[0]
    if not is_hive_file(source):
        there = os.path.lexists(source)
        raise NotFoundError(f"{source} is no boot store: no hive" if there else f"there is no file {source}")
    clean = "clean" in command.switches
    notes = ("/clean is about the firmware's own entries, which are in no image",) if clean else ()
    return Outcome(f"{messages.SUCCESS}\n", tuple(imported(root, _root(source, say))), notes)


def _root_in(target: Location, name: str | None, choice: Choice, say: Say) -> HiveKey:
    """The root key of a store in an image."""
    from vmrescue.diagnosis import open_disks

    with open_disks([target]) as disks:
        file, _, notes = _store_of(disks, name, choice)
        say(notes)
        return _hive_root(file.read(), file.logs(), file.name, say)


def _root(target: Location, say: Say) -> HiveKey:
    """The root key of a store's file."""
    return _hive_root(*read_hive_file(target), f"the store {target}", say)


def _hive_root(data: bytes, logs: list[bytes], name: str, say: Say) -> HiveKey:
    """The root key of a store; what is to be said of the hive is said."""
    from vmrescue.bcd.hive_key import HiveKey
    from vmrescue.registry import Hive

    hive = Hive(data, logs, name=name)
    say(hive.notes())
    return HiveKey.root(hive)
