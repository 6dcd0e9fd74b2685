"""What `put` and `rm` share: one change of one file, made as a plan like everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.cli.applying import edit_and_report

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmrescue.cli.options import ApplyOptions
    from vmrescue.plan import Change, FileRef
    from vmrescue.transaction import Transaction
    from vmrescue.windows import Volume


def edit_place(
    image: str,
    path: str,
    make: Callable[[Volume, FileRef], Change],
    reason: str,
    options: ApplyOptions,
) -> None:
    """Applies the change that `make` gives for a volume and a file on it."""
    from vmrescue.plan import FileRef, Plan, Step
    from vmrescue.transaction.machine import Machine
    from vmrescue.windows.places import find_place, split_image

    file, name = split_image(image)

    def plan(transaction: Transaction) -> Plan:
        volume, below = find_place(transaction.disks()[0], name, path)
        change = make(volume, FileRef(0, volume.partition.number, below))
        return Plan(transaction.identity, (Step("by hand", reason, change),))

    edit_and_report(Machine(file), plan, options)
