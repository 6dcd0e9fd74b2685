"""What `repair`, `apply` and every other command that edits an image share: show, ask, commit, report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vmrescue.errors import RefusedError

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.plan import Plan
    from vmrescue.transaction import Transaction


def apply_and_report(
    transaction: Transaction,
    plan: Plan,
    yes: bool,
    dry_run: bool,
    backup_dir: Path | None,
    output: str,
    quiet: bool,
) -> None:
    """Applies a plan in memory, shows it, asks unless `yes`, commits, and prints the receipt.

    Raises RefusedError where the person says no, or where nobody can be asked.
    """
    from vmrescue.report.receipt import dry_run_text, receipt_text
    from vmrescue.report.text import plan_text

    receipt = transaction.apply(plan)
    talk = output == "text" and not quiet
    if talk:
        click.echo(plan_text(plan) or "There is nothing to change.")
    if not dry_run and receipt.written:
        if not (yes or click.confirm(f"Write these {len(plan)} changes to {receipt.image}?", err=True)):
            raise RefusedError("nothing was changed: the answer was no")
        receipt = transaction.commit(receipt, backup_dir)
    if talk:
        click.echo(receipt_text(receipt) if receipt.committed else dry_run_text(receipt))
    elif not quiet:
        click.echo(receipt.to_json(), nl=False)
