"""Plays a fault of `tests/faults/`: its disk, diagnosis, rehearsal, repair, a second repair, undo, and the judges.

First what stands in the recipe by hand is held to; then what was found is compared with the recordings beside it.
"""

from __future__ import annotations

import difflib
import json
import re
from contextlib import chdir
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from support.command import said_by, vmrescue
from support.disk_judges import verdicts
from support.documents import must_be
from support.fault import RECORD, REFUSED, TRANSCRIPT
from support.fault_disk import FaultDisk
from support.fault_record import Change, Record, Repair, Status, diagnosis_of
from support.images import fingerprint
from support.judges import SOUND
from support.machine import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from support.fault import Fault, Printed, Wanted
    from support.fault_record import Diagnosis
    from support.judges import Verdict

FORMATS = {
    "vhd": ("vpc", "subformat=fixed,force_size=on"),
    "vhdx": ("vhdx", "subformat=dynamic"),
    "qcow2": ("qcow2", "compat=1.1"),
}
MOST_SHOWN = 4000  # characters of what a command printed
FOR_REHEARSE = {"--platform", "--ram", "--store", "--windows"}  # options of a diagnosis that a rehearsal has too
# A repair's id is the time of its making; a hive has times, so that the hash of a new one, and how many of its bytes
# are others than before, depend on the hour.
UNSTABLE = {
    re.compile(r"\d{8}T\d{6}\.\d{6}Z"): "TIME",
    re.compile(r"(bytes,\s+SHA-256\s+)[0-9a-f]{64}"): r"\1HASH",
    re.compile(  # a FAT volume's id is made anew
        r"(boot sector from its copy(?::|\n +in .*\n +before)\s+SHA-256\s+)[0-9a-f]{64}"
        r"(\s+(?:->|after)\s+SHA-256\s+)[0-9a-f]{64}"
    ): r"\1HASH\2HASH",
    re.compile(r"\b\d+ bytes?(?= written| where it wrote)"): "N bytes",
}


@dataclass(frozen=True)
class Played:
    """What a play found, and what a person saw of it."""

    record: Record
    transcript: str


def make(fault: Fault, folder: Path) -> Path:
    """The disk image, in an empty folder."""
    disk = FaultDisk.copy_of(fault.recipe.disk, folder)
    disk.make(fault.recipe.make)
    form = fault.recipe.image
    if form == "raw":
        return disk.path
    image = folder / f"disk.{form}"
    driver, options = FORMATS[form]
    run("qemu-img", "convert", "-O", driver, "-o", options, disk.path, image)
    disk.path.unlink()
    return image


def play(fault: Fault, folder: Path) -> Played:
    """Makes the disk, and holds diagnosis, repair, second repair and undo to what the recipe expects by hand.

    Raises:
        AssertionError: something differs.
    """
    with chdir(folder):  # so that no command prints where
        return _Play(fault, Path(make(fault, folder).name)).play()


def must_be_as_recorded(fault: Fault, played: Played) -> None:
    """Compares a play with the files beside the recipe.

    Raises:
        AssertionError: something differs.
    """
    pairs = (
        (RECORD, fault.record.to_json(), played.record.to_json()),
        (TRANSCRIPT, fault.transcript, played.transcript),
    )
    differing = [
        line
        for file, kept, found in pairs
        for line in difflib.unified_diff(kept.splitlines(), found.splitlines(), fault.place(file), "this play", n=2)
    ]
    shown = "\n".join(differing)[:MOST_SHOWN]
    assert not differing, f"not as recorded; if this is right: python -m tests.faults --update {fault.name}\n{shown}"


def keep(fault: Fault, played: Played) -> bool:
    """Writes the recordings; whether one of them is another than before. The recipe is never written."""
    wanted = {RECORD: played.record.to_json(), TRANSCRIPT: played.transcript}
    changed = {
        file: text
        for file, text in wanted.items()
        if not fault.path(file).exists() or fault.path(file).read_text(encoding="utf-8") != text
    }
    for file, text in changed.items():
        fault.path(file).write_text(text, encoding="utf-8")
    return bool(changed)


