"""A receipt as plain text: what was written, where the backup is, what remains; and a dry run's answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.diagnosis.command_line import WANTED, next_commands
from vmrescue.printable import printable
from vmrescue.report.fold import fold_command
from vmrescue.report.text import finding_line, not_checked_lines
from vmrescue.units import counted

if TYPE_CHECKING:
    from vmrescue.checks import Finding
    from vmrescue.diagnosis import Diagnosis
    from vmrescue.transaction import Receipt

SHOWN_RANGES = 40  # of what would be written; JSON has all


def receipt_text(receipt: Receipt) -> str:
    """For the person who has just had an image repaired."""
    when = "The disk was diagnosed again"
    return "\n".join([*written_lines(receipt), *_skipped(receipt), *_remaining(receipt, when)])


def written_lines(receipt: Receipt) -> list[str]:
    """What was written, where the copies are, and how it is taken back."""
    deed = "Repaired" if receipt.mends else "Changed"
    changes = counted(len(receipt.plan), "change")
    names = list(receipt.written)  # each has a journal of its own; a data disk's may be the only one
    undoable = [name for name in names if name in receipt.journals or not receipt.origin]  # not what qemu-img made
    lines = [
        f"{deed} {' and '.join(names)}: {changes}, {counted(receipt.bytes_written, 'byte')} written.",
        *([f"By the {receipt.plan.playbook}."] if receipt.plan.playbook else []),
        f"{'Backup and receipt' if receipt.backups else 'Receipt'}: {receipt.folder}",
        *_read_back(receipt),
        *_lies_over(receipt),
        *(
            line
            for name in undoable
            for line in fold_command(["vmrescue", "undo", name], "Take it back with: ", "    ")
        ),
    ]
    return list(map(printable, lines))


def _read_back(receipt: Receipt) -> list[str]:
    """Of a disk that was put to an address: whether it was looked at there."""
    if receipt.origin is None or receipt.origin.way != "upload":
        return []
    if receipt.origin.compared:
        return ["Read back and compared: the repaired pages and the footer, not all that was copied."]
    return ["Not read back: the address only takes writes."]


def _lies_over(receipt: Receipt) -> list[str]:
    """Of a child: what holds for its parent from now on."""
    if receipt.origin is None or receipt.origin.way != "child":
        return []
    return [f"It lies over {receipt.origin.image}: do not write to that any more, else this one reads wrong."]


def dry_run_text(receipt: Receipt) -> str:
    """What a repair would write, byte range by byte range."""
    if receipt.origin:  # a copy or a child is there, though there was nothing to change in it
        made = f"{receipt.image} was made of {receipt.origin.image}; nothing in it was changed."
        return "\n".join(map(printable, [made, *_lies_over(receipt)]))
    lines = []
    for path, ranges in receipt.written.items():
        total = sum(row.length for row in ranges)
        much = f"{counted(total, 'byte')} in {counted(len(ranges), 'range')}"
        lines.append(printable(f"{path}: {much} would be written (offset, length):"))
        lines += [f"  {row.offset:>15} {row.length:>8}" for row in ranges[:SHOWN_RANGES]]
        if len(ranges) > SHOWN_RANGES:
            lines.append(f"  … and {len(ranges) - SHOWN_RANGES} more")
    remaining = _remaining(receipt, "With these changes") if receipt.written else []
    return "\n".join([*lines, "Nothing was written.", *_skipped(receipt), *remaining])


def _skipped(receipt: Receipt) -> list[str]:
    """What of the plan was not made."""
    return [printable(f"Not made: {step.title} ({step.check}): {step.because}") for step in receipt.skipped]


def left_lines(diagnosis: Diagnosis, finding: Finding) -> list[str]:
    """A finding that is left, and what is to be typed next."""
    nothing = "nothing that vmrescue can do" if not finding.refused else f"refused: {finding.refused}"
    following = [
        line for words in next_commands(diagnosis, finding) for line in fold_command(words, "      next: ", " " * 10)
    ]
    words = {word for command in next_commands(diagnosis, finding) for word in command}
    following += [f"      {name}: {what}" for name, what in WANTED.items() if name in words]
    return [f"  {finding_line(finding)}", *map(printable, following or [f"      next: {nothing}"])]


def _remaining(receipt: Receipt, when: str) -> list[str]:
    """What the diagnosis of the changed disk finds: all of it after a repair, what is new after an edit by hand."""
    if receipt.after is None:
        return []
    found = [f"  {finding_line(finding)}" for finding in receipt.after.findings]
    unchecked = [f"  {line}" for line in not_checked_lines(receipt.after)]
    if receipt.mends:
        left = [line for finding in receipt.after.findings for line in left_lines(receipt.after, finding)] + unchecked
        return [f"{when}: this remains:", *left] if left else [f"{when}: nothing is wrong."]  # all checks were run
    found += unchecked
    before = receipt.before
    known = {f"  {finding_line(finding)}" for finding in before.findings} if before else set()
    known |= {f"  {line}" for line in not_checked_lines(before)} if before else set()
    new = [line for line in found if line not in known]
    return [f"{when}: this is new or different:", *new] if new else [f"{when}: it shows nothing new."]
