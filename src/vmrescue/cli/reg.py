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

if TYPE_CHECKING:
    from vmrescue.cli.options import ApplyOptions
    from vmrescue.commands.reg import Command, Outcome
    from vmrescue.commands.reg.one_hive import OneHive
    from vmrescue.plan import Change
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

    query, add, delete, copy, export, import, compare; check looks for damage. Keys are named as the guest sees them:
    HKLM\\SYSTEM (with CurrentControlSet), SOFTWARE, SAM, SECURITY, HKU\\.DEFAULT, HKU\\USER. A hive's file goes by any
    name below HKLM. A slash is a letter; a backslash, a line break and the like in a key's name are written \\\\{5c},
    \\\\{a}. Symbolic links are followed; query, copy, export and delete take a link itself. What is written is shown,
    confirmed (unless /f or --yes), backed up, verified, and undone by `vmrescue undo`. Exit status 1: nothing matched,
    the keys differ, or there is damage.
    """
    from vmrescue.cli.new_file import write_unless_dry
    from vmrescue.commands.reg import parse
    from vmrescue.windows import Choice

    choice = Choice(store, windows)
    with own_words():
        parsed = parse(words)
    options = options._replace(yes=options.yes or parsed.asks_nothing)
    content = _file_to_import(parsed)
    bare = _bare(target) if is_bare_hive(target) else None
    outcome = _run_on_hive(parsed, bare, content) if bare else _run_on_image(parsed, target, content, choice)
    exports = outcome.export is not None
    if outcome.export is not None:
        write_unless_dry(Path(parsed.arguments[1]), outcome.export, options)
    if outcome.operations:
        edit(target, "reg", words, lambda disks: _changes(parsed, outcome, disks, bare, choice), options)
    if not ((outcome.operations and options.output == "json") or (options.dry_run and (outcome.operations or exports))):
        print_listing(outcome.lines, outcome.data, options)
    sys.exit(0 if outcome.passed else FINDINGS)


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
    from vmrescue.diagnosis import open_disks
    from vmrescue.windows import Installation

    with open_disks([target]) as disks:
        names = HiveNames(Installation(disks, choice))
        with own_words():
            outcome = run(parsed, names, content)
        print_notes(names.notes())
        return outcome


def _changes(
    parsed: Command, outcome: Outcome, disks: list[Disk], bare: OneHive | None, choice: Choice
) -> list[Change]:
    """The operations as changes of the hives on these disks."""
    from vmrescue.commands.reg import KeyName
    from vmrescue.commands.reg.hive_names import HiveNames
    from vmrescue.commands.reg.registry_changes import registry_changes
    from vmrescue.windows import Installation
    from vmrescue.windows.bare_hive import BareHive

    if bare and isinstance(disks[0], BareHive):
        hive = disks[0].hive
        return registry_changes(outcome.operations, lambda name: (hive, bare.path(KeyName.parse(name))))
    names = HiveNames(Installation(disks, choice))

    def place(name: str) -> tuple[RegistryFile, str]:
        return names.place(KeyName.parse(name), parsed.view)

    return registry_changes(outcome.operations, place)