class _Play:
    """One play, in the folder of the image."""

    def __init__(self, fault: Fault, image: Path) -> None:
        self._fault, self._image = fault, image
        self._shown: list[str] = []

    def play(self) -> Played:
        """All of it, in its order."""
        recipe = self._fault.recipe
        diagnosis = self._diagnose(recipe.expect)
        self._command("diagnose", recipe.expect.options)
        rehearsal = self._command("rehearse", (), _for_rehearse(self._options(recipe.expect)))
        ends = diagnosis.stop or _hidden(diagnosis)
        assert rehearsal == (1 if ends else 0), "rehearsal and diagnosis differ on whether the start ends"
        record = Record(diagnosis, rehearsal, self._repair() if recipe.repair else None)
        contradictions = self._fault.contradictions(record)
        assert not contradictions, "\n".join(contradictions)
        return Played(record, "\n".join(self._shown))

    def _repair(self) -> Repair:
        wanted = self._fault.recipe.repair
        assert wanted is not None
        first, judged = fingerprint(self._image), verdicts(self._image)
        status = self._command("repair", ("--yes", *wanted.options), expected=wanted)
        if status == REFUSED:
            assert fingerprint(self._image) == first, "a refused repair changed the image"
            return Repair(status)
        repaired, judges = fingerprint(self._image), verdicts(self._image)
        must_be_no_worse(judged, judges)
        changes = self._changes()
        after = self._diagnose(wanted.after) if wanted.after else None
        again = self._command("repair", ("--yes", *wanted.options))
        assert fingerprint(self._image) == repaired, "a second repair changed something"
        undo = self._command("undo", (), ())
        assert undo == 0, self._shown[-1]
        assert fingerprint(self._image) == first, "the undo did not give the first bytes back"
        return Repair(status, changes, judges, after, again, undo)

    def _diagnose(self, wanted: Wanted) -> Diagnosis:
        """As data, which is quicker to be compared."""
        done = vmrescue("diagnose", self._image, "--format", "json", *self._options(wanted))
        _holds("diagnose", done.returncode, done.stdout + done.stderr, wanted)
        document = json.loads(done.stdout)
        must_be("diagnosis", document)
        return diagnosis_of(document, done.returncode, self._fault.name)

    def _command(
        self, command: str, more: Sequence[str], options: Sequence[str] | None = None, expected: Printed | None = None
    ) -> Status:
        """Runs a command as a person does, and keeps what it printed; its exit status."""
        words = [command, str(self._image), *(self._fault.recipe.options if options is None else options), *more]
        status, text = said_by(*words)
        _holds(command, status, text, expected)
        self._shown.append(f"$ vmrescue {' '.join(words)}\n{stable(text)}[exit status {status}]\n")
        assert status in get_args(Status), f"{command} ended with {status}"
        return cast("Status", status)

    def _options(self, expected: Printed) -> tuple[str, ...]:
        return (*self._fault.recipe.options, *expected.options)

    def _changes(self) -> tuple[Change, ...]:
        """Those of the receipt; none where nothing was written."""
        return tuple(
            Change(step["check"], step["change"]["kind"], _place(step["change"].get("file")))
            for receipt in sorted(Path().glob(f"{self._image}.vmrescue/*/receipt.json"))
            for step in json.loads(receipt.read_text(encoding="utf-8"))["plan"]["steps"]
        )


def _place(file: dict[str, Any] | None) -> str:
    return f"partition {file['partition']}: {file['path']}" if file else ""


def _hidden(diagnosis: Diagnosis) -> bool:
    """Whether damage of a volume, or of the image's end, hides a part of the boot path."""
    damaged = (found.check == "cut-short" or " is damaged: " in found.summary for found in diagnosis.findings)
    return "unknown" in diagnosis.stages.values() and any(damaged)


def _for_rehearse(options: Sequence[str]) -> tuple[str, ...]:
    """Those that a rehearsal has too, with their values."""
    return tuple(word for pair in pairwise(options) if pair[0] in FOR_REHEARSE for word in pair)


def stable(text: str) -> str:
    """What was printed, without what is another each time."""
    for pattern, word in UNSTABLE.items():
        text = pattern.sub(word, text)
    return text


def must_be_no_worse(before: dict[str, Verdict], after: dict[str, Verdict]) -> None:
    """What a judge found sound it still must."""
    worse = [judge for judge, verdict in after.items() if before.get(judge) == SOUND != verdict]
    assert not worse, f"sound before and not after, says {', '.join(worse)}"


def rescue(fault: Fault, folder: Path) -> None:
    """Makes the disk and rescues it: nothing worse is left than after a repair; once is enough; undo is exact.

    Raises:
        AssertionError: something differs.
    """
    image, recipe = make(fault, folder), fault.recipe
    first, judged = fingerprint(image), verdicts(image)
    done = vmrescue("rescue", image, "--yes", "--format", "json", *recipe.options)
    assert "Traceback" not in done.stderr, done.stderr
    must_be("error" if done.returncode > 1 else "rescue", json.loads(done.stdout))
    if done.returncode > 1:
        assert fingerprint(image) == first, "a rescue that was not made changed the image"
        assert recipe.expect.status > 1 or (recipe.repair and recipe.repair.status > 1), done.stderr
        return
    left = {f"{each['check']} {each['severity']}" for each in json.loads(done.stdout)["remaining"]}
    wanted = {*(recipe.repair.after if recipe.repair and recipe.repair.after else recipe.expect).findings}
    if recipe.repair and "--only" in recipe.repair.options:  # what is mended when it is named alone
        wanted |= {*recipe.expect.findings}
    assert left <= wanted, f"left: {left}, after a repair: {wanted}"
    must_be_no_worse(judged, verdicts(image))
    after = fingerprint(image)
    again = vmrescue("rescue", image, "--yes", "--format", "json", *recipe.options)
    assert (again.returncode, fingerprint(image)) == (done.returncode, after), "a second rescue changed something"
    if after != first:
        assert vmrescue("undo", image).returncode == 0
    assert fingerprint(image) == first, "the undo did not give the first bytes back"


def _holds(command: str, status: int, printed: str, expected: Printed | None) -> None:
    """The exit status, and words that are printed (`says`) or are not (`never_says`)."""
    shown = printed if len(printed) < MOST_SHOWN else f"{printed[:MOST_SHOWN]} ..."
    assert "Traceback" not in printed, printed
    if expected is None:
        return
    assert status == expected.status, f"{command} ended with {status}:\n{shown}"
    for words in expected.says:
        assert words in printed, f"{command} does not say {words!r}:\n{shown}"
    for words in expected.never_says:
        assert words not in printed, f"{command} says {words!r}:\n{shown}"
