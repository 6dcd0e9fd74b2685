"""vmrescue repair"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vmrescue.cli.applying import apply_and_report
from vmrescue.cli.options import (
    apply_options,
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


@click.command()
@image_argument
@data_disk_option
@policy_options
@check_options
@apply_options
@format_option
@quiet_option
def command(
    image: Path,
    data_disks: tuple[Path, ...],
    only: tuple[str, ...],
    skip: tuple[str, ...],
    yes: bool,
    dry_run: bool,
    backup_dir: Path | None,
    output: str,
    quiet: bool,
    **policy: Any,
) -> None:
    """Diagnose IMAGE, show the changes, ask, and make them: backed up, journalled, verified, and undone by `undo`."""
    from vmrescue.transaction import Transaction, must_be_editable

    with Transaction(image, data_disks, make_policy(**policy), writable=not dry_run) as transaction:
        must_be_editable(transaction.before)
        plan = transaction.before.plan(only or None, skip)
        apply_and_report(transaction, plan, yes, dry_run, backup_dir, output, quiet)
