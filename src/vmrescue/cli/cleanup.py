"""vmrescue cleanup"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import click

from vmrescue.cli.applying import edit_and_report, end_of
from vmrescue.cli.completing import categories
from vmrescue.cli.options import apply_options, image_argument, names_option
from vmrescue.cli.output import put
from vmrescue.cli.terminal import say

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.cli.options import ApplyOptions


@click.command()
@image_argument
@names_option("--category", "names", names=categories, metavar="NAME,…", help="Clean these (repeatable); see --list.")
@click.option("--list", "show", is_flag=True, help="List every category with what it would win; change nothing.")
@apply_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    image: Path,
    names: tuple[str, ...],
    show: bool,
    options: ApplyOptions,
) -> None:
    """Delete what Disk Cleanup would from the Windows in IMAGE[:VOLUME]: shown first, undone by `undo`."""
    from vmrescue.diagnosis import open_disks
    from vmrescue.procedure.tasks import cleanup_plan
    from vmrescue.progress import work
    from vmrescue.transaction.machine import Machine
    from vmrescue.windows.cleanup import CATEGORIES, removable_files
    from vmrescue.windows.places import find_windows, split_image

    file_name, volume = split_image(str(image))
    if show:
        with open_disks([file_name]) as (disk,):
            windows = find_windows(disk, volume)
            with work("looking for files to delete"):
                found = [file for each in CATEGORIES for file in removable_files(windows, [each])]  # each by itself
        won: Counter[str] = Counter()
        for file in found:
            won[file.category] += file.on_disk
        listed = _listing(won, Counter(file.category for file in found), options.output)
        (say if options.output == "text" else put)(listed)
        return
    receipt = edit_and_report(Machine(file_name), cleanup_plan(names, volume), options)
    ctx.exit(end_of(receipt, options))


def _listing(won: Counter[str], count: Counter[str], output: str) -> str:
    from vmrescue.units import plural, size_text
    from vmrescue.windows.cleanup import CATEGORIES

    if output == "json":
        rows = [
            {"category": each.name, "reason": each.reason, "files": count[each.name], "bytes": won[each.name]}
            for each in CATEGORIES
        ]
        return json.dumps(rows, indent=2)
    lines = [
        f"{each.name:22}{size_text(won[each.name]):>10} in {count[each.name]:>6} "
        f"{plural(count[each.name], 'file'):5}  {each.reason}" + (" (only when named)" if each.on_request else "")
        for each in CATEGORIES
    ]
    return "\n".join(lines)
