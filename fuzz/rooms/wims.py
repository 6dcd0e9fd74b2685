"""The header of a WIM, from which Windows RE starts: one of the samples' recipe, and what wimlib makes."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from boot_path import wim
from fuzz.layouts import of_struct
from fuzz.mutation import Seed
from fuzz.parser import Parser, where_there
from support.machine import run
from vmrescue.rehearsal.wim import HEADER, RESOURCE, read_wim

HEAD = 512  # bytes of a file that are changed: nothing behind them is read
RESOURCES_AT = (48, 72, 96, 124)
BEGIN = "signature size version flags chunk id part parts images"
PART = "size flags place unpacked"
# Kinds of WIMs that there are: as wimlib-imagex is asked for each.
KINDS = {
    "no image is started": (),
    "the first is started": ("--boot",),
    "with a table of integrity": ("--boot", "--check"),
    "solid": ("--boot", "--solid"),
    "not compressed": ("--compress=none",),
}


@functools.cache
def seeds() -> list[Seed]:
    return [
        _seed("of the samples", wim()),
        *where_there(*(functools.partial(_made, name) for name in KINDS), _two, _split),
    ]


def _seed(name: str, data: bytes) -> Seed:
    fields = [each for each in of_struct(HEADER, 0, "wim", BEGIN) if each.offset < RESOURCES_AT[0]]
    for at in RESOURCES_AT:
        fields += of_struct(RESOURCE, at, "part", PART)
    return Seed(name, data[:HEAD], fields)


def _made(name: str) -> Seed:
    with tempfile.TemporaryDirectory() as text:
        folder = _folder(Path(text))
        run("wimlib-imagex", "capture", folder, folder / "../a.wim", *KINDS[name])
        return _seed(name, (folder / "../a.wim").read_bytes())


def _two() -> Seed:
    """Two images, of which the second is started."""
    with tempfile.TemporaryDirectory() as text:
        folder = _folder(Path(text))
        run("wimlib-imagex", "capture", folder, folder / "../a.wim")
        run("wimlib-imagex", "append", folder, folder / "../a.wim", "second", "--boot")
        return _seed("two images", (folder / "../a.wim").read_bytes())


def _split() -> Seed:
    """The first of several parts."""
    with tempfile.TemporaryDirectory() as text:
        folder = _folder(Path(text))
        run("wimlib-imagex", "capture", folder, folder / "../a.wim", "--compress=none")
        run("wimlib-imagex", "split", folder / "../a.wim", folder / "../a.swm", "1")
        return _seed("the first part", (folder / "../a.swm").read_bytes())


def _folder(root: Path) -> Path:
    """A folder with files that no compression makes much smaller."""
    folder = root / "files"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.bin").write_bytes(bytes((number + place * place) & 0xFF for place in range(1 << 20)))
    return folder


def run_wim(data: bytes) -> None:
    """The numbers lie in the bounds of their fields."""
    found = read_wim(data)
    assert found.end >= HEADER.size
    assert max(found.images, found.started) < 1 << 32


PARSERS = (Parser("wim", run_wim, seeds),)
