"""Sample images that ship with the package; `images/` in the repository has the recipes that make them."""

from __future__ import annotations

import lzma
from importlib.resources import files
from typing import TYPE_CHECKING

from vmrescue.errors import NotFoundError

if TYPE_CHECKING:
    from pathlib import Path

SUFFIX = ".vhd.xz"
CHUNK = 1 << 20


def names() -> list[str]:
    """The samples there are."""
    return sorted(item.name.removesuffix(SUFFIX) for item in files(__name__).iterdir() if item.name.endswith(SUFFIX))


def unpack(name: str, target: Path) -> Path:
    """Unpacks a sample to a file, with holes where it is zero. Raises NotFoundError for a name that is none."""
    if name not in names():
        raise NotFoundError(f"there is no sample {name!r}; there are {', '.join(names())}")
    with files(__name__).joinpath(name + SUFFIX).open("rb") as packed, target.open("wb") as stream:
        with lzma.open(packed) as source:
            while chunk := source.read(CHUNK):
                if chunk.count(0) == len(chunk):
                    stream.seek(len(chunk), 1)
                else:
                    stream.write(chunk)
        stream.truncate()
    return target
