"""The whole procedure in one call: from a VM that does not boot to a disk to attach."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from vmrescue.arguments import typed
from vmrescue.checks import Policy
from vmrescue.errors import RefusedError, UsageError
from vmrescue.image import accepting, parents_in
from vmrescue.image.reference import Reference
from vmrescue.image.transports.file import must_be_writable
from vmrescue.plan import Plan
from vmrescue.procedure.defragmenting import defragment as defragment_volume
from vmrescue.procedure.outcome import Outcome
from vmrescue.procedure.rounds import became_of, tried
from vmrescue.procedure.steps import chosen_steps
from vmrescue.progress import work
from vmrescue.transaction.machine import Machine
from vmrescue.transaction.target import Elsewhere, made_of
from vmrescue.windows import Choice

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterable

    from vmrescue.transaction import Receipt, Transaction
    from vmrescue.transaction.target import Made, Progress, UploadTo


@typed
def rescue(
    image: str | os.PathLike[str],
    *,
    vm_size: str | None = None,
    ram: int | None = None,
    policy: Policy | None = None,
    data_disks: Iterable[str | os.PathLike[str]] = (),
    only: Collection[str] | None = None,
    without: Collection[str] = (),
    size: int | None = None,
    defragment: bool = False,
    backup_dir: str | os.PathLike[str] | None = None,
    dry_run: bool = False,
    copy_to: str | os.PathLike[str] | None = None,
    into: str | os.PathLike[str] | None = None,
    to_format: str | None = None,
    sha256: bool = False,
    progress: Progress | None = None,
    accept: Collection[str] = (),
    store: str | None = None,
    windows: str | None = None,
    parent_dir: str | os.PathLike[str] | None = None,
) -> Outcome:
    """Does each step of the procedure that is due, as one repair: backed up, journalled, verified, one thing to undo.

    Args:
        image: a virtual disk's file, a block device, or the URL of an Azure page blob.
        vm_size: the VM's size, such as ``Standard_D4ds_v5``.
        ram: its memory in bytes.
        policy: what counts as right; Azure's unless given. `vm_size` and `ram` stand above what it says.
        data_disks: further disks of the same VM.
        only, without: the ids of the steps that are made, and are not (`STEPS`).
        size: how large the disk may become, in bytes, where cleaning up does not make enough room.
        defragment: put the files of the volume of Windows together first, where there is room. That keeps no undo, so
            it is done in a copy or a child (`copy_to`, `into`) only.
        backup_dir, copy_to, into, to_format, sha256, progress, accept, parent_dir: as for `repair`.
        dry_run: do all in memory, and write nothing.
        store, windows: which boot store and which Windows boot, as for `diagnose`.

    Raises:
        UsageError: `defragment` in the image itself.
        RefusedError: it would not be safe; the image is untouched.
        RepairFailedError: it could not be done or confirmed; the image is as before.
        AfterCommitError: it was done and confirmed, but its receipt could not be written.
        VmRescueError: the image cannot be read.
    """
    rules = with_vm(policy or Policy.azure(), vm_size, ram)
    machine = Machine(image, tuple(data_disks), rules, Choice(store, windows))
    elsewhere = Elsewhere.of(copy_to, into, to_format, sha256)
    must_be_elsewhere(defragment, elsewhere)
    chosen_steps(only, without)  # a step that there is not is said before anything is opened
    with accepting(accept), parents_in(parent_dir):
        if not (dry_run or elsewhere):
            must_be_there_to_write(image)
        planned = plan_rescue(machine, only, without, size, elsewhere)
        if dry_run:
            return planned
        with made_of(image, elsewhere, progress) as made:
            return carry_out(planned, machine, made, backup_dir, defragment=defragment)


def must_be_there_to_write(image: str | os.PathLike[str]) -> None:
    """Raises RefusedError where an image of this machine may not be written, before it is read and asked about."""
    if not Reference.of(image).is_remote:
        must_be_writable(image)


def must_be_elsewhere(defragment: bool, elsewhere: Elsewhere | None) -> None:
    """Raises UsageError where a rescue of the image itself is to defragment: that could not be taken back."""
    if defragment and not elsewhere:
        raise UsageError(
            "a defragmentation is not undone, and a rescue is: use a copy (--copy-to) or a child (--into), or run"
            " `vmrescue defrag` by itself"
        )


def with_vm(policy: Policy, vm_size: str | None, ram: int | None) -> Policy:
    """The policy for a VM of this size and memory, where they are given."""
    return replace(policy, vm_size=vm_size or policy.vm_size, ram=policy.ram if ram is None else ram)


def plan_rescue(
    machine: Machine,
    only: Collection[str] | None = None,
    without: Collection[str] = (),
    size: int | None = None,
    elsewhere: Elsewhere | None = None,
) -> Outcome:
    """What a rescue would do and what would be left, found in memory; nothing is written. Raises as `rescue`.

    `elsewhere`: what it is for, if not for the image itself.
    """
    steps = chosen_steps(only, without)
    with work("trying the steps in memory"):
        rounds = tried(partial(machine.opened, writable=False, elsewhere=elsewhere), steps, size)
    place = Reference.of(machine.image)
    if rounds.before.refusal and not rounds.plans:
        raise RefusedError(f"{place}: {rounds.before.refusal}")
    receipts = (rounds.receipt,) if rounds.receipt else ()
    became = became_of(rounds, steps)
    return Outcome(place.shown, became, tuple(rounds.plans), receipts, rounds.before, rounds.after)


def carry_out(
    planned: Outcome,
    machine: Machine,
    made: Made | None = None,
    backup_dir: str | os.PathLike[str] | None = None,
    run: str | None = None,
    defragment: bool = False,
) -> Outcome:
    """Makes what was planned, in the image or in what was made of it. Raises as `rescue`.

    Args:
        run: the id of a run over many images, for the receipt.
        defragment: the volume of Windows first, in what was made.
    """
    if not planned.plans and not made:
        return planned
    if defragment and made:
        planned = _defragmented(planned, machine.image, made)
    with machine.opened(made=made, run=run) as transaction:
        receipt = _applied(planned, transaction)
        return _done(planned, transaction.commit(receipt, backup_dir) if receipt.written else receipt)


def upload_rescued(
    planned: Outcome, machine: Machine, to: UploadTo, backup_dir: str | os.PathLike[str] | None = None
) -> Outcome:
    """Puts the image, with what was planned made in it, to a page blob; the image is only read. Raises as `upload`."""
    with machine.opened(writable=False) as transaction:
        return _done(planned, transaction.upload(_applied(planned, transaction), to, backup_dir))


def _applied(planned: Outcome, transaction: Transaction) -> Receipt:
    for plan in planned.plans or (Plan(transaction.identity, ()),):
        receipt = transaction.apply(plan)
    return receipt


def _done(planned: Outcome, receipt: Receipt) -> Outcome:
    return replace(planned, image=receipt.image, receipts=(receipt,), after=receipt.after or planned.after)


def _defragmented(planned: Outcome, image: str | os.PathLike[str], made: Made) -> Outcome:
    """Defragments the volume of Windows in what was made; where its state forbids that, it is said and left."""
    try:
        return replace(planned, defragmented=defragment_volume(image, made))
    except RefusedError as error:
        return replace(planned, notes=(f"not defragmented: {error}",))
