"""vmrescue repair"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vmrescue.cli.applying import (
    also_written,
    apply_and_report,
    ask,
    asks_on_terminal,
    progress_bar,
    report,
    say_left_out,
    show,
    status_of,
)
from vmrescue.cli.options import (
    apply_options,
    check_options,
    choice_options,
    data_disk_option,
    image_argument,
    make_policy,
    policy_options,
)
from vmrescue.errors import UsageError

if TYPE_CHECKING:
    from vmrescue.cli.options import ApplyOptions


@click.command()
@image_argument
@data_disk_option
@choice_options
@policy_options
@check_options
@apply_options
@click.option("--copy-to", type=click.Path(path_type=Path), help="Repair a copy: a new fixed VHD, ready for Azure.")
@click.option("--into", type=click.Path(path_type=Path), help="Put the repair into a new differencing VHD over IMAGE.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    image: Path,
    data_disks: tuple[Path, ...],
    store: str | None,
    windows: str | None,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    copy_to: Path | None,
    into: Path | None,
    options: ApplyOptions,
    **policy: Any,
) -> None:
    """Diagnose IMAGE, show the changes, ask, and make them: backed up, journalled, verified, and undone by `undo`."""
    from vmrescue.image.new_image import must_be_new
    from vmrescue.image.reference import Reference
    from vmrescue.transaction import Transaction, must_be_editable, plan_of, repair
    from vmrescue.windows import Choice

    elsewhere, writable = bool(copy_to or into) and not options.dry_run, not (options.dry_run or copy_to or into)
    rules = make_policy(**policy)
    if copy_to and into:
        raise UsageError("a repair goes to a copy or into a child, not to both")
    if target := copy_to or into:
        must_be_new(target)
    choice = Choice(store, windows)
    with Transaction(image, data_disks, rules, writable, choice=choice, elsewhere=elsewhere) as transaction:
        diagnosis = transaction.diagnosis(only or None, skip)
        must_be_editable(diagnosis, only or None, skip)
        plan = plan_of(diagnosis, only or None, skip)
        briefly = asks_on_terminal(options) and not options.dry_run and len(plan) > 0
        say_left_out(diagnosis.left_out(only or None, skip), diagnosis.unmended(only or None, skip), briefly)
        if elsewhere:
            show(plan, options, asked=True)
            also = also_written(plan.changes, data_disks)
            ask([plan], f"{copy_to or into}, made from {Reference.of(image)}{also}", options)
        else:
            receipt = apply_and_report(transaction, plan, options)
    if elsewhere:
        with progress_bar("copying") as progress:
            receipt = repair(
                image,
                plan,  # what was shown and agreed to, whatever a diagnosis of the copy would say
                policy=rules,
                data_disks=data_disks,
                only=only or None,
                skip=skip,
                backup_dir=options.backup_dir,
                copy_to=copy_to,
                into=into,
                progress=progress,
                store=store,
                windows=windows,
            )
        report(receipt, options)
    ctx.exit(status_of(receipt.after, only, skip))
