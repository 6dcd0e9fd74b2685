"""vmrescue rehearse"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from vmrescue.cli.options import (
    OneImage,
    choice_options,
    data_disk_option,
    format_option,
    image_argument,
    policy_option,
)
from vmrescue.cli.output import put
from vmrescue.cli.terminal import say

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.windows import Choice

STOPS = 1  # exit status: the start ends before Windows runs, or damage hides whether it does
SCHEMA = "vmrescue.rehearsal/1"


@click.command(cls=OneImage)
@image_argument
@data_disk_option
@choice_options
@policy_option("platform")
@policy_option("ram")
@click.option("--full", is_flag=True, help="Show everything that was examined, not only what is odd.")
@format_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    image: Path,
    data_disks: tuple[Path, ...],
    choice: Choice,
    platform: str | None,
    ram: int | None,
    full: bool,
    output: str,
) -> None:
    """Follow the boot path of IMAGE as firmware, boot manager, loader and kernel would take it; nothing is run.

    Exit status: 1 if the start ends, or if damage of the disk hides whether it does; else 0.
    """
    from vmrescue.diagnosis import rehearse
    from vmrescue.report.rehearsal import rehearsal_text

    found = rehearse(image, platform or "auto", ram, data_disks, store=choice.store, windows=choice.windows)
    if output == "json":
        put(json.dumps({"schema": SCHEMA} | found.to_dict(), indent=2))
    else:
        say(rehearsal_text(found, full))
    ctx.exit(STOPS if found.stop or found.damage else 0)
