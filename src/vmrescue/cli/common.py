"""Options of every command, which may stand before its name and behind it: colour, and what is told of the way."""

from __future__ import annotations

from typing import Any

import click

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
    ]
    return command
