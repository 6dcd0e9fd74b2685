"""vmrescue plan"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vmrescue.cli.options import check_options, data_disk_option, image_argument, make_policy, policy_options

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@image_argument
@data_disk_option
@policy_options
@check_options
@click.option("--output", "-o", type=click.File("w", encoding="utf-8"), default="-", help="Where to  [default: stdout]")
def command(
    image: Path, data_disks: tuple[Path, ...], only: tuple[str, ...], skip: tuple[str, ...], output: Any, **policy: Any
) -> None:
    """Write the changes that a repair of IMAGE would make, as JSON to review and to `vmrescue apply`."""
    from vmrescue.checks import diagnose

    diagnosis = diagnose(image, make_policy(**policy), data_disks, only, skip)
    output.write(diagnosis.plan(only or None, skip).to_json())
