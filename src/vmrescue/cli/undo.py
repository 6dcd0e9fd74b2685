"""vmrescue undo"""

from __future__ import annotations

import json
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vmrescue.cli.done import tell
from vmrescue.cli.options import ImagePath, children_option, format_option, parent_option, quiet_option
from vmrescue.cli.output import put
from vmrescue.cli.terminal import say
from vmrescue.errors import UsageError
from vmrescue.interrupts import BY_SIGNAL, held
from vmrescue.printable import printable
from vmrescue.units import counted

if TYPE_CHECKING:
    from vmrescue.fleet import RunUndone


@click.command()
@click.argument("image", required=False, type=ImagePath(path_type=Path))
@click.argument("repair", metavar="[ID]", required=False)
@parent_option
@click.option("--list", "show", is_flag=True, help="List the repairs of IMAGE; change nothing.")
@click.option(
    "--although-changed",
    is_flag=True,
    help="Even where there are signs that somebody else has written to IMAGE since: that can destroy files.",
)
@children_option
@click.option("--all", "everything", is_flag=True, help="Take all repairs back, the last first.")
@click.option("--to", "first", metavar="ID", help="Take back this repair, by number or id, and all that came after it.")
@click.option(
    "--run", "results", type=click.Path(path_type=Path), help="Take back a whole run, whose receipts this file holds."
)
@format_option
@quiet_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    image: Path | None,
    repair: str | None,
    show: bool,
    although_changed: bool,
    everything: bool,
    first: str | None,
    results: Path | None,
    output: str,
    quiet: bool,
) -> None:
    """Take the last repair of IMAGE back: the bytes that it wrote become what they were.

    ID, a number or an id as --list has it, says which repair that must be. If another repair came after it, which may
    build on it, the command is refused; --to ID takes the later ones back, too.
    It is also refused if one of these bytes was changed since, or if there are signs that somebody else has written to
    IMAGE: Windows ran, or it was mounted or edited. What was compared is printed. With --run each image of a run over
    many is taken back by itself; exit status: the largest of theirs.
    """
    if results is not None:
        if image or repair or show or everything or first:
            raise UsageError("give --run RECEIPTS alone: it takes back what the run did to each image")
        ctx.exit(_undo_run(results, although_changed, output, quiet))
    if image is None:
        raise UsageError("which image? `vmrescue undo IMAGE`; of a whole run `vmrescue undo --run RECEIPTS`")
    from vmrescue.report.undone import history_text, undone_text
    from vmrescue.transaction import history
    from vmrescue.transaction.undoing import must_be_the_last, take_back_to

    if sum(map(bool, (repair, everything, first))) > 1:
        raise UsageError("give one: ID takes back that repair; --to ID that and all after it; --all every one")
    if show:
        repairs = history(image)
        if output == "json":
            put(json.dumps([past.to_dict() for past in repairs], indent=2))
        else:
            say(history_text(repairs))
        return
    if repair is not None:
        must_be_the_last(image, repair)
    with held():  # what was changed is said, whatever ends the command then
        for undone in islice(take_back_to(image, first, although_changed), None if everything or first else 1):
            if output == "json" and not quiet:
                tell(json.dumps(undone.to_dict()), True, put)
            elif not quiet:
                tell(undone_text(undone), True)


def _undo_run(results: Path, although_changed: bool, output: str, quiet: bool) -> int:
    """Takes the repairs of a run back and says what became of each; returns the largest exit status."""
    from vmrescue.cli.interrupts import stopping_where_it_can
    from vmrescue.fleet import undo_run

    worst, counts = 0, Counter[str]()
    with stopping_where_it_can("the image under way is finished first") as stopped:
        for undone in undo_run(results, although_changed):
            if not quiet:
                tell(*((json.dumps(undone.to_dict()), True, put) if output == "json" else (_line(undone), True)))
            counts[undone.status] += 1
            worst = max(worst, undone.exit_status)
            if stopped():
                break
        interrupted = stopped()
    if not quiet and output == "text":
        said = ", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "no repair to take back"
        say(printable(f"{results}: {said}{'; interrupted: the same command goes on' if interrupted else ''}"))
    return BY_SIGNAL + interrupted if interrupted else worst


def _line(undone: RunUndone) -> str:
    if undone.undone:
        return printable(f"{undone.image}: undone: {counted(undone.undone.bytes_restored, 'byte')} are what they were")
    return printable(f"{undone.image}: {undone.status}{f': {undone.error}' if undone.error else ''}")
