"""The replay of a log by ntfs3, when it mounts a volume for writing, against vmrescue's: file by file.

On the volume of Windows with a pending log, and on logs made by recipe. VMRESCUE_CAMPAIGN plays every recipe.
"""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

from kernels.edits import differences
from ntfs.log_builder import Chain
from ntfs.log_cases import NEWER, OLDER, TRANSACTION, committed, recipe_log, replayed
from ntfs.log_recipe import DELETED, GROWN, NEW, content_of, scene, with_log
from ntfs.test_log_recipes import CASES
from ntfs.volumes import cloud_volume, opened, write_sparse
from support.kernel_judge import Job, seen_by_kernel
from support.machine import need_root, need_tool
from support.ntfs_judges import dissect_tree, structure_judges
from vmrescue.image.transports.file import FileDevice
from vmrescue.ntfs.log.replay import replay

if TYPE_CHECKING:
    from pathlib import Path

MOUNTED = "true"  # to be mounted for writing is enough
EDITS = [(NEW, "small"), (NEW, "big"), (GROWN, "big"), (DELETED, "small"), (DELETED, "big")]
FEW = [
    (NEW, "big", 512, OLDER), (DELETED, "big", 65536, OLDER), (GROWN, "small", 4096, OLDER), (NEW, "big", 4096, NEWER),
]  # fmt: skip
ALL = bool(os.environ.get("VMRESCUE_CAMPAIGN"))


def test_ntfs3_and_vmrescue_make_the_same_volume_of_a_log(tmp_path: Path) -> None:
    need_root()
    need_tool("ntfs3")
    pairs = {"of Windows": _of_windows(tmp_path)}
    for edit, directory, cluster, version in CASES if ALL else FEW:
        volume, log = committed(edit, directory, cluster, version)
        crashed = with_log(content_of(volume), log.to_bytes())
        name = f"committed, {edit} in {directory}, {cluster}, {version[0]}.{version[1]}"
        pairs[name] = _pair(tmp_path, name, crashed)
    for edit, directory in EDITS if ALL else EDITS[1:4]:
        name = f"not committed, {edit} in {directory}"
        pairs[name] = _pair(tmp_path, name, _unfinished(edit, directory))

    seen = seen_by_kernel("ntfs3", [Job("ntfs3", theirs, edits=MOUNTED) for _, theirs in pairs.values()])

    for (name, (ours, theirs)), found in zip(pairs.items(), seen, strict=True):
        lost = lost_by_ntfs3(name)
        complaints = [line for line in found.complaints if not any(f"./{path}:" in line for path in lost)]
        assert complaints == [], name
        assert set(differences(found.tree, dissect_tree(ours))) == lost, name
        if not lost:
            structure_judges(theirs)
            with opened(ours) as one, opened(theirs) as two:
                assert one.check() == two.check(), name


def lost_by_ntfs3(name: str) -> set[str]:
    """The files that ntfs3 of Linux 6.12 loses.

    NTFS logs the freeing of a file record with its first 24 bytes alone, since the others stay as they are. To take
    that back, this ntfs3 lays these bytes into a new, empty record, without the attributes that the old one has still.
    Later kernels read the record first.
    """
    edit, _, directory = name.removeprefix("not committed, ").partition(" in ")
    return {f"{directory}/{edit} in {directory}"} if edit == DELETED else set()


def _pair(folder: Path, name: str, crashed: bytearray) -> tuple[Path, Path]:
    """The volume as vmrescue replayed it, and as it was."""
    theirs = write_sparse(crashed, folder / f"{name}, theirs")
    return write_sparse(replayed(crashed)[0], folder / f"{name}, ours"), theirs


def _of_windows(folder: Path) -> tuple[Path, Path]:
    ours, theirs = (cloud_volume(folder / f"of Windows, {name}") for name in ("ours", "theirs"))
    with closing(FileDevice(ours, writable=True)) as device:
        assert replay(device) is not None
    return ours, theirs


def _unfinished(edit: str, directory: str) -> bytearray:
    """A volume whose log has an edit without its end."""
    volume = scene(edit, directory)
    log, recipe = recipe_log(volume)
    log.checkpoint()
    recipe.edit(Chain(TRANSACTION), edit, directory)
    return with_log(content_of(volume), log.to_bytes())
