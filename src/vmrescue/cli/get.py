"""vmrescue get"""

from __future__ import annotations

from pathlib import Path
from stat import S_IFDIR

import click

from vmrescue.cli.options import place_arguments, quiet_option
from vmrescue.cli.terminal import say
from vmrescue.errors import UsageError, WriteError


@click.command()
@place_arguments
@click.argument("target", type=click.Path(), default=".")
@click.option("--force", "-f", is_flag=True, help="Overwrite a file that is there.")
@quiet_option
def command(image: str, path: str, target: str, force: bool, quiet: bool) -> None:
    """Copy the file PATH of IMAGE[:VOLUME] to TARGET, a file or a folder; FOLDER/ is made where it is missing."""
    from vmrescue import file_path
    from vmrescue.diagnosis import open_disks
    from vmrescue.file_names import harmless
    from vmrescue.image.exported import write_exported
    from vmrescue.printable import printable
    from vmrescue.progress import counting, work
    from vmrescue.readers.file_system import chunks
    from vmrescue.windows.places import find_place, open_file, split_image

    if target == "-":
        raise UsageError("`vmrescue cat` writes a file to standard output; ./- is a file of that name")
    file, volume = split_image(image)
    with open_disks([file]) as (disk,):
        place, below = find_place(disk, volume, path)
        source = open_file(place, below)
        out = _in_folder(target, harmless(file_path.split(below)[-1]))
        with work("copying", place.files.size_of(below)) as now:
            write_exported(out, counting(chunks(source), now), force, file)
    if not quiet:
        say(printable(out))


def _in_folder(target: str, name: str) -> Path:
    """The file's path, in the folder that the target is or, by the slash at its end, is to be. Raises WriteError."""
    from vmrescue.files import kind_of

    if not target.endswith("/"):
        return Path(target) / name if kind_of(target) == S_IFDIR else Path(target)
    try:
        Path(target).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"cannot make the folder {target}: {error.strerror}") from error
    return Path(target) / name
