"""vmrescue reg"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vmrescue.cli.microsoft import (
    FINDINGS,
    edit,
    is_bare_hive,
    microsoft_command,
    own_words,
    print_listing,
    print_notes,
    read_bare_hive,
)
from vmrescue.cli.options import choice_options
from vmrescue.cli.output import put

if TYPE_CHECKING:
    from vmrescue.cli.options import ApplyOptions
    from vmrescue.commands.reg import Command, Outcome
    from vmrescue.commands.reg.one_hive import OneHive
    from vmrescue.plan import Change, FileRef
    from vmrescue.windows import Choice, Disk, RegistryFile


LARGEST_IMPORT = 512 << 20  # bytes: an export of a hive of 80 MB that is all binary values, six for each of theirs


@microsoft_command
@choice_options
def command(target: str, words: tuple[str, ...], store: str | None, windows: str | None, options: ApplyOptions) -> None:
    """Microsoft's reg on the registry of IMAGE, or on a hive's file, with the same words and output.

    \b
      vmrescue reg os.vhd query 'HKLM\\SYSTEM\\CurrentControlSet\\Control\\CrashControl'
      vmrescue reg os.vhd add 'HKLM\\SYSTEM\\ControlSet001\\Control\\CrashControl' /v NMICrashDump /t REG_DWORD /d 1
      vmrescue reg os.vhd export 'HKU\\alice\\Software' alice.reg
      vmrescue reg os.vhd check 'HKLM\\SOFTWARE'

    query, add, delete, copy, export, import, compare, load, unload; check looks for damage. Keys are named as the guest
    sees them: HKLM\\SYSTEM (with CurrentControlSet), SOFTWARE, SAM, SECURITY, HKU\\.DEFAULT, HKU\\USER. A hive's file
    goes by any name below HKLM. A slash is a letter; a backslash, a line break and the like in a key's name are written
    \\{5c}, \\{a}. Symbolic links are followed; query, copy, export and delete take a link itself.
    load HKLM\\NAME F:\\PATH gives a hive of the image a further name, kept beside the image until unload HKLM\\NAME. A
    letter that is not the guest's own is taken for the only volume with that path, which is said.
    What is written is shown, asked about where reg.exe asks (before a deletion, and before a value that is there is
    overwritten; not with /f or --yes), backed up, verified, and undone by `vmrescue undo`. Exit status 1: nothing
    matched, the keys differ, or there is damage.
    """
    from vmrescue.cli.new_file import write_unless_dry
    from vmrescue.commands.reg import parse
    from vmrescue.windows import Choice

    choice = Choice(store, windows)
    with own_words():
        parsed = parse(words)
    if parsed.name in ("load", "unload"):
        _name_hive(parsed, target, choice, options)
        return
    options = options._replace(yes=options.yes or parsed.asks_nothing)
    content = _file_to_import(parsed)
    bare = _bare(target) if is_bare_hive(target) else None
    outcome = _run_on_hive(parsed, bare, content) if bare else _run_on_image(parsed, target, content, choice)
    exports = outcome.export is not None
    if outcome.export is not None:
        write_unless_dry(Path(parsed.arguments[1]), outcome.export, options)
    if outcome.operations:
        options = options._replace(yes=options.yes or not outcome.asks)
        edit(target, "reg", words, lambda disks: _changes(parsed, outcome, target, disks, bare, choice), options)
    if not ((outcome.operations and options.output == "json") or (options.dry_run and (outcome.operations or exports))):
        print_listing(outcome.lines, outcome.data, options)
    sys.exit(0 if outcome.passed else FINDINGS)


def _name_hive(parsed: Command, target: str, choice: Choice, options: ApplyOptions) -> None:
    """`load` and `unload`: the names beside the image, not the image."""

    from vmrescue.commands.reg import messages
    from vmrescue.commands.reg.loaded_hives import name_for, read_loaded, write_loaded

    with own_words():
        if is_bare_hive(target):
            raise messages.no_load(parsed.name)
        name, loaded = name_for(parsed.arguments[0]), read_loaded(target)
        if parsed.name == "load":
            file, taken = _hive_at(parsed.arguments[1], target, choice, name.root)
            loaded.load(name, file, taken)
        else:
            loaded.unload(name)
    if options.dry_run:
        put("Nothing was written.")
        return
    write_loaded(target, loaded)
    print_listing([messages.SUCCESS], None, options)


def _hive_at(path: str, target: str, choice: Choice, root: str) -> tuple[FileRef, list[str]]:
    """The hive at a path of the image, and the names below a root that its Windows has. Raises FormatError."""
    from vmrescue.commands.reg.hive_names import HiveNames
    from vmrescue.diagnosis import open_disks
    from vmrescue.windows import Installation
    from vmrescue.windows.named_paths import NamedPaths
    from vmrescue.windows.registry_file import RegistryFile

    with open_disks([target]) as disks:
        installation = Installation(disks, choice)
        paths = NamedPaths(installation)
        file = RegistryFile(*paths.file(path))
        file.root  # noqa: B018 - that it is a hive
        print_notes([*paths.notes, *file.notes()])
        return file.ref, HiveNames(installation).own(root) if installation.os else []


def _file_to_import(parsed: Command) -> bytes:
    from vmrescue.errors import ReadError
    from vmrescue.files import read_whole

    if parsed.name != "import":
        return b""
    try:
        with Path(parsed.arguments[0]).open("rb") as stream:
            return read_whole(stream, LARGEST_IMPORT)
    except OSError as error:
        raise ReadError(f"cannot read {parsed.arguments[0]}: {error.strerror}") from error


def _bare(target: str) -> OneHive:
    from vmrescue.commands.reg.one_hive import OneHive
    from vmrescue.registry import Hive
    from vmrescue.registry.mounts import mount_of

    data, logs = read_bare_hive(target)
    mount = mount_of(Path(target).resolve().name, data)
    return OneHive(Hive(data, logs, name=f"the hive {target}", mount=mount), Path(target).name)


def _run_on_hive(parsed: Command, bare: OneHive, content: bytes) -> Outcome:
    from vmrescue.commands.reg import run

    with own_words():
        outcome = run(parsed, bare, content)
    print_notes(bare.notes())
    return outcome


def _run_on_image(parsed: Command, target: str, content: bytes, choice: Choice) -> Outcome:
    from vmrescue.commands.reg import run
    from vmrescue.commands.reg.hive_names import HiveNames
    from vmrescue.commands.reg.loaded_hives import read_loaded
    from vmrescue.diagnosis import open_disks
    from vmrescue.windows import Installation

    with open_disks([target]) as disks:
        names = HiveNames(Installation(disks, choice), read_loaded(target))
        with own_words():
            outcome = run(parsed, names, content)
        print_notes(names.notes())
        return outcome


def _changes(
    parsed: Command, outcome: Outcome, target: str, disks: list[Disk], bare: OneHive | None, choice: Choice
) -> list[Change]:
    """The operations as changes of the hives on these disks."""
    from vmrescue.commands.reg import KeyName
    from vmrescue.commands.reg.hive_names import HiveNames
    from vmrescue.commands.reg.loaded_hives import read_loaded
    from vmrescue.commands.reg.registry_changes import registry_changes
    from vmrescue.windows import Installation
    from vmrescue.windows.bare_hive import BareHive

    if bare and isinstance(disks[0], BareHive):
        hive = disks[0].hive
        return registry_changes(outcome.operations, lambda name: (hive, bare.path(KeyName.parse(name))))
    names = HiveNames(Installation(disks, choice), read_loaded(target))

    def place(name: str) -> tuple[RegistryFile, str]:
        return names.place(KeyName.parse(name), parsed.view)

    return registry_changes(outcome.operations, place)
