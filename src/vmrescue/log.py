"""Logging of what is opened, read and decided, and why: one logger for each package, silent by default.

    logging.getLogger("vmrescue.image").setLevel(logging.DEBUG)

INFO has what explains a decision; DEBUG also what was only read.

Where nobody has imported `logging`, nobody listens: it is not imported for that.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging

PACKAGE = "vmrescue"


class Logger:
    """The logger of a package of vmrescue, such as ``vmrescue.image``."""

    def __init__(self, room: str) -> None:
        self._name = f"{PACKAGE}.{room}"

    def _listened_to(self) -> logging.Logger | None:
        return sys.modules["logging"].getLogger(self._name) if "logging" in sys.modules else None

    def info(self, text: str, *values: object) -> None:
        """Tells what explains a decision; `values` are put into the text as `logging` does it."""
        if there := self._listened_to():
            there.info(text, *values, stacklevel=2)

    def debug(self, text: str, *values: object) -> None:
        """Tells what was only read."""
        if there := self._listened_to():
            there.debug(text, *values, stacklevel=2)


def logger(room: str) -> Logger:
    """The logger of a package."""
    return Logger(room)
