"""vmrescue diagnose"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from vmrescue.cli.options import (
    OneImage,
    check_options,
    choice_options,
    data_disk_option,
    image_argument,
    policy_options,
    quiet_option,
)
from vmrescue.cli.output import put
from vmrescue.cli.terminal import say

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.checks import Policy
    from vmrescue.windows import Choice

report_option = click.option(
    "--format",
    "output",
    type=click.Choice(["text", "json", "html"]),
    default="text",
    show_default=True,
    help="How to print; html is one file that needs nothing else.",
)

FINDINGS = 1  # exit status: findings of warning or critical


@click.command(cls=OneImage)
@image_argument
@data_disk_option
@choice_options
@policy_options
@check_options
@report_option
@click.option("--symptom", metavar="TEXT", help="A code or words from the screen: does the boot path end so?")
@quiet_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    image: Path,
    data_disks: tuple[Path, ...],
    choice: Choice,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    output: str,
    symptom: str | None,
    quiet: bool,
    policy: Policy,
) -> None:
    """Say what is wrong in IMAGE (a VHD, a raw image, a block device); nothing is written."""
    from vmrescue.diagnosis import diagnose
    from vmrescue.report.text import diagnosis_text

    if output == "html":
        from vmrescue.report.html import diagnose_as_page

        diagnosis, document = diagnose_as_page(image, policy, data_disks, only or None, skip, choice)
    else:
        diagnosis = diagnose(image, policy, data_disks, only or None, skip, store=choice.store, windows=choice.windows)
        if symptom:
            diagnosis = diagnosis.explaining(symptom)
        document = json.dumps(diagnosis.to_dict(), indent=2) if output == "json" else diagnosis_text(diagnosis)
    if not quiet:
        (say if output == "text" else put)(document)
    ctx.exit(0 if diagnosis.healthy else FINDINGS)
