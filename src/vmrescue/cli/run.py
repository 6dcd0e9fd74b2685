"""vmrescue run"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vmrescue.cli.applying import ask_to_write, is_due, show
from vmrescue.cli.done import tell
from vmrescue.cli.microsoft import print_lines, print_notes
from vmrescue.cli.options import apply_options, choice_options, data_disk_option, image_argument
from vmrescue.cli.output import put
from vmrescue.interrupts import held

if TYPE_CHECKING:
    from vmrescue.cli.options import ApplyOptions
    from vmrescue.procedure.running import Run
    from vmrescue.windows import Choice


def _variables(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for text in value:
        name, equals, content = text.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{text!r} is not NAME=VALUE", ctx, param)
        found[name] = content
    return found


def _letters(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    for text in value:
        if not (text[:1].isascii() and text[:1].isalpha() and text[1:] in ("", ":")):
            raise click.BadParameter(f"{text!r} is no drive's letter, such as F:", ctx, param)
    return tuple(f"{text[0]}:" for text in value)


@click.command()
@image_argument
@click.argument("runbook", type=click.Path(path_type=Path, dir_okay=False))
@data_disk_option
@choice_options
@click.option("--set", "variables", multiple=True, callback=_variables, metavar="NAME=VALUE", help="A value of %NAME%.")
@click.option(
    "--repair-letter",
    "letters",
    multiple=True,
    callback=_letters,
    metavar="F:",
    help="A letter that the repair VM gave, though the guest has it too (repeatable).",
)
@click.option("--skip-defrag", is_flag=True, help="Leave lines of defrag out.")
@click.option(
    "--output", "-o", "plan_file", type=click.Path(path_type=Path), help="Write the plan (JSON), and no image."
)
@apply_options
def command(
    image: Path,
    runbook: Path,
    data_disks: tuple[Path, ...],
    choice: Choice,
    variables: dict[str, str],
    letters: tuple[str, ...],
    skip_defrag: bool,
    plan_file: Path | None,
    options: ApplyOptions,
) -> None:
    """Run the command file RUNBOOK on IMAGE: its lines as they stand, as one plan, one question, one undo.

    \b
      bcdedit /store F:\\boot\\bcd /deletevalue {badmemory} badmemorylist
      REG LOAD HKLM\\BROKENSYSTEM F:\\windows\\system32\\config\\SYSTEM
      REG ADD "HKLM\\BROKENSYSTEM\\ControlSet001\\Control\\CrashControl" /v NMICrashDump /t REG_DWORD /d 1 /f
      REG UNLOAD HKLM\\BROKENSYSTEM

    Known are bcdedit, reg, del, copy, ren, md, attrib, defrag; rem, ::, echo, set and %variables%. All lines are done
    in memory, each on what those before it have left, before anything is written. If one is not known or cannot be
    done, the file is refused with the number of that line. A drive letter that the guest does not have means the only
    volume that has the path; a note says which. Files without a drive (to copy, to import) lie beside RUNBOOK. A defrag
    cannot be undone: it needs --copy-to or --into.
    """
    from vmrescue.commands.batch.runbook import Runbook
    from vmrescue.procedure.running import carry_out, plan_of
    from vmrescue.transaction.machine import Machine
    from vmrescue.transaction.target import made_of

    known, elsewhere = Runbook.read(runbook, variables), options.elsewhere
    writable = not (options.dry_run or elsewhere or plan_file)
    machine = Machine(image, data_disks, choice=choice)
    with machine.opened(writable, elsewhere=elsewhere) as transaction:
        planned = plan_of(known, transaction, choice, not elsewhere, skip_defrag, letters)
        _print_lines(planned, options)
        if plan_file:
            _write_plan(plan_file, planned, image, options)
            return
        due = is_due(planned.receipt, options)
        show(planned.plan, options, asked=due)
        if not due:
            _report(planned, options)
            return
        ask_to_write(planned.receipt, machine, options)
        if not elsewhere:
            with held():  # what was changed is said, whatever ends the command then
                receipt = transaction.commit(planned.receipt, options.backup_dir)
                _report(replace(planned, receipt=receipt), options)
            return
    with made_of(image, elsewhere) as made:
        assert made is not None
        done = carry_out(planned, machine, made, options.backup_dir)
    _report(done, options)


def _print_lines(planned: Run, options: ApplyOptions) -> None:
    """What the lines print, each under the line itself; what is to be said of them goes to stderr."""
    for each in planned.compiled.printed:
        print_notes(f"line {each.number}: {note}" for note in each.said.notes)
        if each.said.lines and options.talkative:
            print_lines([f"{each.number}> {each.text}", *each.said.lines])
    print_notes(planned.notes)


def _write_plan(path: Path, planned: Run, image: Path, options: ApplyOptions) -> None:
    from vmrescue.image.exported import write_exported

    if str(path) == "-":
        put(planned.plan.to_json())
        return
    write_exported(path, [planned.plan.to_json().encode()], options.yes, image)
    if options.talkative:
        put(f"{path}: the plan; apply it with `vmrescue apply {path} IMAGE`.")


def _report(done: Run, options: ApplyOptions) -> None:
    from vmrescue.report.defragmentation import defragmented_text
    from vmrescue.report.receipt import dry_run_text, receipt_text

    changed = done.receipt.committed
    if options.talkative:
        parts: list[Any] = [defragmented_text(each) for each in done.defragmented]
        tell("\n".join([*parts, receipt_text(done.receipt) if changed else dry_run_text(done.receipt)]), changed)
    elif not options.quiet:
        tell(json.dumps(done.to_dict(), indent=2), changed, put)
