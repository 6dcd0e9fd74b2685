"""Volumes that vmrescue edited, each with the files that it must have, and small enough for a kernel in a guest."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from defrag.volumes import fragmented
from fat.test_scripts import Model as FatModel
from fat.test_scripts import attempt
from fat.volumes import new_volume
from ntfs.log_cases import NEWER, committed, replayed
from ntfs.log_recipe import NEW, content_of, with_log
from ntfs.test_scripts import Model
from ntfs.volumes import MIB, cloud_volume, format_volume, opened, size_for, write_sparse
from support.ntfs_judges import digest, dissect_tree, mounted_tree
from vmrescue.image.transports.file import FileDevice
from vmrescue.ntfs.edit.growth import grow
from vmrescue.ntfs.log.replay import replay
from vmrescue.transaction.defragmenting import Defragmentation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.ntfs_judges import Tree

LARGEST = 20_000  # bytes of a file of a script
FAT_KINDS = ("create", "create", "create", "resize", "overwrite", "mkdir", "delete", "rename")
FAT_NAMES = (
    "BCD",
    "boot.sdi",
    "Boot",
    "ReadMe.md",
    "a file name that is longer than two slots hold",
    "日本語",
    "größe.txt",
)


@dataclass(frozen=True)
class Made:
    """A volume in a file of its own, and what is in it."""

    what: str
    system: str  # "ntfs" or "vfat"
    path: Path
    tree: Tree


def ntfs_volumes(folder: Path, seed: int) -> Iterator[Made]:
    """After a script of edits in each geometry, after a defragmentation, an expansion, a replay by vmrescue."""
    for cluster, sector in ((512, 512), (4096, 512), (65536, 512), (4096, 4096)):
        path = format_volume(folder / f"script {cluster} {sector}", size_for(cluster), cluster, sector)
        yield Made(path.name, "ntfs", path, _scripted(path, seed))
    path = fragmented(folder / "defragmented", 8 * MIB, files=60)
    tree = mounted_tree(path)
    with Defragmentation(path) as defragmentation:
        defragmentation.run((), True)
    yield Made(path.name, "ntfs", path, tree)
    path = format_volume(folder / "grown")
    tree = _scripted(path, seed + 1)
    yield Made(path.name, "ntfs", _grown(path, 100 * MIB), tree)
    yield _replayed(folder)
    path = cloud_volume(folder / "replayed, of Windows")
    before = dissect_tree(path)  # ntfs-3g cannot follow OneDrive
    device = FileDevice(path, writable=True)
    try:
        assert replay(device) is not None
    finally:
        device.close()
    yield Made(path.name, "ntfs", path, before | _scripted(path, seed + 2))


def _replayed(folder: Path) -> Made:
    """Without hiberfil.sys: `ntfs` takes a file of that name that does not begin with zeros for a Windows asleep."""
    volume, log = committed(NEW, "big", version=NEWER)
    path = write_sparse(replayed(with_log(content_of(volume), log.to_bytes()))[0], folder / "replayed")
    tree = mounted_tree(write_sparse(volume.after, folder / "without a crash"))
    with opened(path, writable=True) as edited:
        edited.delete("hiberfil.sys")
    del tree["hiberfil.sys"]
    return Made(path.name, "ntfs", path, tree)


def _scripted(path: Path, seed: int) -> Tree:
    """Edits a volume by a script; returns what it made."""
    with opened(path, writable=True) as volume:
        model = Model(volume, LARGEST)
        model.play(seed)
        assert volume.check() == []
    return model.tree


def _grown(path: Path, more: int) -> Path:
    with path.open("ab") as stream:
        stream.truncate(path.stat().st_size + more)
    device = FileDevice(path, writable=True)
    try:
        grow(device)
    finally:
        device.close()
    return path


def fat_volumes(folder: Path, seed: int) -> Iterator[Made]:
    """After a script of edits, of each width of the table."""
    for bits in (12, 16, 32):
        device, volume = new_volume(bits)
        model, choice = FatModel(), random.Random(seed)
        for _ in range(60):
            step = (
                choice.choice(FAT_KINDS),
                choice.randrange(1000),
                choice.choice(FAT_NAMES),
                choice.randrange(LARGEST),
            )
            attempt(step, volume, model)
        path = folder / f"FAT{bits}"
        path.write_bytes(device.data)
        tree = {name.lstrip("/"): None if data is None else digest(data) for name, data in model.tree.items()}
        yield Made(path.name, "vfat", path, tree)
