"""Random scripts of hundreds of edits: afterwards all judges see exactly the model, and `check` finds nothing.

VMRESCUE_CAMPAIGN multiplies the number of scripts.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ntfs.volumes import (
    MIB,
    cloud_volume,
    format_volume,
    opened,
    size_for,
    tree_of,
    windows_tree,
    windows_volume,
    write_sparse,
)
from support.campaign import TIMES
from support.machine import run
from support.ntfs_judges import all_judges, digest, mounted, mounted_tree, structure_judges
from vmrescue.errors import RefusedError

if TYPE_CHECKING:
    from support.ntfs_judges import Tree
    from vmrescue.ntfs import NtfsVolume

NAMES = ("a", "File", "d\u00e9j\u00e0 vu", "\u4e2d\u6587", "\U0001f600")
KINDS = ("create", "create", "create", "write", "write", "delete", "delete", "rename", "directory")
LENGTH = 200  # edits in a script
RECORDS = (512, 4096)  # bytes of a sector for which mkntfs makes file records of 1 KiB, and of 4 KiB
GEOMETRIES = [
    (cluster, sector) for sector in RECORDS for cluster in (512 << shift for shift in range(13)) if cluster >= sector
]
SEEDS = st.integers(0, 1 << 32).filter(bool)  # without 0: Hypothesis begins with it, and ends, where it has one try


def scripts(count: int) -> settings:
    """Runs a test for many seeds. A failure names the seed; scripts are not shrunk."""
    return settings(max_examples=count * TIMES, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))


class Model:
    """Edits a volume and keeps the expected content."""

    def __init__(self, volume: NtfsVolume, largest: int) -> None:
        self.volume = volume
        self.largest = largest  # bytes of a file
        self.files: dict[str, bytes] = {}
        self.directories: list[str] = []
        self._count = 0

    @property
    def tree(self) -> Tree:
        directories: Tree = dict.fromkeys(self.directories)
        return directories | {path: digest(content) for path, content in self.files.items()}

    def play(self, seed: int) -> None:
        """Makes a script's edits; skips those without a target or without room."""
        choice = Random(seed)
        for _ in range(LENGTH):
            kind = choice.choice(KINDS)
            try:
                if kind in ("create", "directory") or self.files:
                    getattr(self, kind)(choice)
            except RefusedError as error:
                if "no room for" not in str(error):
                    raise

    def create(self, choice: Random) -> None:
        path, content = self._new_path(choice), self._content(choice)
        self.volume.create_file(path, content)
        self.files[path] = content

    def write(self, choice: Random) -> None:
        path, content = choice.choice(list(self.files)), self._content(choice)
        self.volume.write_file(path, content)
        self.files[path] = content

    def delete(self, choice: Random) -> None:
        path = choice.choice(list(self.files))
        self.volume.delete(path)
        del self.files[path]

    def rename(self, choice: Random) -> None:
        path, name = choice.choice(list(self.files)), self._name(choice)
        self.volume.rename(path, name)
        self.files[path[: path.rfind("/") + 1] + name] = self.files.pop(path)

    def directory(self, choice: Random) -> None:
        """Deletes an empty directory, or makes one."""
        empty = [path for path in self.directories if not any(other.startswith(path + "/") for other in self.tree)]
        if empty and choice.random() < 0.5:
            path = choice.choice(empty)
            self.volume.delete(path)
            self.directories.remove(path)
        else:
            path = self._new_path(choice)
            self.volume.create_directory(path)
            self.directories.append(path)

    def break_up(self) -> None:
        """Fills the volume with small files and deletes every second one, so that free clusters are in pieces."""
        self.volume.create_directory("pieces")
        self.directories.append("pieces")
        with suppress(RefusedError):
            while True:
                path, content = f"pieces/{len(self.files)}", b"piece" * 500
                self.volume.create_file(path, content)
                self.files[path] = content
        for path in list(self.files)[::2]:
            self.volume.delete(path)
            del self.files[path]

    def _new_path(self, choice: Random) -> str:
        directory = choice.choice(["", *self.directories])
        return f"{directory}/{self._name(choice)}".lstrip("/")

    def _name(self, choice: Random) -> str:
        self._count += 1
        return choice.choice(NAMES) + "x" * choice.choice([0, 3, 20, 100, 200]) + str(self._count)

    def _content(self, choice: Random) -> bytes:
        return choice.randbytes(choice.choice([0, 10, 500, 700, 5000, choice.randrange(self.largest)]))


