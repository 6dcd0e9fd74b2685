"""vmrescue put"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

import click

from vmrescue.cli.editing import edit_place
from vmrescue.cli.options import apply_options, parent_option
from vmrescue.errors import UnsupportedError

if TYPE_CHECKING:
    from vmrescue.cli.options import ApplyOptions
    from vmrescue.plan import FileRef
    from vmrescue.windows import Volume


LARGEST = 256 << 20  # bytes: they are in memory several times over, in the plan, its receipt and the overlay


@click.command()
@click.argument("image")
@click.argument("source", type=click.File("rb"))
@click.argument("path")
@parent_option
@apply_options
def command(
    image: str,
    source: BinaryIO,
    path: str,
    options: ApplyOptions,
) -> None:
    """Copy the file SOURCE (- for standard input; to 256 MiB) into IMAGE[:VOLUME] as PATH, replacing what is there."""
    from vmrescue.files import read_whole
    from vmrescue.plan import PutFile
    from vmrescue.transaction import file_hash

    data = read_whole(source, LARGEST)

    def change(volume: Volume, ref: FileRef) -> PutFile:
        try:
            return PutFile(ref, file_hash(volume, ref.path), data)
        except UnsupportedError as error:
            raise UnsupportedError(f"{error}; what is not read is not replaced") from error

    edit_place(image, path, change, "vmrescue put", options)
