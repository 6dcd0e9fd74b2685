"""vmrescue diagnose"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from vmrescue.cli.options import (
    check_options,
    data_disk_option,
    format_option,
    image_argument,
    make_policy,
    policy_options,
    quiet_option,
)

if TYPE_CHECKING:
    from pathlib import Path

FINDINGS = 1  # exit status: findings of warning or critical


@click.command()
@image_argument
@data_disk_option
@policy_options
@check_options
@format_option
@quiet_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    image: Path,
    data_disks: tuple[Path, ...],
    only: tuple[str, ...],
    skip: tuple[str, ...],
    output: str,
    quiet: bool,
    **policy: Any,
) -> None:
    """Say what is wrong in IMAGE (a VHD, a raw image, a block device); nothing is written."""
    from vmrescue.checks import diagnose
    from vmrescue.report.text import diagnosis_text

    diagnosis = diagnose(image, make_policy(**policy), data_disks, only, skip)
    if not quiet:
        click.echo(json.dumps(diagnosis.to_dict(), indent=2) if output == "json" else diagnosis_text(diagnosis))
    ctx.exit(0 if diagnosis.healthy else FINDINGS)
