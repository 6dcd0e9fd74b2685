"""vmrescue undo"""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING

import click

from vmrescue.cli.applying import tell
from vmrescue.cli.options import format_option, image_argument, quiet_option
from vmrescue.cli.terminal import say
from vmrescue.errors import UsageError
from vmrescue.interrupts import held

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@image_argument
@click.option("--list", "show", is_flag=True, help="List the repairs of IMAGE; change nothing.")
@click.option(
    "--although-changed",
    is_flag=True,
    help="Even where there are signs that somebody else has written to IMAGE since: that can destroy files.",
)
@click.option("--all", "everything", is_flag=True, help="Take all repairs back, the last first.")
@click.option("--to", "first", metavar="ID", help="Take back this repair, by number or id, and all that came after it.")
@format_option
@quiet_option
def command(
    image: Path, show: bool, although_changed: bool, everything: bool, first: str | None, output: str, quiet: bool
) -> None:
    """Take the last repair of IMAGE back: the bytes that it wrote become what they were.

    Refused where one of them was changed since, or where there are signs that somebody else has written to IMAGE: that
    Windows ran, that it was mounted or edited. What was looked at is said.
    """
    from vmrescue.report.receipt import history_text, undone_text
    from vmrescue.transaction import history
    from vmrescue.transaction.undoing import take_back_to

    if everything and first:
        raise UsageError("--all and --to name two ends")
    if show:
        repairs = history(image)
        if output == "json":
            click.echo(json.dumps([past.to_dict() for past in repairs], indent=2))
        else:
            say(history_text(repairs))
        return
    with held():  # what was changed is said, whatever ends the command then
        for undone in islice(take_back_to(image, first, although_changed), None if everything or first else 1):
            if output == "json" and not quiet:
                tell(json.dumps(undone.to_dict()), True, click.echo)
            elif not quiet:
                tell(undone_text(undone), True)
