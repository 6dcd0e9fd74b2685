"""The version that a remote image had after vmrescue's last write. While it has that version, nobody else wrote to it.

A page blob gets a new ETag with every write, by anybody. The ETag after our last write is kept beside the journals,
with the number of the first repair since which nobody else wrote:

    repair 3 found the version that repair 2 left   ->  since 2
    repair 3 found another version                  ->  since 3: somebody may have used what repair 2 wrote
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.errors import RefusedError, WriteError
from vmrescue.files import new_file, open_regular, read_whole
from vmrescue.image.transports.file import sync_folder

if TYPE_CHECKING:
    from pathlib import Path

NAME = "version.json"
LARGEST = 4096  # most bytes of the file


@dataclass(frozen=True)
class LastWrite:
    """The version after our last write; `since`: the first repair since which nobody else wrote."""

    version: str
    since: int


def read_last_write(folder: Path) -> LastWrite | None:
    """The last write of the image whose journals are in `folder`; None if none is known."""
    with suppress(RefusedError, OSError, ValueError, KeyError, TypeError, RecursionError):
        with open(folder / NAME, "rb", opener=open_regular) as stream:
            found = json.loads(read_whole(stream, LARGEST))
        return LastWrite(str(found["version"]), int(found["since"]))
    return None


def note_last_write(folder: Path, last: LastWrite) -> None:
    """Stores it, and syncs the file. Raises WriteError."""
    path = folder / NAME
    try:
        with new_file(path, overwrite=True) as stream:
            stream.write(json.dumps(vars(last)).encode())
        sync_folder(folder)
    except OSError as error:
        raise WriteError(f"cannot write {path}: {error.strerror}") from error
