"""vmrescue rm"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vmrescue.cli.editing import edit_place
from vmrescue.cli.options import apply_options, parent_option
from vmrescue.errors import NotFoundError

if TYPE_CHECKING:
    from vmrescue.cli.options import ApplyOptions
    from vmrescue.plan import Change, FileRef
    from vmrescue.windows import Volume


@click.command()
@click.argument("image")
@click.argument("path")
@parent_option
@apply_options
def command(image: str, path: str, options: ApplyOptions) -> None:
    """Delete the file PATH of IMAGE[:VOLUME]; `vmrescue undo` brings it back."""
    edit_place(image, path, _delete, "vmrescue rm", options)


def _delete(volume: Volume, ref: FileRef) -> Change:
    from vmrescue.plan import DeleteFile

    nature = volume.files.nature(ref.path)
    if not ref.path or (nature and nature.directory):
        raise NotFoundError(f"{ref if ref.path else f'the root of {volume}'} is a folder: only files are deleted")
    if nature is None:
        raise NotFoundError(f"there is no file {ref}")
    return DeleteFile(ref, nature.size)
