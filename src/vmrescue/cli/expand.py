"""vmrescue expand"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vmrescue.cli.applying import edit_and_report
from vmrescue.cli.options import Size, apply_options, image_and_volume, image_argument

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.cli.options import ApplyOptions


@click.command()
@image_argument
@click.option("--size", type=Size(), required=True, help="The disk's new size, such as 256G: whole MiB, to 4095G.")
@click.option("--partition", "number", type=int, help="The partition that gets the room  [default: the OS volume's]")
@click.option("--move-recovery", is_flag=True, help="Move a recovery partition that is in the way to the disk's end.")
@apply_options
def command(
    image: Path,
    size: int,
    number: int | None,
    move_recovery: bool,
    options: ApplyOptions,
) -> None:
    """Make the disk in IMAGE[:VOLUME] larger, with its table, a partition and its NTFS volume; undone by `undo`."""
    from vmrescue.procedure.tasks import expansion_plan
    from vmrescue.transaction.machine import Machine

    file, volume = image_and_volume(image, number)
    edit_and_report(Machine(file), expansion_plan(size, volume, move_recovery), options)
