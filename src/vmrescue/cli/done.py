"""What was done to an image is said, or the failure to say it tells that it was done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.cli.output import forget_output
from vmrescue.cli.terminal import say
from vmrescue.errors import AfterCommitError, WriteError

if TYPE_CHECKING:
    from collections.abc import Callable


def tell(text: str, changed: bool, output: Callable[[str], None] = say) -> None:
    """Prints what was done. Raises AfterCommitError where that cannot be printed and an image was changed."""
    try:
        output(text)
    except (WriteError, BrokenPipeError) as error:
        if not changed:
            raise
        forget_output()
        why = error.strerror if isinstance(error, OSError) else error
        raise AfterCommitError(f"the image was changed, but what was done cannot be printed: {why}") from error
