"""vmrescue cat"""

from __future__ import annotations

import click

from vmrescue.cli.options import place_arguments
from vmrescue.cli.output import put_bytes


@click.command()
@place_arguments
def command(image: str, path: str) -> None:
    """Write the file PATH of IMAGE[:VOLUME] to standard output, byte for byte."""
    from vmrescue.diagnosis import open_disks
    from vmrescue.readers.file_system import chunks
    from vmrescue.windows.places import find_place, open_file, split_image

    file, volume = split_image(image)
    with open_disks([file]) as (disk,):
        place, below = find_place(disk, volume, path)
        for chunk in chunks(open_file(place, below)):
            put_bytes(chunk)
