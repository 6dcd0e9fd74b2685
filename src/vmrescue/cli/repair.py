"""vmrescue repair"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from vmrescue.cli.applying import apply_and_report, copying_progress, report, show_and_ask
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


@click.command()
@image_argument
@data_disk_option
@policy_options
@check_options
@apply_options
@click.option("--copy-to", type=click.Path(path_type=Path), help="Repair a copy: a new fixed VHD, ready for Azure.")
@click.option("--into", type=click.Path(path_type=Path), help="Put the repair into a new differencing VHD over IMAGE.")
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
    copy_to: Path | None,
    into: Path | None,
    output: str,
    quiet: bool,
    **policy: Any,
) -> None:
    """Diagnose IMAGE, show the changes, ask, and make them: backed up, journalled, verified, and undone by `undo`."""
    from vmrescue.transaction import Transaction, must_be_editable, repair

    elsewhere = bool(copy_to or into) and not dry_run
    rules = make_policy(**policy)
    with Transaction(image, data_disks, rules, writable=not (dry_run or elsewhere)) as transaction:
        must_be_editable(transaction.before)
        plan = transaction.before.plan(only or None, skip)
        if not elsewhere:
            apply_and_report(transaction, plan, yes, dry_run, backup_dir, output, quiet)
            return
        show_and_ask(plan, f"{copy_to or into}, made from {image}", yes, output == "text" and not quiet)
    with copying_progress(quiet) as progress:
        receipt = repair(
            image,
            policy=rules,
            data_disks=data_disks,
            only=only or None,
            skip=skip,
            backup_dir=backup_dir,
            copy_to=copy_to,
            into=into,
            progress=progress,
        )
    report(receipt, output, quiet)
