"""Random scripts of edits to VHDX of every kind, each against a raw twin; judged by QEMU, libvhdi and dissect.

A few run in CI. `VMRESCUE_VHDX_ALL=1` runs 200 for each kind.
"""

from __future__ import annotations

import os
import random
from contextlib import closing
from typing import TYPE_CHECKING, cast

import pytest

from image.test_vhdx import dissect, libvhdi
from image.test_vhdx_log import Recipe
from support.machine import run
from support.vhdx import MIB, make_vhdx, qemu_replays
from vmrescue.disk import EditSession, create_vhdx, create_vhdx_child, open_disk, undo

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.image.virtual_disk import Mapped

ALL = os.environ.get("VMRESCUE_VHDX_ALL") == "1"
SCRIPTS = range(200) if ALL else range(1)
KINDS = ("dynamic", "fixed", "qemu", "log", "child", "4Kn", "4Kn child")
LENGTHS = (1, 100, 512, 4096, 5000, 70_000, MIB, 3 * MIB)


def make(kind: str, folder: Path, chance: random.Random) -> tuple[Path, list[Path], bytes]:
    """An image, its parents, and what its disk holds."""
    path, block = folder / "disk.vhdx", chance.choice((1, 2, 8, 32)) * MIB
    size = 16 * MIB if kind == "log" else chance.randrange(4 * MIB, 20 * MIB, 4096)
    if kind == "log":
        recipe = Recipe(path)
        recipe.write(recipe.ring(chance.randrange(1, 16), 4096 * chance.randrange(256)))
    elif kind == "qemu":
        make_vhdx(path, size, f"block_size={block}", chance.choice(("subformat=fixed", "subformat=dynamic")))
    else:
        create_vhdx(path, size, block, 4096 if kind.startswith("4Kn") else 512, kind == "fixed")
    parents = []
    if kind.endswith("child"):
        with closing(open_disk(path, writable=True)) as disk:
            scribble(disk, bytearray(size), chance, 8)
        parents = [path]
        path = folder / "child.avhdx"
        create_vhdx_child(parents[0], path, chance.choice((1, 2, 8)) * MIB)
    with closing(open_disk(path)) as disk:
        return path, parents, disk.read_at(0, disk.size)


def scribble(disk, twin: bytearray, chance: random.Random, count: int) -> None:  # type: ignore[no-untyped-def]
    for _ in range(count):
        length = min(chance.choice(LENGTHS), len(twin) - 1)
        start = chance.randrange(len(twin) - length)
        data = chance.choice((chance.randbytes(length), bytes(length), b"\xff" * length))
        disk.write_at(start, data)
        twin[start : start + length] = data


def has_blocks(path: Path) -> bool:
    with closing(open_disk(path)) as disk:
        return any(cast("Mapped", disk).stored(0, disk.size))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", SCRIPTS)
def test_what_a_script_of_edits_wrote_is_what_others_read(kind: str, number: int, quick_folder: Path) -> None:
    chance = random.Random(f"{kind} {number}")
    path, parents, old = make(kind, quick_folder, chance)
    twin = bytearray(old)
    for _ in range(chance.randrange(1, 4)):
        before, known = path.read_bytes(), bytes(twin)
        with EditSession(path) as session:
            for _ in range(chance.randrange(1, 3)):  # a session may commit more than once
                if not parents and chance.random() < 0.3:
                    twin += bytes(chance.randrange(4096, 8 * MIB, 4096))
                    session.disk.resize(len(twin))
                scribble(session.disk, twin, chance, chance.randrange(1, 6))
                assert session.disk.read_at(0, len(twin)) == twin
                committed = session.commit()
                if committed is not None and chance.random() < 0.5:
                    session.discard(committed)
                    before = b""
        if before and committed is not None and chance.random() < 0.3:
            while path.read_bytes() != before:
                undo(path)
            twin = bytearray(known)
        with closing(open_disk(path)) as disk:
            assert disk.read_at(0, disk.size) == twin
    if kind == "log":  # it may be there again, and only QEMU replays it
        qemu_replays(path)
    assert dissect(path) == twin
    if not parents or has_blocks(path):  # else libvhdi takes the file's first bytes for a bitmap (docs/readers.md)
        assert libvhdi(path, *parents) == twin
    if not kind.endswith("child") and not kind.startswith("4Kn"):  # QEMU knows neither
        (quick_folder / "twin.raw").write_bytes(twin)
        run("qemu-img", "check", "-f", "vhdx", path)
        run("qemu-img", "compare", "-f", "vhdx", "-F", "raw", path, quick_folder / "twin.raw")
