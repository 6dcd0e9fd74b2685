"""Whether an Azure VM size has a temporary drive that can hold the page file: by the table `vm_sizes.csv`.

The table names every size that it knows, with the page and the date that it rests on; what is not there is not
guessed at by its name. Names are compared as people write them: without case, ``Standard_`` or not, a blank as the
portal has it for an underscore. A constrained size (``Standard_M8-2ms``) has the disk of the one that it is made
from, a promotional one that of its size.
"""

from __future__ import annotations

import csv
import re
from functools import cache
from importlib.resources import files

from vmrescue.errors import UsageError

TABLE = "vm_sizes.csv"
FORMATTED = "disk"  # what the table calls a temporary disk that Azure formats
NAME = re.compile(
    r"(?:(?:Standard|Basic)[_ ]+)?(?P<size>[A-Z]+\d[A-Z0-9]*(?:-\d+[A-Z]*)?(?:[_ ]+[A-Z0-9]+)*?)(?:[_ ]+Promo)?",
    re.IGNORECASE | re.ASCII,
)
CONSTRAINED = re.compile(r"-\d+")


def temporary_drive(vm_size: str) -> bool | None:
    """Whether the size has a temporary drive that can hold a page file; None where it is in no table.

    Raises UsageError where the text cannot be the name of a VM size.
    """
    match = NAME.fullmatch(vm_size.strip())
    if match is None:
        raise UsageError(f"{vm_size!r} is not the name of an Azure VM size (they look like Standard_D4ds_v5)")
    kind = _kinds().get(_spelled(CONSTRAINED.sub("", match["size"])))
    return None if kind is None else kind == FORMATTED


def _spelled(size: str) -> str:
    """A size's name without what people write in different ways."""
    return size.lower().replace("_", "").replace(" ", "")


@cache
def _kinds() -> dict[str, str]:
    """For each size what the table calls its temporary disk."""
    lines = files(__package__).joinpath(TABLE).read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return {_spelled(size): row["temporary_disk"] for row in rows for size in row["sizes"].split()}
