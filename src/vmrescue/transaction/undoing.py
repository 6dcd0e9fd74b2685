"""Undoes the last repair of an image, and says what was compared before that."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from vmrescue.arguments import typed
from vmrescue.dataclass import dataclass
from vmrescue.errors import NotFoundError, RefusedError
from vmrescue.image import journal, opening
from vmrescue.image.containers.foreign.written import counts_the_disk
from vmrescue.image.containers.parents import parents_in
from vmrescue.image.reference import Reference
from vmrescue.progress import work
from vmrescue.transaction.history import PastRepair, history

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

UNDOABLE = ("done", "hot")
OWN = "all that it wrote, and the rest of the pages in which that begins or ends"


@dataclass(frozen=True)
class Undone:
    """A repair that was taken back.

    Attributes:
        image: its path.
        number: the repair's.
        interrupted: whether the repair had been interrupted, so that it was rolled back.
        bytes_restored: of the image's file, in the ranges that the repair wrote.
        compared: what was looked at before, and was as the repair left it.
        different: what was not, and was passed over because that was asked for.
        not_compared: what could not be looked at, and why.
        content_only: whether the disk's content is what it was, but not its file, byte for byte: QEMU writes that.
    """

    image: str
    number: int
    interrupted: bool
    bytes_restored: int
    compared: tuple[str, ...]
    different: tuple[str, ...]
    not_compared: tuple[str, ...]
    content_only: bool = False

    def to_dict(self) -> dict[str, Any]:
        return {
            "image": self.image,
            "undone": self.number,
            "interrupted": self.interrupted,
            "bytes_restored": self.bytes_restored,
            "compared": list(self.compared),
            "different": list(self.different),
            "not_compared": list(self.not_compared),
            "content_only": self.content_only,
        }


@typed
def take_back(
    image: str | os.PathLike[str],
    although_changed: bool = False,
    *,
    repair: int | str | None = None,
    parent_dir: str | os.PathLike[str] | None = None,
) -> Undone:
    """Takes the last repair of an image back: the bytes that it wrote, and the file's size, become what they were.

    Before that it looks at all that it would overwrite, and for signs that somebody else has written to the image
    since: that Windows ran, or that the image was mounted or edited. What these signs are, the answer says.

    Args:
        image: as for `repair`.
        although_changed: take it back in spite of such signs. Old bytes then come to lie among new ones, which can
            destroy files. What the repair wrote must still be there even then.
        repair: which repair that has to be, by its number or its id (`history`); unless given, whichever is the last.
        parent_dir: where a differencing disk's parents are, if neither beside it nor where it says.

    Raises:
        NotFoundError: there is no repair to take back, or none of that number or id.
        RefusedError: the image was changed since, or the repair is not the last; nothing was written, and the repair
            can still be taken back.
    """
    if repair is not None:
        must_be_the_last(image, str(repair))
    interrupted = journal.is_hot(image)
    with work("taking the repair back"), parents_in(parent_dir):
        undone = opening.undo(image, although_changed)
    return Undone(
        image=Reference.of(image).shown,
        number=undone.number,
        interrupted=interrupted,
        bytes_restored=sum(region.length_before for region in undone.regions),
        compared=undone.found.same if interrupted else (OWN, *undone.found.same),
        different=undone.found.different,
        not_compared=undone.found.unknown,
        content_only=counts_the_disk(Reference.of(image)),
    )


def must_be_the_last(image: str | os.PathLike[str], name: str) -> None:
    """Raises an error unless the repair of this number or id is the one that would be taken back.

    A repair that came after it may build on it where the two share no byte: on a record that it freed, on room that it
    made. So those are taken back first, the last first.
    """
    past = history(image)
    found = next((each for each in past if _is_at(each, name)), None)
    if found is None:
        known = ", ".join(str(each.number) for each in past) or "none"
        raise NotFoundError(f"there is no repair {name!r:.60} of {Reference.of(image)}; there are: {known}")
    if found.state not in UNDOABLE:
        why = "was taken back before" if found.state == "undone" else "is a defragmentation, which is not undone"
        raise NotFoundError(f"repair {found.number} of {Reference.of(image)} {why}")
    if later := [str(each.number) for each in past if each.state in UNDOABLE and each.number > found.number]:
        what = f"repair {later[0]}" if len(later) == 1 else f"repairs {', '.join(later)}"
        raise RefusedError(
            f"{what} of {Reference.of(image)} came after repair {found.number}, and may build on it: `vmrescue undo"
            f" {shlex.quote(str(Reference.of(image)))} --to {found.number}` takes back all of them, the last first"
        )


def take_back_to(
    image: str | os.PathLike[str], first: str | None = None, although_changed: bool = False
) -> Iterator[Undone]:
    """Takes repairs back, the last first: each is taken back when it is asked for.

    Args:
        image: as for `repair`.
        first: the first repair that is taken back, by its number or its id (`history`); all of them unless given.
        although_changed: as for `take_back`, which raises what this does.
    """
    numbers = [past.number for past in history(image) if past.state in UNDOABLE and (not first or _is_at(past, first))]
    if first and not numbers:
        raise NotFoundError(f"there is no repair {first!r} of {Reference.of(image)} that can be taken back")
    last = min(numbers, default=0)
    while True:
        undone = take_back(image, although_changed)
        yield undone
        if undone.number <= last:
            return


def _is_at(past: PastRepair, name: str) -> bool:
    return name == str(past.number) or bool(past.receipt and past.receipt.parent.name == name)


@typed
def undo(
    image: str | os.PathLike[str],
    although_changed: bool = False,
    *,
    repair: int | str | None = None,
    parent_dir: str | os.PathLike[str] | None = None,
) -> int:
    """As `take_back`; returns the repair's number."""
    return take_back(image, although_changed, repair=repair, parent_dir=parent_dir).number
