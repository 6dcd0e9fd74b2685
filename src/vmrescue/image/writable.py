"""Whether an image could be written now, as far as that shows without opening it to write.

A diagnosis asks this, so that it does not promise a repair that the operating system would refuse. That nobody uses the
image is not looked at: it changes from one moment to the next.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from vmrescue.errors import VmRescueError
from vmrescue.files import kind_of
from vmrescue.image.reference import Reference
from vmrescue.image.transports.file import why_not_written
from vmrescue.image.transports.lock import refuse_mounted

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.image.reference import Location


def why_not_now(image: Location) -> str | None:
    """Why this process could not write to an image now, as a sentence; None if no reason shows.

    A remote image's server tells only when it is written to.
    """
    place = Reference.of(image)
    if place.is_remote or kind_of(place.text) not in (stat.S_IFREG, stat.S_IFBLK):  # a Target may be a folder
        return None
    try:
        refuse_mounted(place.text)
        return why_not_written(place.text) or _why_no_journal(place.journal_folder)
    except VmRescueError as error:
        return str(error)


def _why_no_journal(folder: Path) -> str | None:
    """Why no undo journal can be made, without which nothing is written."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if os.access(there, os.W_OK | os.X_OK, effective_ids=True):
        return None
    return f"the image's undo journal needs the folder {folder}, and {there} may not be written"
