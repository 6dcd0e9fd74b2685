"""$LogFile: the error of a structure in the log."""

from __future__ import annotations

from vmrescue.errors import FormatError

LOG = "the log"


def in_log(structure: str, position: int | None, expected: str, found: object = None) -> FormatError:
    """The error of a structure whose position is counted from the start of $LogFile, which its text says."""
    return FormatError(structure, position, expected, found, whole=LOG)