def play(path: Path, seed: int, largest: int, broken_up: bool = False) -> Tree:
    """Runs a script on a volume; returns the expected new content."""
    with opened(path, writable=True) as volume:
        model = Model(volume, largest)
        if broken_up:
            model.break_up()
        model.play(seed)
        assert volume.check() == []
        seen = tree_of(volume) if model.tree else {}
    assert seen.items() >= model.tree.items()
    return model.tree


@pytest.mark.parametrize(("cluster", "sector"), GEOMETRIES)
@given(seed=SEEDS)
@scripts(1)
def test_after_a_script_the_judges_see_the_model(cluster: int, sector: int, seed: int) -> None:
    with TemporaryDirectory() as folder:
        path = format_volume(Path(folder) / "volume.img", size_for(cluster), cluster, sector)
        expected = play(path, seed, 200_000)
        assert all_judges(path) == expected


@pytest.mark.parametrize(
    ("cluster", "sector", "size"), [(512, 512, 3 * MIB), (4096, 512, 3 * MIB), (4096, 4096, 6 * MIB)]
)
@given(seed=SEEDS)
@scripts(1)
def test_a_full_volume_in_pieces_is_edited_like_any_other(cluster: int, sector: int, size: int, seed: int) -> None:
    with TemporaryDirectory() as folder:
        path = format_volume(Path(folder) / "volume.img", size, cluster, sector)
        expected = play(path, seed, size // 5, broken_up=True)
        assert all_judges(path) == expected


@pytest.mark.parametrize(("cluster", "sector"), [(512, 512), (4096, 512), (4096, 4096)])
@given(seed=SEEDS)
@scripts(1)
def test_ntfs_3g_and_a_script_edit_a_volume_by_turns(cluster: int, sector: int, seed: int) -> None:
    choice = Random(seed)
    with TemporaryDirectory() as name:
        path = format_volume(Path(name) / "volume.img", 24 * MIB, cluster, sector)
        with opened(path) as volume:
            model = Model(volume, 50_000)
        for _ in range(2):
            with mounted(path, writable=True) as folder:
                others_turn(model, folder, choice)
            with opened(path, writable=True) as model.volume:
                assert model.volume.check() == []
                model.play(choice.randrange(1 << 32))
                assert model.volume.check() == []
        structure_judges(path)
        assert mounted_tree(path) == model.tree  # others read index blocks that ntfs-3g gave back, too


def others_turn(model: Model, folder: Path, choice: Random) -> None:
    """ntfs-3g makes files, rewrites some and deletes some."""
    for path in choice.sample(sorted(model.files), len(model.files) // 4):
        (folder / path).unlink()
        del model.files[path]
    for path in choice.sample(sorted(model.files), len(model.files) // 4):
        model.files[path] = choice.randbytes(choice.randrange(20_000))
        (folder / path).write_bytes(model.files[path])
    for _ in range(120):
        path = model._new_path(choice)
        model.files[path] = choice.randbytes(choice.choice([0, 100, 3000, 20_000]))
        (folder / path).write_bytes(model.files[path])


@given(seed=SEEDS)
@scripts(1)
def test_a_script_on_a_volume_of_windows_leaves_its_files_alone(seed: int) -> None:
    with TemporaryDirectory() as folder:
        path = write_sparse(windows_volume(), Path(folder) / "volume.img")
        with opened(path, writable=True) as volume:
            for name in ("Large.txt", "Random.bin"):  # compressed, and the volume is nearly full
                volume.delete(name)
        before = {name: content for name, content in windows_tree().items() if name not in ("Large.txt", "Random.bin")}
        expected = before | play(path, seed, 50_000)
        assert all_judges(path) == expected


@given(seed=SEEDS)
@scripts(1)
def test_a_script_on_a_volume_whose_log_was_replayed_leaves_its_files_alone(seed: int) -> None:
    with TemporaryDirectory() as folder:
        path = cloud_volume(Path(folder) / "volume.img")
        run("ntfsrecover", "--kill-fast-restart", path)
        before = all_judges(path, beside="OneDrive")
        with opened(path, writable=True) as volume:
            model = Model(volume, 200_000)
            model.play(seed)
            assert volume.check() == []
        assert all_judges(path, beside="OneDrive") == before | model.tree
