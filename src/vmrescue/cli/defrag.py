"""vmrescue defrag"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from vmrescue.cli.applying import confirmed
from vmrescue.cli.done import tell
from vmrescue.cli.microsoft import MicrosoftCommand, print_notes
from vmrescue.cli.options import (
    elsewhere_options,
    format_option,
    image_and_volume,
    image_argument,
    quiet_option,
    risk_options,
)
from vmrescue.cli.output import put
from vmrescue.cli.terminal import say
from vmrescue.commands.defrag import parse
from vmrescue.errors import RefusedError, UsageError
from vmrescue.interrupts import checkpoint, held
from vmrescue.procedure.microsoft import in_microsofts_words
from vmrescue.progress import work
from vmrescue.units import counted

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.commands.defrag import Command
    from vmrescue.transaction.defragmenting import Defragmented
    from vmrescue.transaction.target import Elsewhere, Made

NO_UNDO = "What is moved is not kept: `undo` can take back neither this nor any earlier repair of"


@click.command(cls=MicrosoftCommand)
@image_argument
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[C: /u /x /g]")
@risk_options
@click.option("--analyze", is_flag=True, help="Only say how fragmented files and free space are; change nothing.")
@click.option("--file", "files", multiple=True, metavar="PATH", help="Move only this file or directory (repeatable).")
@click.option("--free-space", is_flag=True, help="Also bring the free space together, as defrag's /x does.")
@click.option("--partition", "number", type=int, help="The partition  [default: the OS volume's]")
@click.option("--limit", default=20, show_default=True, help="With --analyze: how many of the worst files to name.")
@click.option("--dry-run", is_flag=True, help="Say what would be moved; write nothing.")
@elsewhere_options
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@format_option
@quiet_option
def command(
    image: Path,
    words: tuple[str, ...],
    analyze: bool,
    files: tuple[str, ...],
    free_space: bool,
    number: int | None,
    limit: int,
    dry_run: bool,
    elsewhere: Elsewhere | None,
    yes: bool,
    output: str,
    quiet: bool,
) -> None:
    """Move each file of an NTFS volume in IMAGE[:VOLUME] to one piece.

    Windows' own words are understood: `defrag os.vhd C: /u /x /g`. /a analyses, /x brings the free space together too,
    /d and /o move the files, /u, /v, /h, /m, /i, /g and /b make no difference; /c, /e, /k, /l and /t are refused.

    Every move is a small transaction of its own: stopped at any moment, the volume is sound and every file whole. It
    cannot be undone, nor can what was done to IMAGE before: keep IMAGE as it is with --copy-to or --into.
    """
    with in_microsofts_words():
        asked = parse(words)
    file, volume = image_and_volume(image, number)
    volume = _meant(file, volume, asked)
    analyze, free_space = analyze or asked.analyze, free_space or asked.free_space
    if analyze:
        _analyze(file, volume, limit, output)
        return
    from vmrescue.printable import printable
    from vmrescue.procedure.rescuing import must_be_there_to_write
    from vmrescue.report.defragmentation import defragmented_text
    from vmrescue.transaction.defragmenting import rehearse
    from vmrescue.transaction.target import made_of

    if dry_run:
        with work("finding out what would be moved"):
            done = rehearse(file, volume, files, free_space)
    else:
        if not elsewhere:
            must_be_there_to_write(file)
        if not yes:
            target = elsewhere.path if elsewhere else file
            _ask(printable(target), bool(elsewhere), _shadow_note(file, volume))
        with made_of(file, elsewhere) as made:
            done = _run(file, made, volume, files, free_space)
    changed = done.committed and (done.commits > 0 or bool(elsewhere))
    if output == "json":
        tell(json.dumps(done.to_dict(), indent=2), changed, put)
    elif not quiet:
        tell(defragmented_text(done), changed)


def _meant(image: str, volume: int | str | None, asked: Command) -> int | str | None:
    """The volume that the command's words name, by its number. What else is to be said of them is said."""
    from vmrescue.diagnosis import open_disks
    from vmrescue.windows import Installation
    from vmrescue.windows.named_paths import NamedPaths

    print_notes(asked.notes)
    if asked.volume is None:
        return volume
    with open_disks([image]) as disks:
        paths = NamedPaths(Installation(disks))
        number = paths.volume(asked.volume).partition.number
    print_notes(paths.notes)
    if volume not in (None, number, str(number), asked.volume[0]):
        raise UsageError(f"which volume is meant: {volume}, or {asked.volume}?")
    return number


def _run(
    image: str, made: Made | None, number: int | str | None, files: tuple[str, ...], free_space: bool
) -> Defragmented:
    from vmrescue.transaction.defragmenting import Defragmentation

    with Defragmentation(image, number, made) as defragmentation:
        try:
            with held(), work("moving files") as now:

                def progress(done: int, total: int) -> None:
                    checkpoint()
                    now.reach(done, total)

                return defragmentation.run(files, free_space, progress)
        except KeyboardInterrupt as error:
            if made is None:
                error.add_note(f"after {counted(defragmentation.moves, 'move')}: the volume is sound, every file whole")
            raise


def _analyze(image: str, number: int | str | None, limit: int, output: str) -> None:
    from vmrescue.diagnosis import open_disks
    from vmrescue.ntfs.defrag.fragmentation import look_at, read_fragmentation
    from vmrescue.ntfs.store import FileStore
    from vmrescue.report.defragmentation import COLUMNS, ROWS, fragmentation_text
    from vmrescue.report.free_map import free_map
    from vmrescue.windows.defragmentation import boot_files_of, ntfs_volume

    with work("looking at files and free space"), open_disks([image]) as (disk,):
        volume = ntfs_volume(disk, number)
        store = FileStore(volume.device)
        found = read_fragmentation(store, max(0, limit))
        watched = look_at(store, boot_files_of(disk, volume))
        drawn = free_map(volume, COLUMNS * ROWS)
        warnings = disk.warnings
    if output == "json":
        document = {
            "schema": "vmrescue.fragmentation/1",
            "image": str(image),
            "partition": volume.partition.number,
            **found.to_dict(),
            "boot_files": [vars(each) for each in watched],
            "map": {"bytes": drawn.unit, "used": drawn.used},
            "warnings": warnings,
        }
        put(json.dumps(document, indent=2))
    else:
        say(fragmentation_text(f"{image}, {volume}", found, watched, drawn))


def _shadow_note(image: str, number: int | str | None) -> str:
    """What a person should know of the volume before it is too late."""
    from vmrescue.diagnosis import open_disks
    from vmrescue.windows.defragmentation import SNAPSHOT_NOTE, has_shadow_copies, ntfs_volume

    with open_disks([image]) as (disk,):
        return f"Note: {SNAPSHOT_NOTE}.\n" if has_shadow_copies(ntfs_volume(disk, number)) else ""


def _ask(target: str, is_new: bool, note: str) -> None:
    """Raises RefusedError where the answer is no, or where there is nobody to ask."""
    warning = note + ("" if is_new else f"{NO_UNDO} {target}.\n")
    if not confirmed(f"{warning}Move files in {target}?"):
        raise RefusedError("not done: the answer was no")
