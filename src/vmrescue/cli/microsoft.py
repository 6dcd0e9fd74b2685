"""What `bcdedit` and `reg` share: Microsoft's words beside our own options, and their plans applied like any other."""

from __future__ import annotations

import importlib
import json
import re
from collections import deque
from typing import TYPE_CHECKING, Any, NoReturn

import click

from vmrescue.cli.completing import a_file
from vmrescue.cli.options import apply_options, parent_option
from vmrescue.cli.output import put

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vmrescue.cli.options import ApplyOptions
    from vmrescue.commands.outcome import Outcome
    from vmrescue.procedure.microsoft import Edit, Ran

NEGATIVE = 1  # exit status of Microsoft's programs where nothing was found, or two keys differ
ASKS_FOR_HELP = ("/?", "-?")
_ASK_FOR_HELP = re.compile(r'"(bcdedit|REG)((?: \w+)?) /\?"')  # in a message


class MicrosoftCommand(click.Command):
    """A command whose own options are recognised by their full names only; all other words are Microsoft's.

    click would take ``-set`` or ``/d -1`` apart into options of one letter.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if any(word in ASKS_FOR_HELP for word in args):
            self.help_on(ctx, [word for word in args if word not in ASKS_FOR_HELP])
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

    def help_on(self, ctx: click.Context, words: Sequence[str]) -> NoReturn:
        """Prints what is asked for with /?."""
        put(ctx.get_help())
        ctx.exit()


class LanguageCommand(MicrosoftCommand):
    """One with commands of its own, each with its own help: in the layout of Microsoft's program."""

    def help_on(self, ctx: click.Context, words: Sequence[str]) -> NoReturn:
        usage = importlib.import_module(f"vmrescue.commands.{self.name}.usage").usage
        put(usage(words, f"vmrescue {self.name} IMAGE"))
        put(f"\nThe options of vmrescue itself: vmrescue {self.name} --help")
        ctx.exit()


def microsoft_command(function: Any) -> click.Command:
    """Makes a command of a function of `target`, `words` and our own options."""
    function = click.argument("words", nargs=-1, type=click.UNPROCESSED)(parent_option(apply_options(function)))
    target = click.argument("target", metavar="IMAGE", shell_complete=a_file)
    name = function.__module__.rpartition(".")[2]
    command: click.Command = click.command(name, cls=LanguageCommand)(target(function))
    return command


def our_help_in(text: str) -> str:
    """A message of Microsoft's, with how help is asked for here."""
    return _ASK_FOR_HELP.sub(lambda match: f'"vmrescue {match[1].lower()} IMAGE{match[2].lower()} /?"', text)


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
    """A listing as Microsoft prints it, or as JSON; of what lists nothing, what it prints."""
    if options.quiet:
        return
    if options.output == "json":
        put(json.dumps({"output": list(lines)} if data is None else data, indent=2))
    else:
        print_lines(lines)


def finish(command: Ran | Edit, options: ApplyOptions) -> Outcome:
    """Makes what a command asks for, from the plan to the receipt, and prints what Microsoft's program prints."""
    from vmrescue.cli.applying import edit_and_report
    from vmrescue.cli.new_file import write_unless_dry
    from vmrescue.procedure.microsoft import Edit

    if isinstance(command, Edit):
        from vmrescue.transaction.machine import Machine

        edit = command
        machine = Machine(edit.image, choice=edit.choice)
        edit_and_report(machine, edit.plan, options, asks=lambda: edit.outcome.asks)
        if not options.dry_run and options.output != "json":
            print_listing(command.outcome.lines, command.outcome.data, options)
        return command.outcome
    if command.file:
        write_unless_dry(*command.file, command.image, options._replace(yes=options.yes or command.may_overwrite))
    if not options.dry_run:
        command.keep_names()
    elif command.names is not None and options.talkative:
        put("Nothing was written.")
    if not (options.dry_run and (command.file or command.names is not None)):
        print_listing(command.outcome.lines, command.outcome.data, options)
    return command.outcome
