"""Sample images that ship with the package; `images/` in the repository has the recipes that make them."""

from __future__ import annotations

import lzma
import os
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING

from vmrescue.errors import UsageError, WriteError
from vmrescue.files import write_sparse
from vmrescue.image.new_image import new_image
from vmrescue.near import meant

if TYPE_CHECKING:
    from pathlib import Path

SUFFIX = ".vhd.xz"
CHUNK = 1 << 20


def names() -> list[str]:
    """The names of all samples."""
    return sorted(item.name.removesuffix(SUFFIX) for item in files(__name__).iterdir() if item.name.endswith(SUFFIX))


def must_be_one(name: str) -> None:
    """Raises UsageError if there is no such sample."""
    if name not in names():
        raise UsageError(f"there is no sample {name!r}{meant(name, names())}")


def unpack(name: str, target: Path) -> Path:
    """Unpacks a sample to a new sparse file.

    Raises:
        UsageError: there is no such sample.
        RefusedError: the file exists.
        WriteError: the file could not be written.
    """
    must_be_one(name)
    with files(__name__).joinpath(name + SUFFIX).open("rb") as packed, lzma.open(packed) as source:
        try:
            with new_image(target) as new, new.unfinished.open("wb") as stream:
                write_sparse(stream, iter(partial(source.read, CHUNK), b""))
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise WriteError(f"cannot unpack {name} to {target}: {error.strerror}") from error
    return target
