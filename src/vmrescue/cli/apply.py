"""vmrescue apply"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vmrescue.cli.applying import apply_and_report, status_of
from vmrescue.cli.options import apply_options, data_disk_option, image_argument
from vmrescue.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from vmrescue.cli.options import ApplyOptions


@click.command()
@click.argument("plan", type=click.File("rb"))
@image_argument
@data_disk_option
@apply_options
@click.option("--skip-refused", is_flag=True, help="Make the other changes where one of the plan's is refused.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    plan: BinaryIO,
    image: Path,
    data_disks: tuple[Path, ...],
    options: ApplyOptions,
    skip_refused: bool,
) -> None:
    """Apply PLAN (JSON from `vmrescue plan`; - for standard input) to IMAGE, if what it found is still so."""
    from vmrescue.plan import Plan
    from vmrescue.plan.schema import LARGEST_DOCUMENT
    from vmrescue.transaction import Transaction

    start = plan.read(1)
    if start.strip() not in (b"", b"{"):
        raise UsageError(f"{plan.name} is not a plan (JSON from `vmrescue plan`); the order is: apply PLAN IMAGE")
    parsed = Plan.from_json(start + plan.read(LARGEST_DOCUMENT))
    with Transaction(image, data_disks, writable=not options.dry_run) as transaction:
        receipt = apply_and_report(transaction, parsed, options, skip_refused)
    ctx.exit(status_of(receipt.after))
