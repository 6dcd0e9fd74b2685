"""vmrescue undo"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from vmrescue.cli.options import format_option, image_argument, quiet_option

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@image_argument
@click.option("--list", "show", is_flag=True, help="List the repairs of IMAGE; change nothing.")
@format_option
@quiet_option
def command(image: Path, show: bool, output: str, quiet: bool) -> None:
    """Take the last repair of IMAGE back: it is byte for byte as before. Refused if it was changed since."""
    from vmrescue.disk.remote import shown
    from vmrescue.printable import printable
    from vmrescue.report.receipt import history_text
    from vmrescue.transaction import history, undo

    if show:
        repairs = history(image)
        rows = [past.to_dict() for past in repairs]
        click.echo(json.dumps(rows, indent=2) if output == "json" else history_text(repairs))
        return
    number = undo(image)
    if quiet:
        return
    if output == "json":
        click.echo(json.dumps({"image": shown(image), "undone": number}))
    else:
        click.echo(printable(f"{shown(image)}: repair {number} was taken back; the image is as it was before."))
