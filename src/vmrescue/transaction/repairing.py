"""Repairing an image in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict, Unpack

from vmrescue.arguments import must_fit, typed
from vmrescue.checks import Policy
from vmrescue.errors import ArgumentError, UsageError
from vmrescue.image import accepting, parents_in
from vmrescue.transaction.machine import Machine
from vmrescue.transaction.mending import mended
from vmrescue.transaction.target import Elsewhere, made_of
from vmrescue.windows import Choice

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Iterable, Mapping

    from vmrescue.plan import Plan
    from vmrescue.transaction.receipt import Receipt
    from vmrescue.transaction.target import Progress
    from vmrescue.transaction.transaction import Transaction


class Editing(TypedDict, total=False):
    """How an edit of an image is made; all of it may be left out, and each is what `repair` says of it."""

    backup_dir: str | os.PathLike[str] | None
    dry_run: bool
    copy_to: str | os.PathLike[str] | None
    into: str | os.PathLike[str] | None
    to_format: str | None
    sha256: bool
    progress: Progress | None
    accept: Collection[str]
    parent_dir: str | os.PathLike[str] | None


def must_be_alone(plan: object, only: Collection[str] | None = None, skip: Collection[str] = ()) -> None:
    """Raises UsageError for checks that are chosen beside a plan, which has what it has."""
    if plan is not None and (only is not None or skip):
        raise UsageError("only and skip choose what is planned: a plan that is given is made as it is")


def must_be_known(how: Mapping[str, object]) -> None:
    """Raises ArgumentError for a keyword that is none of `Editing`'s, or of another type: a slip must not end in an
    edit."""
    if unknown := how.keys() - Editing.__annotations__.keys():
        raise ArgumentError(f"there is no argument {min(unknown)!r}; there are {', '.join(Editing.__annotations__)}")
    must_fit(how, Editing.__annotations__)


@typed
def edit(
    image: str | os.PathLike[str],
    plan_of: Callable[[Transaction], Plan],
    choice: Choice | None = None,
    **how: Unpack[Editing],
) -> Receipt:
    """Makes the plan of the opened disks, applies it in memory, and commits it, unless it is a `dry_run`.

    Raises as `repair`.
    """
    must_be_known(how)
    machine = Machine(image, choice=choice or Choice())
    return _edit(machine, lambda transaction: transaction.apply(plan_of(transaction)), **how)


def _edit(
    machine: Machine,
    tried: Callable[[Transaction], Receipt],
    *,
    promise: bool = False,
    **how: Unpack[Editing],
) -> Receipt:
    """Commits what was tried in memory. `promise`: whether it is a diagnosis's plan, as for `Transaction`."""
    elsewhere = Elsewhere.of(how.get("copy_to"), how.get("into"), how.get("to_format"), how.get("sha256", False))
    dry_run = how.get("dry_run", False)
    with (
        accepting(how.get("accept", ())),
        parents_in(how.get("parent_dir")),
        made_of(machine.image, None if dry_run else elsewhere, how.get("progress")) as made,
        machine.opened(
            not dry_run, made=made, elsewhere=elsewhere if dry_run else None, promise=promise
        ) as transaction,
    ):
        receipt = tried(transaction)
        if dry_run or not receipt.written:
            return receipt
        return transaction.commit(receipt, how.get("backup_dir"))


@typed
def repair(
    image: str | os.PathLike[str],
    plan: Plan | None = None,
    *,
    policy: Policy | None = None,
    data_disks: Iterable[str | os.PathLike[str]] = (),
    only: Collection[str] | None = None,
    skip: Collection[str] = (),
    backup_dir: str | os.PathLike[str] | None = None,
    dry_run: bool = False,
    copy_to: str | os.PathLike[str] | None = None,
    into: str | os.PathLike[str] | None = None,
    to_format: str | None = None,
    sha256: bool = False,
    progress: Progress | None = None,
    accept: Collection[str] = (),
    skip_refused: bool = False,
    store: str | None = None,
    windows: str | None = None,
    parent_dir: str | os.PathLike[str] | None = None,
) -> Receipt:
    """Makes the changes of a plan; without one, all that the diagnosis proposes.

    Args:
        image: a virtual disk's file, a block device, or the URL of an Azure page blob.
        plan: what to do, from `Diagnosis.plan` or `Plan.from_json`; without one, also what comes to light with it done.
        policy: what counts as right; unless given, that by which `plan` was made, else Azure's.
        data_disks: further disks of the same VM; a stray page file on them is deleted too.
        only, skip: ids of the checks whose findings are mended, and are not; without a plan.
        backup_dir: where the copies of the hives go; ``IMAGE.vmrescue/`` unless given, and for a URL a folder among
            the user's state files.
        dry_run: apply and verify in memory, and write nothing.
        copy_to: repair a copy instead; the image, in whatever container that is read, is only read.
        into: put the repair into a new differencing VHD or VHDX over the image, in whatever folder; the image is only
            read.
        to_format: of the copy: ``vhd`` (a fixed VHD, as Azure takes it), ``vhd-dynamic``, ``raw``, ``vhdx`` or
            ``qcow2``. Unless given, what the copy's name ends in decides, and else it is the first.
        sha256: whether the receipt of a copy is to tell the SHA-256 of the whole disk and of the whole copy, for which
            their holes are hashed too.
        progress: called while copying with the bytes done and the bytes to do.
        skip_refused: make what can be made where a change of `plan` is refused; `Receipt.skipped` says which are not.
        store, windows: which boot store and which Windows boot, as for `diagnose`.
        parent_dir: where a differencing disk's parents are, if neither beside it nor where it says.
        accept: the names of risks that are taken (`disk.RISKS`), such as ``discard-saved-state``.

    Raises:
        RefusedError: it would not be safe; the image is untouched.
        RepairFailedError: it could not be done or confirmed; the image is as before.
        AfterCommitError: it was done and confirmed, but its receipt could not be written.
        VmRescueError: the image cannot be read.
    """
    from vmrescue.checks.rules import chosen

    chosen(only, skip)  # a check that there is not is said before anything is opened
    must_be_alone(plan, only, skip)

    def tried(transaction: Transaction) -> Receipt:
        return mended(transaction, only, skip) if plan is None else transaction.apply(plan, skip_refused)

    rules = policy or Policy.of(plan.policy if plan else {})
    return _edit(
        Machine(image, tuple(data_disks), rules, Choice(store, windows)),
        tried,
        promise=True,
        backup_dir=backup_dir,
        dry_run=dry_run,
        copy_to=copy_to,
        into=into,
        to_format=to_format,
        sha256=sha256,
        progress=progress,
        accept=accept,
        parent_dir=parent_dir,
    )
