"""A command file of Windows' run on an image: planned as one plan, applied in one transaction, one thing to undo.

A defragmentation keeps no undo. So a file that asks for one runs on a copy of the image, or in a child over it: that is
defragmented first, and then gets the plan.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vmrescue.arguments import typed
from vmrescue.commands.batch.runbook import Compiled, Runbook
from vmrescue.dataclass import dataclass
from vmrescue.errors import RefusedError, UsageError
from vmrescue.image import accepting, parents_in
from vmrescue.plan import Plan
from vmrescue.procedure.defragmenting import defragment
from vmrescue.progress import work
from vmrescue.transaction.machine import Machine
from vmrescue.transaction.target import Elsewhere, made_of
from vmrescue.windows import Choice, Installation
from vmrescue.windows.bare_hive import BareHive
from vmrescue.windows.installation import NOTHING_SAID

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterable, Mapping

    from vmrescue.transaction import Receipt, Transaction
    from vmrescue.transaction.defragmenting import Defragmented
    from vmrescue.transaction.target import Made, Progress

    Location = str | os.PathLike[str]


@dataclass(frozen=True)
class Run:
    """What a command file did, or (`receipt.committed` False) would do.

    Attributes:
        compiled: its plan's steps, and what its lines print.
        plan: what was applied.
        receipt: of that.
        defragmented: the volumes that were defragmented.
        notes: what the person should know besides.
    """

    compiled: Compiled
    plan: Plan
    receipt: Receipt
    defragmented: tuple[Defragmented, ...] = ()
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": "vmrescue.runbook/1",
            "lines": [each.to_dict() for each in self.compiled.printed],
            "receipt": self.receipt.to_dict(),
            "defragmented": [each.to_dict() for each in self.defragmented],
            "notes": [*self.notes],
        }


@typed
def run(
    image: Location,
    runbook: Location | Runbook,
    *,
    variables: Mapping[str, str] | None = None,
    data_disks: Iterable[Location] = (),
    repair_letters: Collection[str] = (),
    skip_defrag: bool = False,
    backup_dir: Location | None = None,
    dry_run: bool = False,
    copy_to: Location | None = None,
    into: Location | None = None,
    to_format: str | None = None,
    sha256: bool = False,
    progress: Progress | None = None,
    accept: Iterable[str] = (),
    store: str | None = None,
    windows: str | None = None,
    parent_dir: Location | None = None,
) -> Run:
    """Runs a command file of Windows' (bcdedit, reg, del, copy, ren, md, attrib, defrag) on an image.

    Every line is understood, and all are made one plan in memory, before anything is written.

    Args:
        image: as for `repair`.
        runbook: the file's path, or a `Runbook` that was read before.
        variables: values of variables that the file does not set itself.
        data_disks: further disks of the same VM, which its paths may name too.
        repair_letters: drives' letters (``F:``) that the repair VM gave, though the guest may have them too.
        skip_defrag: leave its lines of defrag out.
        backup_dir, dry_run, copy_to, into, to_format, sha256, progress, accept, store, windows, parent_dir: as for
            `repair`.

    Raises:
        UsageError, NotFoundError, RefusedError: a line is not known, or cannot be done, with its number; or what all
            lines come to is not safe. The image is untouched.
        RepairFailedError: it could not be done or confirmed; the image is as before.
        AfterCommitError: it was done and confirmed, but its receipt could not be written.
    """
    known = runbook if isinstance(runbook, Runbook) else Runbook.read(runbook, variables)
    machine = Machine(image, tuple(data_disks), choice=Choice(store, windows))
    elsewhere = Elsewhere.of(copy_to, into, to_format, sha256)
    with accepting(accept), parents_in(parent_dir):
        writable = not (dry_run or elsewhere)
        with machine.opened(writable, elsewhere=elsewhere) as transaction:
            planned = plan_of(known, transaction, machine.choice, not elsewhere, skip_defrag, repair_letters)
            if writable and planned.receipt.written:
                return replace(planned, receipt=transaction.commit(planned.receipt, backup_dir))
        if dry_run or not elsewhere:
            return planned
        with made_of(image, elsewhere, progress) as made:
            assert made is not None
            return carry_out(planned, machine, made, backup_dir)


def plan_of(
    runbook: Runbook,
    transaction: Transaction,
    choice: Choice = NOTHING_SAID,
    in_place: bool = True,
    skip_defrag: bool = False,
    repair_letters: Collection[str] = (),
) -> Run:
    """What a command file would do, applied in memory. Raises as `run`."""
    disks = transaction.disks()
    if isinstance(disks[0], BareHive):
        raise UsageError(f"{disks[0].path} is a hive's file and no disk: it takes single lines of bcdedit and reg")
    with work("doing the lines in memory"):
        compiled = runbook.compile(Installation.of(disks, choice), in_place, repair_letters)
    notes: tuple[str, ...] = ()
    if compiled.defragmented and skip_defrag:
        lines = ", ".join(str(number) for number, _, _ in compiled.defragmented)
        notes = (f"left out, as was asked for: defrag in line {lines}",)
        compiled = Compiled(compiled.steps, compiled.printed, ())
    elif compiled.defragmented and in_place:
        number = compiled.defragmented[0][0]
        raise RefusedError(
            f"{runbook.name}, line {number}: a defragmentation is not undone, and a run is: use a copy (--copy-to)"
            " or a child (--into), or leave such lines out (--skip-defrag) and run `vmrescue defrag` by itself"
        )
    elif compiled.defragmented and compiled.steps:
        notes = ("volumes are defragmented first, wherever their lines stand, and then all else is written",)
    plan = Plan(transaction.identity, compiled.steps)
    return Run(compiled, plan, transaction.apply(plan), (), notes)


def carry_out(
    planned: Run,
    machine: Machine,
    made: Made,
    backup_dir: Location | None = None,
) -> Run:
    """Makes what was planned in what was made of the image. Raises as `run`."""
    done = tuple(
        defragment(machine.image, made, volume.partition.number, free_space)
        for _, volume, free_space in planned.compiled.defragmented
    )
    with machine.opened(made=made) as transaction:
        receipt = transaction.apply(planned.plan)
        if receipt.written:
            receipt = transaction.commit(receipt, backup_dir)
    return replace(planned, receipt=receipt, defragmented=done)
