"""In which version vmrescue left a remote image: as long as it has that one, nobody else has written to it.

A page blob gets another ETag with every write, whoever makes it. The last one is kept beside the journals, with the
number of the first repair since which nobody else came between:

    repair 3 found the version that repair 2 left   ->  since 2
    repair 3 found another one                      ->  since 3: what 2 wrote may have been built upon
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmrescue.errors import RefusedError, WriteError
from vmrescue.files import new_file, open_regular, read_whole
from vmrescue.image.transports.file import sync_folder

if TYPE_CHECKING:
    from pathlib import Path

NAME = "version.json"
LARGEST = 4096  # bytes


@dataclass(frozen=True)
class LastWrite:
    """The version that an image was left in; `since`: the first repair after which nobody else wrote."""

    version: str
    since: int


def read_last_write(folder: Path) -> LastWrite | None:
    """What is known of the image whose journals lie in a folder; None where nothing is."""
    with suppress(RefusedError, OSError, ValueError, KeyError, TypeError, RecursionError):
        with open(folder / NAME, "rb", opener=open_regular) as stream:
            found = json.loads(read_whole(stream, LARGEST))
        return LastWrite(str(found["version"]), int(found["since"]))
    return None


def note_last_write(folder: Path, last: LastWrite) -> None:
    """Puts it on stable storage. Raises WriteError."""
    path = folder / NAME
    try:
        with new_file(path, overwrite=True) as stream:
            stream.write(json.dumps(vars(last)).encode())
        sync_folder(folder)
    except OSError as error:
        raise WriteError(f"cannot write {path}: {error.strerror}") from error
