"""vmrescue ls"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vmrescue.cli.options import format_option, place_arguments
from vmrescue.cli.output import json_item, put_list
from vmrescue.cli.terminal import say

if TYPE_CHECKING:
    from vmrescue.readers.file_system import Entry

LINES_AT_ONCE = 1000  # a call for each line takes longer than all else


@click.command()
@place_arguments
@format_option
def command(image: str, path: str, output: str) -> None:
    """List PATH of IMAGE[:VOLUME] (a partition's number or the guest's letter; else Windows' own).

    Times are when the content last changed: in UTC on NTFS, in the guest's own time on FAT.
    """
    from vmrescue.diagnosis import open_disks
    from vmrescue.printable import printable
    from vmrescue.windows.places import find_place, split_image

    file, volume = split_image(image)
    with open_disks([file]) as (disk,):
        place, below = find_place(disk, volume, path)
        asked = place.files.entry(below)
        entries = [asked] if asked and not asked.is_directory else place.files.entries(below)
    if asked and asked.is_directory and asked.is_link:
        say(f"\\{printable(below)} ({', '.join(asked.marks)}) is listed as it is on this volume", err=True)
    if output == "json":
        rows = (
            {
                "name": entry.name,
                "directory": entry.is_directory,
                "bytes": entry.size,
                "modified": entry.modified and entry.modified.isoformat(),
                "attributes": list(entry.flags),
                "marks": list(entry.marks),
            }
            for entry in entries
        )
        put_list(map(json_item, rows))
    else:
        for first in range(0, len(entries), LINES_AT_ONCE):
            say("\n".join(map(_line, entries[first : first + LINES_AT_ONCE])))


def _line(entry: Entry) -> str:
    from vmrescue.printable import printable

    size = "<DIR>" if entry.is_directory else str(entry.size)
    marks = f"  [{', '.join(marks)}]" if (marks := [*entry.flags, *entry.marks]) else ""
    when = str(entry.modified)[:16] if entry.modified else ""  # strftime takes longer than all else
    return f"{when:16}  {size:>15}  {printable(entry.name)}{marks}"
