"""vmrescue bcdedit"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vmrescue.cli.microsoft import (
    edit,
    is_bare_hive,
    microsoft_command,
    own_words,
    print_listing,
    print_notes,
    read_bare_hive,
)
from vmrescue.cli.options import choice_options
from vmrescue.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vmrescue.bcd.hive_key import HiveKey
    from vmrescue.cli.options import ApplyOptions
    from vmrescue.commands.bcdedit import Command, Outcome, Volumes
    from vmrescue.plan import Change
    from vmrescue.registry.operations import Operation
    from vmrescue.windows import Choice, Disk, RegistryFile

NEW_STORE = ("/createstore", "-createstore")  # the one command that is about no store that there is


@microsoft_command
@choice_options
def command(target: str, words: tuple[str, ...], store: str | None, windows: str | None, options: ApplyOptions) -> None:
    """Microsoft's bcdedit on the store that boots IMAGE, or on a store's file, with the same words and output.

    \b
      vmrescue bcdedit os.vhd                                   # what the boot menu shows
      vmrescue bcdedit os.vhd /enum all /v
      vmrescue bcdedit os.vhd /deletevalue {badmemory} badmemorylist
      vmrescue bcdedit os.vhd /ems {default} ON
      vmrescue bcdedit os.vhd /export store.bcd

    enum, set, deletevalue, create, copy, delete, default, displayorder, bootsequence, toolsdisplayorder, timeout, ems,
    bootems, emssettings, debug, bootdebug, dbgsettings, event, hypervisorsettings, export, import, createstore.
    /store F:\\Boot\\BCD names another store of the image. A letter that is not the guest's own is taken for the only
    volume with that path, which is said. {current} is the default entry: no Windows is running. /export, /import and
    /createstore name files of this machine. As on Windows nothing is asked; what is written is shown, backed up,
    verified, and undone by `vmrescue undo`.
    """
    from vmrescue.commands.bcdedit import parse
    from vmrescue.windows import Choice

    choice = Choice(store, windows)
    if target.lower() in NEW_STORE:
        target, words = "", (target, *words)
    with own_words():
        parsed = parse(words)
    if parsed.name == "createstore":
        _create_store(parsed, options)
    elif parsed.name == "export":
        _export(parsed, target, choice, options)
    else:
        outcome = _run_on_file(parsed, target) if is_bare_hive(target) else _run_on_image(parsed, target, choice)
        _finish(parsed, outcome, target, words, choice, options)


def _finish(
    parsed: Command, outcome: Outcome, target: str, words: tuple[str, ...], choice: Choice, options: ApplyOptions
) -> None:
    print_notes(outcome.notes)
    if outcome.operations:
        options = options._replace(yes=True)  # as on Windows
        edit(target, "bcdedit", words, lambda disks: _changes(parsed, outcome, disks, choice), options)
    if not (outcome.operations and (options.dry_run or options.output == "json")):
        print_listing(outcome.lines, outcome.data, options)


def _run_on_file(parsed: Command, target: str) -> Outcome:
    from vmrescue.bcd import Store
    from vmrescue.commands.bcdedit import run

    if parsed.store is not None:
        raise UsageError("/store names a file in an image; this is a store's file itself")
    root = _root(*read_bare_hive(target), f"the store {target}")
    if parsed.name == "import":
        return _import(parsed, root)
    with own_words():
        return run(parsed, Store(root))


def _run_on_image(parsed: Command, target: str, choice: Choice) -> Outcome:
    from vmrescue.bcd import Store
    from vmrescue.commands.bcdedit import run
    from vmrescue.diagnosis import open_disks

    with open_disks([target]) as disks:
        file, volumes, notes = _store_of(disks, parsed.store, choice)
        print_notes(notes)
        if parsed.name == "import":
            return _import(parsed, _root(file.read(), file.logs(), file.name))
        with own_words():
            outcome = run(parsed, Store(file.root), volumes)
        print_notes(file.notes())
        return outcome


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
    installation = Installation(disks, choice)
    volumes = VolumeNames(installation.volumes)
    if name is None:
        return installation.boot.hive, volumes, ()
    paths = NamedPaths(installation)
    return RegistryFile(*paths.file(name)), volumes, paths.notes


def _changes(parsed: Command, outcome: Outcome, disks: list[Disk], choice: Choice) -> list[Change]:
    from vmrescue.windows.hive_changes import hive_changes

    file, _, _ = _store_of(disks, parsed.store, choice)
    return hive_changes(file, outcome.operations)


def _import(parsed: Command, root: HiveKey) -> Outcome:
    """What makes the store's objects those of the file."""
    from vmrescue.bcd.whole_store import imported
    from vmrescue.commands.bcdedit import Outcome, messages

    source = parsed.arguments[0]
    if not is_bare_hive(source):
        raise NotFoundError(f"{source} is no store's file")
    notes = ("/clean is about the firmware's own entries, which are in no image",) if "clean" in parsed.switches else ()
    wanted = _root(*read_bare_hive(source), f"the store {source}")
    return Outcome(f"{messages.SUCCESS}\n", tuple(imported(root, wanted)), notes)


def _export(parsed: Command, target: str, choice: Choice, options: ApplyOptions) -> None:
    """A copy of the store, with nothing that Windows has left in the free cells of its hive."""
    from vmrescue.bcd.whole_store import exported

    if is_bare_hive(target):
        root = _root(*read_bare_hive(target), f"the store {target}")
    else:
        root = _read_from_image(target, parsed.store, choice)
    _write_store(parsed.arguments[0], exported(root), options)


def _read_from_image(target: str, name: str | None, choice: Choice) -> HiveKey:
    from vmrescue.diagnosis import open_disks

    with open_disks([target]) as disks:
        file, _, notes = _store_of(disks, name, choice)
        print_notes(notes)
        return _root(file.read(), file.logs(), file.name)


def _create_store(parsed: Command, options: ApplyOptions) -> None:
    from vmrescue.bcd.whole_store import empty_store

    _write_store(parsed.arguments[0], empty_store(), options)


def _write_store(path: str, operations: Iterable[Operation], options: ApplyOptions) -> None:
    """A new store's file with what the operations make."""
    from vmrescue.cli.new_file import write_unless_dry
    from vmrescue.commands.bcdedit import messages
    from vmrescue.commands.bcdedit.store_file import store_file

    if write_unless_dry(Path(path), store_file(operations), options):
        print_listing([messages.SUCCESS], None, options)


def _root(data: bytes, logs: list[bytes], name: str) -> HiveKey:
    """The root key of a store; what is to be said of the hive is said."""
    from vmrescue.bcd.hive_key import HiveKey
    from vmrescue.registry import Hive

    hive = Hive(data, logs, name=name)
    print_notes(hive.notes())
    return HiveKey.root(hive)
