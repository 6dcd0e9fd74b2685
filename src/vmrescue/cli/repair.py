"""vmrescue repair"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vmrescue.cli.applying import asks_on_terminal, edit_and_report, end_of_chosen, say_left_out
from vmrescue.cli.many import fleet_options
from vmrescue.cli.options import (
    apply_options,
    check_options,
    choice_options,
    data_disk_option,
    images_argument,
    make_policy,
    policy_options,
)

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.cli.many import FleetOptions
    from vmrescue.cli.options import ApplyOptions
    from vmrescue.plan import Plan
    from vmrescue.transaction import Transaction


@click.command()
@data_disk_option
@choice_options
@policy_options
@check_options
@apply_options
@fleet_options
@images_argument
@click.pass_context
def command(
    ctx: click.Context,
    /,
    images: tuple[Path, ...],
    data_disks: tuple[Path, ...],
    store: str | None,
    windows: str | None,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    options: ApplyOptions,
    fleet: FleetOptions,
    **policy: Any,
) -> None:
    """Diagnose IMAGE, show the changes, ask, and make them: backed up, journalled, verified, and undone by `undo`.

    Of many images (files, folders, globs, @LIST.txt) each is repaired by itself: after a dry run of all and a question,
    unless --yes is given. Exit status: the largest of theirs.
    """
    from vmrescue.transaction import must_be_editable, plan_of
    from vmrescue.windows import Choice

    def plan(transaction: Transaction) -> Plan:
        diagnosis = transaction.diagnosis(only or None, skip)
        must_be_editable(diagnosis, only or None, skip)
        made = plan_of(diagnosis, only or None, skip)
        briefly = asks_on_terminal(options) and not options.dry_run and len(made) > 0
        say_left_out(diagnosis.left_out(only or None, skip), diagnosis.unmended(only or None, skip), briefly)
        return made

    rules, choice = make_policy(**policy), Choice(store, windows)
    if fleet.many(images):
        from vmrescue.cli.fleet_repair import about_one, run_over
        from vmrescue.fleet.runs import repairing

        about_one(options, data_disk=data_disks)
        work = repairing(rules, only=only or None, skip=skip, dry_run=options.dry_run, choice=choice)
        ctx.exit(run_over(work, images, fleet, options))
    [image] = images
    receipt = edit_and_report(image, plan, options, data_disks=data_disks, policy=rules, choice=choice, promise=True)
    ctx.exit(end_of_chosen(receipt, options, only, skip))
