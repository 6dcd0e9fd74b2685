"""vmrescue undo"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from vmrescue.cli.applying import tell
from vmrescue.cli.options import format_option, image_argument, quiet_option
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
@format_option
@quiet_option
def command(image: Path, show: bool, although_changed: bool, output: str, quiet: bool) -> None:
    """Take the last repair of IMAGE back: the bytes that it wrote become what they were.

    Refused where one of them was changed since, or where there are signs that somebody else has written to IMAGE: that
    Windows ran, that it was mounted or edited. What was looked at is said.
    """
    from vmrescue.report.receipt import history_text, undone_text
    from vmrescue.transaction import history, take_back

    if show:
        repairs = history(image)
        rows = [past.to_dict() for past in repairs]
        click.echo(json.dumps(rows, indent=2) if output == "json" else history_text(repairs))
        return
    with held():  # what was changed is said, whatever ends the command then
        undone = take_back(image, although_changed)
        if output == "json" and not quiet:
            tell(json.dumps(undone.to_dict()), True)
        elif not quiet:
            tell(undone_text(undone), True)
