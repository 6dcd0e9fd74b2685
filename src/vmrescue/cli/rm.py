"""vmrescue rm"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vmrescue.cli.editing import edit_place
from vmrescue.cli.options import apply_options, format_option, quiet_option
from vmrescue.errors import NotFoundError

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.plan import Change, FileRef
    from vmrescue.windows import Volume


@click.command()
@click.argument("image")
@click.argument("path")
@apply_options
@format_option
@quiet_option
def command(image: str, path: str, yes: bool, dry_run: bool, backup_dir: Path | None, output: str, quiet: bool) -> None:
    """Delete the file PATH of IMAGE[:VOLUME]; `vmrescue undo` brings it back."""
    edit_place(image, path, _delete, "vmrescue rm", (yes, dry_run, backup_dir, output, quiet))


def _delete(volume: Volume, ref: FileRef) -> Change:
    from vmrescue.plan import DeleteFile

    size = volume.files.size_of(ref.path)
    if size is None:
        raise NotFoundError(f"there is no file {ref}")
    return DeleteFile(ref, size)
