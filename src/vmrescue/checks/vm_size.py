"""Whether an Azure VM size has a temporary drive that can hold the page file: by the table `vm_sizes.csv`.

The table names every size that it knows, with the page and the date that it rests on; what is not there is not
guessed at by its name. Names are compared as people write them: without case, ``Standard_`` or not, a blank as the
portal has it for an underscore. A constrained size (``Standard_M8-2ms``) has the disk of the one that it is made
from, a promotional one that of its size.

A name that is in no table is that of a newer size only if it is made as Azure makes names: a family, a number of
processors, features in their order, an accelerator, a version. Anything else is a mistyped name. Source: Microsoft,
learn.microsoft.com/azure/virtual-machines/vm-naming-conventions; the features' order is that of the table's names.
"""

from __future__ import annotations

import csv
import re
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from itertools import combinations

from vmrescue.errors import UsageError

TABLE = "vm_sizes.csv"
FORMATTED = "disk"  # what the table calls a temporary disk that Azure formats
AROUND = re.compile(r"(?:(?:standard|basic)_)?(?P<size>.*?)(?:_promo)?", re.DOTALL)
CONSTRAINED = re.compile(r"-\d+(?=[a-z_]|$)")
NAME = re.compile(
    r"(?P<family>[a-z]+)[1-9]\d{0,3}(?P<features>[a-z]*)"
    r"(?P<accelerator>(?:_(?:flex|[a-z]{1,6}\d+[a-z0-9]*))*?)(?:_cc|_[1-9]\d?)?(?:_v[1-9])?"
)
WITH_ACCELERATOR = "n"  # the first letter of the families that have one
NOT_IN_THE_TABLE = {"ncc", "nm"}  # families whose pages are not at hand
MORE = {"x"}  # a feature that only sizes have whose page contradicts itself: M896ixds_32_v3


def temporary_drive(vm_size: str) -> bool | None:
    """Whether the size has a temporary drive that can hold a page file; None where it is in no table.

    Raises UsageError where the text is not the name of a VM size.
    """
    kinds, size = _kinds(), _plain(vm_size)
    if (kind := kinds.get(CONSTRAINED.sub("", size))) is not None:
        return kind == FORMATTED
    if _is_well_made(CONSTRAINED.sub("", size)):
        return None
    near = _nearest(size)
    raise UsageError(
        f"{vm_size!r:.60} is not the name of an Azure VM size"
        + (f"; did you mean Standard_{near}?" if near else " (they look like Standard_D4ds_v5)")
    )


def _plain(vm_size: str) -> str:
    """A size's name as the table has it, in lower case."""
    match = AROUND.fullmatch(re.sub(r"[_ ]+", "_", vm_size.strip().lower()))
    return match["size"] if match else ""


def _is_well_made(size: str) -> bool:
    """Whether a name, without the part that constrains its processors, is made as Azure makes names."""
    match = NAME.fullmatch(size)
    if match is None or match["family"] not in _families():
        return False
    if match["accelerator"] and not match["family"].startswith(WITH_ACCELERATOR):
        return False
    return _in_order(match["features"])


def _in_order(features: str) -> bool:
    """Whether features are known, each stands once, and none before one behind which it stands in the table's names."""
    seen = _orders()
    if len(set(features)) < len(features) or not set(features) <= {letter for pair in seen for letter in pair} | MORE:
        return False
    pairs = set(combinations(features, 2))
    return not any(pair[::-1] in seen for pair in pairs - seen)


def _nearest(size: str) -> str | None:
    """The size of the table that was most likely meant: with the same letters, else one that is nearly the same."""
    names = _names()
    letters = sorted(size.replace("_", ""))
    alike = [name for name in names if sorted(name.replace("_", "")) == letters]
    found = get_close_matches(size, alike or names, 1, 0.0 if alike else 0.75)
    return names[found[0]] if found else None


@cache
def _families() -> set[str]:
    """The families of the table's sizes, in lower case."""
    return {match["family"] for name in _names() if (match := NAME.fullmatch(name))} | NOT_IN_THE_TABLE


@cache
def _orders() -> set[tuple[str, str]]:
    """The pairs of features in the table's names, in the order in which they stand there."""
    matches = (NAME.fullmatch(name) for name in _names())
    return {pair for match in matches if match for pair in combinations(match["features"], 2)}


@cache
def _names() -> dict[str, str]:
    """The table's sizes: in lower case -> as Azure writes them."""
    return {size.lower(): size for row in _rows() for size in row["sizes"].split()}


@cache
def _kinds() -> dict[str, str]:
    """For each size, in lower case, what the table calls its temporary disk."""
    return {size.lower(): row["temporary_disk"] for row in _rows() for size in row["sizes"].split()}


@cache
def _rows() -> list[dict[str, str]]:
    lines = files(__package__).joinpath(TABLE).read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))
