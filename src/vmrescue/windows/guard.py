"""The boundary to the readers of others: whatever they trip over becomes our error, with the structure's place."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from vmrescue.errors import FormatError, VmRescueError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def reading(structure: str, position: int) -> Iterator[None]:
    """Names `structure` and its first byte on the disk in place of a third-party reader's own exception.

    Damaged input makes those readers raise almost anything (EOFError, struct.error, IndexError, RecursionError, …).
    """
    try:
        yield
    except VmRescueError:
        raise
    except Exception as error:
        found = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise FormatError(structure, position, "an intact structure", found) from error
