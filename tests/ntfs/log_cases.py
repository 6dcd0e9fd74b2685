"""Shared by the tests of replay: a log with one edit, replays by us and by ntfsrecover, and their comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ntfs.log_builder import Chain, Log, plain
from ntfs.log_recipe import BLOCK, RECORD, Recipe, Scene, Spot, log_runs, log_size, scene
from ntfs.volumes import write_sparse
from support.machine import run
from support.memory_device import MemoryDevice
from support.ntfs_judges import mounted_tree, structure_judges
from vmrescue.ntfs.log.replay import replay
from vmrescue.ntfs.log.state import log_reasons
from vmrescue.ntfs.store import FileStore
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.ntfs.structures.system_files import LOG_FILE

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.device import BlockDevice
    from vmrescue.ntfs.log.replay import Replayed

TRANSACTION = 0x18
OLDER, NEWER = (1, 1), (2, 0)


def recipe_log(volume: Scene, version: tuple[int, int] = OLDER, start: int = 0) -> tuple[Log, Recipe]:
    """A log with some older records, and the recipe that writes an edit into it."""
    log = Log(log_size(volume.before), version, start)
    recipe = Recipe(volume, log)
    log.fill(2)
    return log, recipe


def committed(edit: str, directory: str, cluster: int = 4096, version: tuple[int, int] = OLDER) -> tuple[Scene, Log]:
    volume = scene(edit, directory, cluster)
    log, recipe = recipe_log(volume, version)
    log.checkpoint()
    chain = Chain(TRANSACTION)
    recipe.edit(chain, edit, directory)
    log.forget(chain)
    return volume, log


def pending_work(device: BlockDevice) -> str | None:
    """Why the log of a volume must be replayed, in a sentence; None if it need not be."""
    return "; ".join(log_reasons(FileStore(device).file(LOG_FILE).stream(Kind.DATA))) or None


def replayed(volume: bytes | bytearray) -> tuple[bytearray, Replayed]:
    device = MemoryDevice(volume)
    assert pending_work(device) is not None
    done = replay(device)
    assert done is not None
    assert pending_work(device) is None
    return device.data, done


def recovered(volume: bytes | bytearray, path: Path, version: tuple[int, int] = OLDER) -> bytes:
    """The volume after a replay by ntfsrecover."""
    write_sparse(volume, path)
    run("ntfsrecover", *(["-k"] if version == NEWER else []), path)
    return path.read_bytes()


def differences(volume: Scene, one: bytes | bytearray, two: bytes | bytearray) -> list[int]:
    """Where two volumes differ outside the log."""
    runs = log_runs(volume.before)
    return [
        at
        for start in range(0, len(one), BLOCK)
        if one[start : start + BLOCK] != two[start : start + BLOCK]
        for at in range(start, start + BLOCK)
        if one[at] != two[at] and not any(first <= at < first + size for first, size in runs)
    ]


def expect_edit(path: Path, ours: bytearray, volume: Scene) -> None:
    """Asserts that judges find the volume sound, with the files that exist after the edit."""
    structure_judges(write_sparse(ours, path))
    assert mounted_tree(path) == mounted_tree(write_sparse(volume.after, path.with_suffix(".after")))


def sequence_numbers(volume: Scene) -> list[int]:
    """The positions of the sequence numbers of deleted files, which ntfsrecover does not raise."""
    before = FileStore(MemoryDevice(volume.before))
    places = [before.mft.position(number) for number in range(24, before.mft.count)]
    gone = [at for at in places if volume.before[at + 0x16] & 1 and not volume.after[at + 0x16] & 1]
    return [at + 0x10 for at in gone]


def dirty_pages(recipe: Recipe, oldest: int) -> tuple[tuple[int, int, tuple[int, ...], int], ...]:
    """The checkpoint's table of dirty pages for the clusters that a recipe has changed."""
    return tuple({(spot.attribute, spot.vcn, spot.lcns, oldest) for spot in recipe.places})


def spot_range(spot: Spot, cluster: int) -> list[int]:
    return [at for lcn in spot.lcns for at in range(lcn * cluster, (lcn + 1) * cluster, RECORD)]


def meaning(volume: bytes | bytearray, at: int) -> bytes:
    """A file record, or the block around it, without LSN, fix-ups and unused bytes."""
    block = at // BLOCK * BLOCK
    if volume[block : block + 4] == b"INDX":
        data = plain(volume[block : block + BLOCK])
        used = 0x18 + int.from_bytes(data[0x1C:0x20], "little")
    else:
        data = (
            plain(volume[at : at + RECORD]) if volume[at : at + 4] == b"FILE" else bytearray(volume[at : at + RECORD])
        )
        used = int.from_bytes(data[0x18:0x1C], "little") if volume[at : at + 4] == b"FILE" else RECORD
    if used != RECORD:
        offset, count = (int.from_bytes(data[place : place + 2], "little") for place in (4, 6))
        data[8:16] = bytes(8)
        data[offset : offset + 2 * count] = bytes(2 * count)
    return bytes(data[:used])
