"""vmrescue rescue"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from vmrescue.cli.applying import also_written, ask, ask_to_upload, asks_on_terminal, status_of
from vmrescue.cli.azure import azure_options
from vmrescue.cli.completing import steps
from vmrescue.cli.done import tell
from vmrescue.cli.many import fleet_options
from vmrescue.cli.options import (
    Size,
    apply_options,
    choice_options,
    data_disk_option,
    images_argument,
    names_option,
    policy_options,
)
from vmrescue.cli.output import put
from vmrescue.cli.terminal import say

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.checks import Policy
    from vmrescue.cli.many import FleetOptions
    from vmrescue.cli.options import ApplyOptions
    from vmrescue.procedure import Outcome
    from vmrescue.report.azure import AzureNames
    from vmrescue.windows import Choice


class StepsOption(click.Option):
    """An option whose help says which steps there are: they are imported when it is asked for."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        from vmrescue.procedure import STEPS

        record = super().get_help_record(ctx)
        return record and (record[0], f"{record[1]}: {', '.join(step.id for step in STEPS)}.")


@click.command()
@data_disk_option
@choice_options
@policy_options
@names_option("--only", cls=StepsOption, names=steps, metavar="STEP,…", help="Make only these steps (repeatable)")
@names_option("--without", names=steps, metavar="STEP,…", help="Leave these steps out (repeatable).")
@click.option("--size", type=Size(), help="How large the disk may become, where cleaning up does not make enough room.")
@click.option(
    "--defragment",
    is_flag=True,
    help="Put files together first, where there is room; not undone: with --copy-to or --into.",
)
@apply_options
@azure_options
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
    without: tuple[str, ...],
    size: int | None,
    defragment: bool,
    options: ApplyOptions,
    azure: AzureNames | None,
    fleet: FleetOptions,
    policy: Policy,
) -> None:
    """Do the whole procedure on IMAGE, each step that is due: shown first, asked, one repair, undone by `undo`.

    It replays the logs that Windows left, takes the bad memory list away, repairs the boot path, puts the page file in
    its place, makes room, and sets the serial console and the dump. A step that is not due changes nothing. If a step
    needs an answer that the disk does not give, it is left out, and the report says which option gives it. Several
    images (folders, globs, @LIST.txt): as for `repair`.
    """
    from vmrescue.procedure.rescuing import (
        carry_out,
        must_be_elsewhere,
        must_be_there_to_write,
        plan_rescue,
        upload_rescued,
    )
    from vmrescue.report.azure import azure_text
    from vmrescue.report.outcome import outcome_text, planned_text
    from vmrescue.report.text import plans_text
    from vmrescue.transaction.machine import Machine
    from vmrescue.transaction.target import made_of

    if azure:
        put(azure_text(replace(azure, image=str(images[0]))))
        return
    elsewhere = options.elsewhere
    must_be_elsewhere(defragment, elsewhere)
    if fleet.many(images):
        from vmrescue.cli.fleet_repair import about_one, run_over
        from vmrescue.fleet.runs import rescuing

        about_one(options, data_disk=data_disks)
        work = rescuing(policy, only=only or None, without=without, size=size, dry_run=options.dry_run, choice=choice)
        ctx.exit(run_over(work, images, fleet, options))
    [image] = images
    if not (options.dry_run or elsewhere or options.upload):
        must_be_there_to_write(image)
    machine = Machine(image, data_disks, policy, choice)
    planned = plan_rescue(machine, only or None, without, size, elsewhere)
    if options.talkative:
        say(planned_text(planned))
    done = planned
    if options.dry_run:
        nothing = "Nothing can be made." if any(each.state == "left" for each in planned.steps) else "Nothing is due."
        text = plans_text(planned.plans) or nothing
    elif options.upload:
        ask_to_upload(planned.plans, image, options, options.upload, unseen=True)
        done = upload_rescued(planned, machine, options.upload, options.backup_dir)
        text = outcome_text(done)
    elif planned.plans or elsewhere:
        changes = [change for plan in planned.plans for change in plan.changes]
        target = f"{elsewhere.path if elsewhere else image}{also_written(changes, data_disks)}"
        ask(planned.plans, target, options, "; --dry-run shows every change", unseen=True)
        with made_of(image, elsewhere) as made:
            done = carry_out(planned, machine, made, options.backup_dir, defragment=defragment)
        text = outcome_text(done, planned if asks_on_terminal(options) else None)
    else:
        text = "Nothing was written."
    _print(done, text, options)
    ctx.exit(status_of(done.after))


def _print(outcome: Outcome, text: str, options: ApplyOptions) -> None:
    if options.talkative:
        tell(text, outcome.committed)
    elif not options.quiet:
        tell(json.dumps(outcome.to_dict(), indent=2), outcome.committed, put)
