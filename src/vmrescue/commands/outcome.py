"""What a command of Microsoft's comes to, before anything is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from vmrescue.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from vmrescue.registry.operations import Operation


class Listed(Protocol):
    """One thing that a listing lists."""

    def to_dict(self) -> dict[str, Any]: ...


class Piece(NamedTuple):
    """A piece of a listing: its lines, and what makes the thing that they list, if it is one."""

    lines: Sequence[str]
    found: Callable[[], Listed] | None = None


@dataclass(frozen=True)
class Outcome:
    """What a command prints and asks for.

    Attributes:
        text: what Microsoft's program prints, once the operations are done; it ends with a line's end.
        operations: what is to be done, in order: bcdedit's paths are those of the store's hive, reg's the registry's
            full names. None for a command that only lists.
        notes: what the user should know besides, a sentence each.
        found: what a listing lists; None for a command that lists nothing.
        passed: False where the program ends with another status than 0: nothing was matched, two keys differ.
        asks: whether Microsoft's program asks before it does it.
        export: the registration file that `reg export` makes, piece by piece, as long as the hive is open.
        shown: whether all that it prints was given away piece by piece, so that `text` and `found` have none of it.
    """

    text: str
    operations: tuple[Operation, ...] = ()
    notes: tuple[str, ...] = ()
    found: Sequence[Listed] | None = None
    passed: bool = True
    asks: bool = False
    export: Iterable[bytes] | None = None
    shown: bool = False

    @property
    def data(self) -> list[dict[str, Any]] | None:
        """What was found, for JSON."""
        return None if self.found is None else [each.to_dict() for each in self.found]

    @property
    def lines(self) -> list[str]:
        """The text without its lines' ends."""
        return self.text.removesuffix("\n").split("\n") if self.text else []


def text_of(lines: list[str]) -> str:
    """Lines as a text."""
    return "".join(f"{line}\n" for line in lines)


def collected(listing: Callable[[Callable[[Piece], object]], bool]) -> Outcome:
    """A listing as a whole.

    Args:
        listing: gives away each piece, and says whether the program's status is 0.
    """
    pieces: list[Piece] = []
    passed = listing(pieces.append)
    text = text_of([line for piece in pieces for line in piece.lines])
    return Outcome(text, passed=passed, found=tuple(piece.found() for piece in pieces if piece.found))
