"""The repairs of an image: what its journals and receipts tell."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vmrescue.arguments import typed
from vmrescue.dataclass import dataclass
from vmrescue.errors import VmRescueError
from vmrescue.files import open_regular, read_whole
from vmrescue.image import journal_folder, journals
from vmrescue.image.reference import Reference
from vmrescue.transaction.receipt import LARGEST, NAME

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True)
class PastRepair:
    """One repair.

    Attributes:
        number: 1 for the image's first.
        state: ``done``; ``undone``: taken back; ``hot``: interrupted, and rolled back when it is next opened to write;
            ``final``: a defragmentation, which ends what can be undone.
        when: UTC.
        bytes_written: to the image's file.
        receipt: the path of its receipt beside the image, where there is one.
        made: what it was made by, as the receipt tells: the name of each check or command, and its number of changes.
    """

    number: int
    state: str
    when: datetime
    bytes_written: int
    receipt: Path | None
    made: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "state": self.state,
            "when": self.when.isoformat(),
            "bytes_written": self.bytes_written,
            "receipt": str(self.receipt) if self.receipt else None,
            "made": dict(self.made),
        }


@typed
def history(image: str | os.PathLike[str]) -> list[PastRepair]:
    """All repairs of an image, the oldest first. Raises RefusedError where a journal is damaged."""
    past = journals(image)
    receipts = {number: (path, made) for number, path, made in _receipts(image)} if past else {}
    return [
        PastRepair(
            number=journal.number,
            state=journal.state,
            when=datetime.fromtimestamp(journal.created, UTC),
            bytes_written=sum(region.length_after for region in journal.regions),
            receipt=receipt,
            made=made,
        )
        for journal in past
        for receipt, made in [receipts.get(journal.number, (None, {}))]
    ]


def _receipts(image: str | os.PathLike[str]) -> Iterator[tuple[int, Path, Mapping[str, int]]]:
    """The journal's number of each receipt that lies beside the image, the receipt, and what made the changes."""
    for path in journal_folder(image).glob(f"*/{NAME}"):
        # What is not a receipt of ours is passed over: the list is of journals, which do not need it.
        with suppress(OSError, VmRescueError, ValueError, TypeError, KeyError, RecursionError):
            yield from _told(path, Reference.of(image).name)


def _told(receipt: Path, name: str) -> list[tuple[int, Path, Mapping[str, int]]]:
    """What a receipt says of the journals of an image of this name. Raises ValueError, KeyError, …"""
    with open(receipt, "rb", opener=open_regular) as stream:
        document = json.loads(read_whole(stream, LARGEST))
    journals, made = document["journals"], Counter(str(step["check"]) for step in document["plan"]["steps"])
    if not isinstance(journals, dict):
        raise TypeError(f"an object was expected, not {journals!r:.40}")
    numbers = [value for path, value in journals.items() if Path(path).name == name]
    if not all(isinstance(value, int) for value in numbers):
        raise TypeError(f"numbers were expected, not {numbers!r:.40}")
    return [(number, receipt, made) for number in numbers]
