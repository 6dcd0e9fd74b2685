"""Options of every command, which may stand before its name and behind it: colour, log, help."""

from __future__ import annotations

from typing import Any

import click

from vmrescue.cli.output import put

COLOURS = {"auto": None, "always": True, "never": False}


def _colour(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.color = COLOURS[value]


def _verbose(ctx: click.Context, param: click.Parameter, value: int) -> None:
    if value:
        from vmrescue.cli.logs import tell_terminal

        tell_terminal(ctx, value)


def _log_file(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value is not None:
        from vmrescue.cli.logs import tell_file

        tell_file(ctx, value)


def _help(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    """As click's own, which takes no notice of an output that is full."""
    if value and not ctx.resilient_parsing:
        put(ctx.get_help())
        ctx.exit()


def common_options(command: click.Command, short: bool = True) -> click.Command:
    """Adds them to a command; `short`: with -v, which may be a word of Microsoft's in `reg` and the like."""
    if any(param.name == "log_file" for param in command.params):
        return command  # of an earlier look-up
    settings: dict[str, Any] = {"expose_value": False}
    command.params += [
        click.Option(
            ["--color"],
            type=click.Choice(list(COLOURS)),
            callback=_colour,
            help="Colour what is bad  [default: auto, on a terminal unless NO_COLOR is set]",
            **settings,
        ),
        click.Option(
            [*(["-v"] if short else []), "--verbose"],
            count=True,
            callback=_verbose,
            help="Say on stderr what is opened and decided, and why; twice: what is looked at, too.",
            **settings,
        ),
        click.Option(
            ["--log-file"],
            type=click.Path(dir_okay=False),
            callback=_log_file,
            help="Add all of that to this file, with the time.",
            **settings,
        ),
        click.Option(
            ["-h", "--help"],
            is_flag=True,
            is_eager=True,
            callback=_help,
            help="Show this message and exit.",
            **settings,
        ),
    ]
    return command
