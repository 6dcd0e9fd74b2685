"""vmrescue info"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from vmrescue.cli.options import OneImage, choice_options, data_disk_option, format_option, image_argument
from vmrescue.cli.output import put
from vmrescue.cli.terminal import say

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.windows import Choice

SCHEMA = "vmrescue.info/1"


@click.command(cls=OneImage)
@image_argument
@data_disk_option
@choice_options
@format_option
def command(image: Path, data_disks: tuple[Path, ...], choice: Choice, output: str) -> None:
    """Show the disk, its volumes to scale, and the Windows in IMAGE."""
    from vmrescue.diagnosis import inventory
    from vmrescue.report.layout import info_text

    diagnosis = inventory(image, data_disks, store=choice.store, windows=choice.windows)
    if output == "json":
        document = diagnosis.to_dict() | {"schema": SCHEMA}
        del document["findings"], document["not_checked"]
        put(json.dumps(document, indent=2))
    else:
        say(info_text(diagnosis))
