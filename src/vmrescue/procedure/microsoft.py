"""A command of Microsoft's on an image: parsed, run on the present content, its changes made like any other plan."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.errors import VmRescueError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from vmrescue.commands.outcome import Outcome
    from vmrescue.commands.reg.loaded_hives import LoadedHives
    from vmrescue.plan import Change, Plan
    from vmrescue.transaction import Editing, Receipt, Transaction
    from vmrescue.windows import Choice, Disk

    Location = str | os.PathLike[str]
    Say = Callable[[Iterable[str]], None]  # what is to be said beside a listing, a sentence each


@dataclass(frozen=True)
class Ran:
    """A command that changes no byte of the image, run on what there is.

    Attributes:
        image: what it was run on.
        outcome: what it prints.
        file: the file of this machine that it makes, and the pieces of its content; None where it makes none.
        names: the names of hives that are to be kept beside the image; None where they stay.
        may_overwrite: whether its words say that the file may take another's place.
    """

    image: Location
    outcome: Outcome
    file: tuple[Path, Iterable[bytes]] | None = None
    names: LoadedHives | None = None
    may_overwrite: bool = False

    def keep_names(self) -> None:
        """Keeps what `reg load` and `reg unload` change."""
        from vmrescue.commands.reg.loaded_hives import write_loaded

        if self.names is not None:
            write_loaded(self.image, self.names)


class Edit:
    """A command that edits: it is run on the disks that are opened for the edit, so that it changes what it saw.

    Attributes:
        image: what it is run on.
        choice: what boots, where it was said: the diagnoses before and after the edit are of that.
        outcome: what it prints and asks for, once `plan` was asked.
    """

    def __init__(
        self,
        image: Location,
        reason: tuple[str, str],
        choice: Choice,
        run: Callable[[list[Disk]], tuple[Outcome, list[Change]]],
    ) -> None:
        """Notes what is to be run, and with which program and words: of the plan's steps."""
        from vmrescue.commands.outcome import Outcome

        self.image = image
        self.choice = choice
        self.outcome = Outcome("")
        self._reason = reason
        self._run = run

    def plan(self, transaction: Transaction) -> Plan:
        """The plan of what it asks for. Raises what it says where it would not do it."""
        from vmrescue.plan import Plan, Step

        self.outcome, changes = self._run(transaction.disks())
        return Plan(transaction.identity, tuple(Step(*self._reason, change) for change in changes))


@dataclass(frozen=True)
class Answer:
    """What a command of Microsoft's came to.

    Attributes:
        text: what it prints, line by line, as Microsoft's program does.
        passed: False where Microsoft's program ends with another status than 0: nothing was matched, two keys differ,
            a hive is damaged.
        notes: what the person should know besides, a sentence each.
        receipt: of what was written to the image, or (`committed` False) would be; None where nothing was asked for.
        file: the file of this machine that was written; None where none was.
    """

    text: str
    passed: bool = True
    notes: tuple[str, ...] = ()
    receipt: Receipt | None = None
    file: Path | None = None


@contextmanager
def in_microsofts_words() -> Iterator[None]:
    """Marks the errors of the block as those of Microsoft's program, which are printed as they are."""
    try:
        yield
    except VmRescueError as error:
        error.verbatim = True
        raise


def carried_out(command: Ran | Edit, overwrite: bool, how: Editing) -> tuple[Receipt | None, Path | None]:
    """Makes what a command asks for, unless it is a dry run: the receipt, and the file that was written."""
    from vmrescue.image.exported import write_exported
    from vmrescue.transaction.repairing import edit

    if isinstance(command, Edit):
        return edit(command.image, command.plan, command.choice, **how), None
    if how.get("dry_run"):
        return None, None
    written = None
    if command.file:
        written, content = command.file
        write_exported(written, content, overwrite or command.may_overwrite, command.image)
    command.keep_names()
    return None, written
