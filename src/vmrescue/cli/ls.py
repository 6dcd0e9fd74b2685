"""vmrescue ls"""

from __future__ import annotations

import json

import click

from vmrescue.cli.options import format_option, place_arguments


@click.command()
@place_arguments
@format_option
def command(image: str, path: str, output: str) -> None:
    """List PATH of IMAGE[:VOLUME] (a partition's number or the guest's letter; else Windows' own)."""
    from vmrescue.checks import open_disks
    from vmrescue.printable import printable
    from vmrescue.windows.file_system import Entry, parts_of
    from vmrescue.windows.places import find_place, split_image

    file, volume = split_image(image)
    with open_disks([file]) as (disk,):
        place, below = find_place(disk, volume, path)
        length = place.files.size_of(below)
        entries = place.files.entries(below) if length is None else [Entry(parts_of(below)[-1], False, length)]
    if output == "json":
        rows = [{"name": entry.name, "directory": entry.is_directory, "bytes": entry.size} for entry in entries]
        click.echo(json.dumps(rows, indent=2))
    else:
        for entry in entries:
            size = "<DIR>" if entry.is_directory else str(entry.size)
            click.echo(f"{size:>15}  {printable(entry.name)}")
