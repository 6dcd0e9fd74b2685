"""vmrescue apply"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from vmrescue.cli.applying import edit_and_report, end_of
from vmrescue.cli.many import fleet_options
from vmrescue.cli.options import apply_options, choice_options, data_disk_option, images_argument
from vmrescue.cli.output import put
from vmrescue.errors import UsageError
from vmrescue.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from vmrescue.cli.many import FleetOptions
    from vmrescue.cli.options import ApplyOptions
    from vmrescue.plan import Plan
    from vmrescue.playbook import Playbook
    from vmrescue.transaction import Transaction
    from vmrescue.windows import Choice


@click.command()
@click.argument("plan", type=click.File("rb"))
@data_disk_option
@choice_options
@apply_options
@fleet_options
@click.option("--skip-refused", is_flag=True, help="Make the other changes where one of the plan's is refused.")
@images_argument
@click.pass_context
def command(
    ctx: click.Context,
    /,
    plan: BinaryIO,
    images: tuple[Path, ...],
    data_disks: tuple[Path, ...],
    choice: Choice,
    options: ApplyOptions,
    skip_refused: bool,
    fleet: FleetOptions,
) -> None:
    """Apply PLAN (JSON from `vmrescue plan`; - for standard input) to IMAGE, if what it found there is unchanged.

    PLAN may be a playbook (YAML, see docs/playbooks.md): it is matched against each IMAGE, and the changes that it asks
    for there are planned and applied. An IMAGE that it is not for is reported, and not touched.
    """

    source = read_plan(plan)
    if fleet.many(images):
        from vmrescue.cli.fleet_repair import about_one, run_over
        from vmrescue.fleet.runs import repairing

        about_one(options, data_disk=data_disks)
        work = repairing(plan=source, skip_refused=skip_refused, dry_run=options.dry_run, choice=choice)
        ctx.exit(run_over(work, images, fleet, options))
    [image] = images
    ctx.exit(_apply(source, image, data_disks, choice, options, skip_refused))


def read_plan(file: BinaryIO) -> Plan | Playbook:
    """What a file holds. Raises UsageError where that is neither."""
    from vmrescue.checks import Policy
    from vmrescue.plan import Plan
    from vmrescue.plan.schema import LARGEST_DOCUMENT
    from vmrescue.playbook import Playbook
    from vmrescue.playbook.document import LARGEST

    start = file.read(LARGEST + 1)
    if not start.strip():
        raise UsageError(f"{file.name} is empty: neither a plan (JSON from `vmrescue plan`) nor a playbook (YAML)")
    if start.lstrip().startswith(b"{"):
        with named(file.name):
            plan = Plan.from_json(start + file.read(LARGEST_DOCUMENT))
            Policy.of(plan.policy)  # one that is none is said before an image is opened
            return plan
    if b"\0" in start:
        raise UsageError(
            f"{file.name} is neither a plan (JSON from `vmrescue plan`) nor a playbook (YAML); the order is: vmrescue"
            " apply PLAN IMAGE"
        )
    with named(file.name):
        return Playbook.from_yaml(start)


@contextmanager
def named(path: str) -> Iterator[None]:
    """Errors of a document get the name of its file."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def _apply(
    source: Plan | Playbook,
    image: Path,
    data_disks: tuple[Path, ...],
    choice: Choice,
    options: ApplyOptions,
    skip_refused: bool,
) -> int:
    """Applies it to one image; the exit status."""
    from vmrescue.checks import Policy
    from vmrescue.plan import Plan as ReadyPlan
    from vmrescue.transaction.machine import Machine

    def plan(transaction: Transaction) -> Plan:
        if isinstance(source, ReadyPlan):
            return source
        compiled = source.compile_for(transaction.disks(), choice)
        if compiled.plan is None:
            raise _NotMeant(compiled.because)
        return compiled.plan

    policy = Policy.of(source.policy) if isinstance(source, ReadyPlan) else None
    try:
        machine = Machine(image, data_disks, policy, choice)
        receipt = edit_and_report(machine, plan, options, skip_refused=skip_refused)
    except _NotMeant as reason:
        assert not isinstance(source, ReadyPlan)
        _tell_not_meant(source, image, str(reason), options)
        return 0
    return end_of(receipt, options)


class _NotMeant(Exception):  # noqa: N818 - it is no error
    """A playbook is not for an image."""


def _tell_not_meant(playbook: Playbook, image: Path, because: str, options: ApplyOptions) -> None:
    if options.output == "json" and not options.quiet:
        document = {"image": str(image), "playbook": vars(playbook.id), "matches": False, "because": because}
        put(json.dumps(document, indent=2))
    elif not options.quiet:
        put(printable(f"{image}: {playbook.id.name} is not for it: {because}. Nothing was changed."))
