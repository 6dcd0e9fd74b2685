"""A listing that is printed as it is found; as JSON it is one document, and printed when all of it is there."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from vmrescue.cli.microsoft import print_lines
from vmrescue.cli.output import json_item, put_list
from vmrescue.errors import VmRescueError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.cli.options import ApplyOptions
    from vmrescue.commands.outcome import Piece

AT_ONCE = 1000  # lines


class Listing:
    """Prints pieces. Lines wait until they are many: for each alone the operating system would be called."""

    def __init__(self, options: ApplyOptions) -> None:
        self._quiet, self._is_json = options.quiet, options.output == "json"
        self._waiting: list[str] = []  # lines; of JSON the items

    def add(self, piece: Piece) -> None:
        if self._quiet:
            return
        if self._is_json:
            if piece.found:
                self._waiting.append(json_item(piece.found().to_dict()))
            return
        if piece.lines:
            self._waiting += "\n".join(piece.lines).split("\n")  # what a value holds may be several lines
        if len(self._waiting) >= AT_ONCE:
            self._print()

    def end(self) -> None:
        """Prints what waits."""
        if self._quiet:
            return
        if self._is_json:
            put_list(self._waiting)
        else:
            self._print()

    @contextmanager
    def until_error(self) -> Iterator[None]:
        """Where something cannot be read, the lines of what was found before it are printed first."""
        try:
            yield
        except VmRescueError:
            if not self._is_json:
                self._print()
            raise

    def _print(self) -> None:
        print_lines(self._waiting)
        self._waiting.clear()
