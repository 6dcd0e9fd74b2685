"""vmrescue plan"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vmrescue.cli.applying import say_left_out
from vmrescue.cli.options import (
    check_options,
    choice_options,
    data_disk_option,
    image_argument,
    policy_options,
    risk_options,
)
from vmrescue.cli.output import put
from vmrescue.files import must_be_ours, write_whole

if TYPE_CHECKING:
    from vmrescue.checks import Policy
    from vmrescue.plan import Plan
    from vmrescue.windows import Choice


@click.command()
@image_argument
@data_disk_option
@choice_options
@policy_options
@check_options
@risk_options
@click.option(
    "--playbook",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The changes that this playbook (YAML) asks for, instead of those of a repair.",
)
@click.option(
    "--output", "-o", "target", type=click.Path(path_type=Path, dir_okay=False), help="Where to  [default: stdout]"
)
@click.option("--force", "-f", is_flag=True, help="Overwrite a plan that is there.")
def command(
    image: Path,
    data_disks: tuple[Path, ...],
    choice: Choice,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    playbook: Path | None,
    target: Path | None,
    force: bool,
    policy: Policy,
) -> None:
    """Write all changes that a repair of IMAGE would make, as JSON to review and to `vmrescue apply`.

    They are tried in memory first, so that the plan also mends what comes to light only once other faults are mended.
    """
    from vmrescue.transaction import whole_plan

    if target == Path("-"):
        target = None
    if target:  # before the work
        must_be_ours(target, [b"{"], "plan", "" if force else "--force writes it anew")
    if playbook is not None:
        _write(_of_playbook(playbook, image, data_disks, choice), target)
        return
    plan, after = whole_plan(image, policy, data_disks, only or None, skip, choice)
    say_left_out(after.left_out(only or None, skip), after.unmended(only or None, skip))
    _write(plan, target)


def _write(plan: Plan, target: Path | None) -> None:
    text = plan.to_json()
    if target is None:
        put(text, nl=False)
    else:
        write_whole(target, [text.encode()], overwrite=True)


def _of_playbook(path: Path, image: Path, data_disks: tuple[Path, ...], choice: Choice) -> Plan:
    """Raises NotFoundError where the playbook is not for the image."""
    from vmrescue.errors import NotFoundError
    from vmrescue.playbook import Playbook

    playbook = Playbook.load(path)
    compiled = playbook.compile(image, data_disks, store=choice.store, windows=choice.windows)
    if compiled.plan is None:
        raise NotFoundError(f"{image}: {playbook.id.name} is not for it: {compiled.because}")
    return compiled.plan
