"""vmrescue repair"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vmrescue.cli.applying import asks_on_terminal, end_of_chosen, say_left_out, try_and_report
from vmrescue.cli.many import fleet_options
from vmrescue.cli.options import (
    apply_options,
    check_options,
    choice_options,
    data_disk_option,
    images_argument,
    policy_options,
)
from vmrescue.cli.terminal import say

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.checks import Policy
    from vmrescue.cli.many import FleetOptions
    from vmrescue.cli.options import ApplyOptions
    from vmrescue.transaction import Receipt, Transaction
    from vmrescue.windows import Choice


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
    choice: Choice,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    options: ApplyOptions,
    fleet: FleetOptions,
    policy: Policy,
) -> None:
    """Diagnose IMAGE, show the changes, ask, and make them: backed up, journalled, verified, and undone by `undo`.

    Several images (files, folders, globs, @LIST.txt) are repaired one by one, after a dry run of all and one question,
    unless --yes is given. Exit status: the largest of theirs.
    """
    from vmrescue.cli.diagnose import FINDINGS
    from vmrescue.report.receipt import left_lines
    from vmrescue.transaction import mended
    from vmrescue.transaction.machine import Machine

    def tried(transaction: Transaction) -> Receipt:
        receipt = mended(transaction, only or None, skip)
        left = receipt.after or transaction.diagnosis(only or None, skip)
        briefly = asks_on_terminal(options) and not options.dry_run and len(receipt.plan) > 0
        say_left_out(left.left_out(only or None, skip), left.unmended(only or None, skip), briefly)
        return receipt

    if fleet.many(images):
        from vmrescue.cli.fleet_repair import about_one, run_over
        from vmrescue.fleet.runs import repairing

        about_one(options, data_disk=data_disks)
        work = repairing(policy, only=only or None, skip=skip, dry_run=options.dry_run, choice=choice)
        ctx.exit(run_over(work, images, fleet, options))
    [image] = images
    receipt = try_and_report(Machine(image, data_disks, policy, choice), tried, options, promise=True)
    stands = receipt.after.standing(only) if receipt.after and not receipt.written else None
    if receipt.after and stands and options.talkative:
        say("This stands all the same:\n" + "\n".join(left_lines(receipt.after, stands)))
    ctx.exit(FINDINGS if stands else end_of_chosen(receipt, options, only, skip))
