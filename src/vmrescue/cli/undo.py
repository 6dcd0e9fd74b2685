"""vmrescue undo"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vmrescue.cli.options import image_argument, quiet_option

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@image_argument
@quiet_option
def command(image: Path, quiet: bool) -> None:
    """Take the last repair of IMAGE back: it is byte for byte as before. Refused if it was changed since."""
    from vmrescue.report.printable import printable
    from vmrescue.transaction import undo

    number = undo(image)
    if not quiet:
        click.echo(printable(f"{image}: repair {number} was taken back; the image is as it was before."))
