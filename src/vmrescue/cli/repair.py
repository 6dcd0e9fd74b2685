"""vmrescue repair"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vmrescue.cli.applying import asks_on_terminal, edit_and_report, say_left_out, status_of
from vmrescue.cli.options import (
    apply_options,
    check_options,
    choice_options,
    data_disk_option,
    image_argument,
    make_policy,
    policy_options,
)

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.cli.options import ApplyOptions
    from vmrescue.plan import Plan
    from vmrescue.transaction import Transaction


@click.command()
@image_argument
@data_disk_option
@choice_options
@policy_options
@check_options
@apply_options
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
    options: ApplyOptions,
    **policy: Any,
) -> None:
    """Diagnose IMAGE, show the changes, ask, and make them: backed up, journalled, verified, and undone by `undo`."""
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
    receipt = edit_and_report(image, plan, options, data_disks=data_disks, policy=rules, choice=choice)
    ctx.exit(status_of(receipt.after, only, skip))
