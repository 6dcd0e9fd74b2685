"""vmrescue apply"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vmrescue.cli.applying import apply_and_report
from vmrescue.cli.options import apply_options, data_disk_option, format_option, image_argument, quiet_option

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO


@click.command()
@click.argument("plan", type=click.File("rb"))
@image_argument
@data_disk_option
@apply_options
@format_option
@quiet_option
def command(
    plan: BinaryIO,
    image: Path,
    data_disks: tuple[Path, ...],
    yes: bool,
    dry_run: bool,
    backup_dir: Path | None,
    output: str,
    quiet: bool,
) -> None:
    """Apply PLAN (JSON from `vmrescue plan`; - for standard input) to IMAGE, if what it found is still so."""
    from vmrescue.plan import Plan
    from vmrescue.transaction import Transaction

    parsed = Plan.from_json(plan.read())
    with Transaction(image, data_disks, writable=not dry_run) as transaction:
        apply_and_report(transaction, parsed, yes, dry_run, backup_dir, output, quiet)
