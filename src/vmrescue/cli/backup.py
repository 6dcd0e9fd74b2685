"""vmrescue backup"""

from __future__ import annotations

import json
from pathlib import Path

import click

from vmrescue.cli.options import format_option, image_argument, quiet_option
from vmrescue.cli.output import put
from vmrescue.cli.terminal import say


@click.command()
@image_argument
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@format_option
@quiet_option
def command(image: Path, folder: Path, output: str, quiet: bool) -> None:
    r"""Copy \Windows\System32\config and the boot store of IMAGE[:VOLUME] to FOLDER, with a manifest.

    All that can be read is copied. What cannot is named, there and in the manifest; the exit status is then 3.
    """
    from vmrescue.printable import printable
    from vmrescue.procedure.tasks import backup
    from vmrescue.windows.places import split_image

    file, volume = split_image(str(image))
    rows = backup(file, folder, volume=volume)
    if output == "json":
        put(json.dumps(rows, indent=2))
    elif not quiet:
        for row in rows:
            say(f"{row['bytes']:>12}  {printable(row['path'])}  ->  {printable(folder / row['copy'])}")
