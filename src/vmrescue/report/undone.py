"""What an image's repairs were, and what an undo did, as plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.printable import printable
from vmrescue.units import counted, plural

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmrescue.transaction import PastRepair, Undone


def undone_text(undone: Undone) -> str:
    """What was taken back, and what was looked at before."""
    deed = "which had been interrupted, was rolled back" if undone.interrupted else "was taken back"
    repair = f"repair {undone.number}{',' if undone.interrupted else ''}"
    much = counted(undone.bytes_restored, "byte")
    whole = ", and the file's size, are" if not undone.content_only else " on the disk are"
    lines = [
        f"{undone.image}: {repair} {deed}: the {much} where it wrote{whole} what they were.",
        *(["The file around the disk is not byte for byte the old one: QEMU wrote it."] if undone.content_only else []),
        "Looked at before, and found as the repair left it:",
        *_places(undone.compared),
    ]
    if undone.different:
        lines += ["Found to be different, and passed over, as you asked:", *_places(undone.different)]
    lines += ["Not looked at:", *_places((*undone.not_compared, "the content of what the repair did not touch"))]
    return "\n".join(map(printable, lines))


def _places(labels: Iterable[str]) -> list[str]:
    """What was looked at, a line for each partition."""
    found: dict[str, list[str]] = {}
    for label in labels:
        name, _, place = label.rpartition(", on ")
        found.setdefault(place if name else "", []).append(name or label)
    return [f"  {f'{place}: ' if place else ''}{'; '.join(names)}" for place, names in found.items()]


def history_text(repairs: list[PastRepair]) -> str:
    """The repairs of an image, the oldest first."""
    return "\n".join(map(_history_line, repairs)) or "No repair of this image is known: it has no journal of one."


def _history_line(past: PastRepair) -> str:
    start = f"{past.number:>4}  {past.when:%Y-%m-%d %H:%M:%S} UTC  {past.state:6}  "
    if past.state == "final":
        return f"{start}a defragmentation: neither it nor what was done before it can be undone"
    made = ", ".join(f"{name} ({count})" if count > 1 else name for name, count in past.made.items())
    told = printable(past.receipt or "no receipt is beside the image")
    much = f"{past.bytes_written:>10} {plural(past.bytes_written, 'byte'):5}"
    return f"{start}{much}  {printable(made or '(not known)')}\n{'':6}{told}"
