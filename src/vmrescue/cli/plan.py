"""vmrescue plan"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vmrescue.cli.applying import say_left_out
from vmrescue.cli.options import (
    check_options,
    choice_options,
    data_disk_option,
    image_argument,
    make_policy,
    policy_options,
    risk_options,
)

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@image_argument
@data_disk_option
@choice_options
@policy_options
@check_options
@risk_options
@click.option("--output", "-o", type=click.File("w", encoding="utf-8"), default="-", help="Where to  [default: stdout]")
def command(
    image: Path,
    data_disks: tuple[Path, ...],
    store: str | None,
    windows: str | None,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    output: Any,
    **policy: Any,
) -> None:
    """Write the changes that a repair of IMAGE would make, as JSON to review and to `vmrescue apply`."""
    from vmrescue.diagnosis import diagnose
    from vmrescue.transaction import must_be_editable, plan_of

    diagnosis = diagnose(image, make_policy(**policy), data_disks, only, skip, store=store, windows=windows)
    must_be_editable(diagnosis, only or None, skip)
    plan = plan_of(diagnosis, only or None, skip)
    say_left_out(diagnosis.left_out(only or None, skip), diagnosis.unmended(only or None, skip))
    output.write(plan.to_json())
