"""What `bcdedit` and `reg` share: Microsoft's words beside our own options, and their plans applied like any other."""

from __future__ import annotations

import json
import re
import sys
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from vmrescue.cli.completing import a_file
from vmrescue.cli.options import apply_options, parent_option
from vmrescue.cli.output import put
from vmrescue.errors import ReadError, VmRescueError
from vmrescue.signatures import HIVE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from vmrescue.cli.options import ApplyOptions
    from vmrescue.plan import Change
    from vmrescue.transaction import Transaction
    from vmrescue.windows import Disk

FINDINGS = 1  # exit status where nothing was found, or two keys differ
ASKS_FOR_HELP = ("/?", "-?")
ASK_FOR_HELP = re.compile(r'"(bcdedit|REG)(?: \w+)? /\?"')  # in a message


class MicrosoftCommand(click.Command):
    """A command whose own options are recognised by their full names only; all other words are Microsoft's.

    click would take ``-set`` or ``/d -1`` apart into options of one letter.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if any(word in ASKS_FOR_HELP for word in args):
            return super().parse_args(ctx, ["--help"])
        options = {name: each for each in self.get_params(ctx) if isinstance(each, click.Option) for name in each.opts}
        own: list[str] = []
        words: list[str] = []
        rest = deque(args)
        while rest:
            word = rest.popleft()
            option = options.get(word.partition("=")[0])
            if word == "--":
                words += rest
                break
            if option is None:
                words.append(word)
                continue
            own.append(word)
            if not (option.is_flag or option.count) and "=" not in word and rest:
                own.append(rest.popleft())
        return super().parse_args(ctx, [*own, "--", *words])


def microsoft_command(function: Any) -> click.Command:
    """Makes a command of a function of `target`, `words` and our own options."""
    function = click.argument("words", nargs=-1, type=click.UNPROCESSED)(parent_option(apply_options(function)))
    target = click.argument("target", metavar="IMAGE", shell_complete=a_file)
    command: click.Command = click.command(cls=MicrosoftCommand)(target(function))
    return command


def is_bare_hive(target: str) -> bool:
    """Whether the file is a hive itself, by its first bytes."""
    try:
        with open(target, "rb") as stream:
            return stream.read(len(HIVE)) == HIVE
    except OSError:
        return False  # opening it as an image says what is wrong


def read_bare_hive(target: str) -> tuple[bytes, list[bytes]]:
    """The file and its transaction logs, as they were before an interrupted edit if there was one."""
    from pathlib import Path

    from vmrescue.registry.base_block import LOG_SUFFIXES
    from vmrescue.registry.hive_file import read_hive, read_log

    path = Path(target).resolve()
    logs = (path.with_name(path.name + suffix) for suffix in LOG_SUFFIXES)
    try:
        # Only an edit leaves such a folder; without one there is no journal to look for, and no room to load for it.
        data = _as_journal_says(target) if Path(f"{path}.vmrescue").is_dir() else _read(path, read_hive)
        return data, [_read(log, read_log) for log in logs if log.is_file()]
    except OSError as error:
        raise ReadError(f"cannot read {target}: {error.strerror}") from error


def _read(path: Path, read: Callable[[BinaryIO, str], bytes]) -> bytes:
    with path.open("rb") as stream:
        return read(stream, str(path))


def _as_journal_says(target: str) -> bytes:
    from vmrescue.image.recovery import open_for_reading
    from vmrescue.readers.stream import DeviceStream
    from vmrescue.registry.hive_file import read_hive

    stored, _ = open_for_reading(target)
    try:
        return read_hive(DeviceStream(stored), target)
    finally:
        stored.close()


@contextmanager
def own_words() -> Iterator[None]:
    """Prints Microsoft's messages unchanged, several lines without our name before them, and how to ask for help."""
    try:
        yield
    except VmRescueError as error:
        told = ASK_FOR_HELP.sub(lambda match: f'"vmrescue {match[1].lower()} IMAGE /?"', str(error))
        print_lines(told.split("\n"), err=True)
        sys.exit(error.exit_status)


def print_lines(lines: Iterable[str], err: bool = False) -> None:
    """Prints each line so that nothing in it can make another line, or move the cursor."""
    from vmrescue.printable import printable

    shown = list(map(printable, lines))
    if shown:
        put("\n".join(shown), err=err)


def print_notes(notes: Iterable[str]) -> None:
    """What is to be said beside a listing, which stays as Microsoft prints it."""
    from vmrescue.cli.terminal import say
    from vmrescue.printable import printable

    for note in notes:
        say(printable(f"note: {note}"), err=True)


def print_listing(lines: Sequence[str], data: object, options: ApplyOptions) -> None:
    """A listing as Microsoft prints it, or as JSON."""
    if options.quiet:
        return
    if options.output == "json" and data is not None:
        put(json.dumps(data, indent=2))
    else:
        print_lines(lines)


def edit(
    target: str, name: str, words: Sequence[str], make: Callable[[list[Disk]], list[Change]], options: ApplyOptions
) -> None:
    """Makes the changes of a command, from the plan to the receipt; its name and words are the plan's reason."""
    from vmrescue.cli.applying import edit_and_report
    from vmrescue.plan import Plan, Step

    def plan(transaction: Transaction) -> Plan:
        steps = tuple(Step(name, " ".join(words), change) for change in make(transaction.disks()))
        return Plan(transaction.identity, steps)

    edit_and_report(target, plan, options)
