"""vmrescue demo"""

from __future__ import annotations

import tempfile
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vmrescue.cli.completing import among
from vmrescue.cli.terminal import say
from vmrescue.errors import UsageError, WriteError
from vmrescue.samples import must_be_one, names, unpack
from vmrescue.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.procedure import Outcome

ELSEWHERE = "TMPDIR or --keep names another one"


@click.command()
@click.option(
    "--sample",
    default="gen1-broken",
    show_default=True,
    shell_complete=among(names),
    help=f"Which sample image: {', '.join(names())}.",
)
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), help="Leave the image in this folder.")
@click.option("--broken", is_flag=True, help="Only unpack it into the folder of --keep, to try the commands on it.")
def command(sample: str, keep: Path | None, broken: bool) -> None:
    """Unpack a broken sample image, rescue it, take that back, and rescue it again: with --keep it stays there."""
    if broken and not keep:
        raise UsageError("--broken needs --keep: where is the image to be left?")
    must_be_one(sample)
    if keep:
        _make(keep)
        if broken:
            made = unpack(sample, keep / f"{sample}.vhd")
            say(f"{made}: " + ("nothing is wrong with it" if sample.endswith("-healthy") else "as broken as it comes"))
            return
        with chdir(keep):
            _demonstrate(sample, "")
    else:
        with _temporary_folder():
            _demonstrate(sample, "; with --keep FOLDER it stays there")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"cannot make the folder {folder}: {error.strerror}") from error


@contextmanager
def _temporary_folder() -> Iterator[None]:
    """Inside the block the current folder is one that is deleted at the end."""
    try:
        with tempfile.TemporaryDirectory(prefix="vmrescue-demo-") as folder, chdir(folder):
            yield
    except FileNotFoundError as error:
        raise WriteError(f"there is no folder for temporary files to be written: {ELSEWHERE}") from error
    except WriteError as error:
        raise WriteError(f"{error}, in {tempfile.gettempdir()}: {ELSEWHERE}") from error


def _the_same_each_time(text: str, outcome: Outcome) -> str:
    """What a rescue says, without its time, and how many bytes it wrote: that depends on the time in the keys."""
    for receipt in outcome.receipts:
        text = text.replace(f", {counted(receipt.bytes_written, 'byte')} written", "").replace(receipt.id, "TIME")
    return text


def _demonstrate(sample: str, where: str) -> None:
    """In the current folder, so that what is printed is short. `where`: what is to be said of where it is then."""
    from vmrescue.diagnosis import diagnose
    from vmrescue.digests import file_sha256
    from vmrescue.errors import RepairFailedError
    from vmrescue.procedure import rescue
    from vmrescue.progress import work
    from vmrescue.report.outcome import outcome_text
    from vmrescue.report.text import summary_text
    from vmrescue.transaction import undo

    with work("unpacking and hashing"):
        image = unpack(sample, Path(f"{sample}.vhd"))
        before = file_sha256(image)
    diagnosis = diagnose(image)
    what = "A VM that does not boot" if diagnosis.findings else "A VM with nothing to repair"
    say(f"1. {what} ({image.name}, SHA-256 {before[:16]}…)\n")
    say(summary_text(diagnosis))
    if not diagnosis.findings:
        return
    outcome = rescue(image)
    say("\n2. Rescued: backed up, journalled, verified by the readers of dissect and libvhdi\n")
    say(_the_same_each_time(outcome_text(outcome), outcome))
    undo(image)
    with work("hashing"):
        after = file_sha256(image)
    if after != before:
        raise RepairFailedError(f"{image} is not as it was before: SHA-256 {after}")
    say(f"\n3. Taken back: byte for byte as before (SHA-256 {after[:16]}…)")
    if rescue(image).committed:
        say(f"\n4. Rescued again: {image.name} is the disk to attach{where}")
