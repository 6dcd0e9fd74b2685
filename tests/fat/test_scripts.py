"""Random scripts of edits: a volume must hold what a dict says it holds, and the judges must agree."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from fat.volumes import KINDS, assert_fsck_content, dissect_tree, mtools_tree, new_volume, tree_of, upper
from vmrescue.errors import NotFoundError, RefusedError
from vmrescue.fat import FatVolume

if TYPE_CHECKING:
    from fat.volumes import Tree
    from support.memory_device import MemoryDevice

NAMES = [
    "BCD", "boot.sdi", "bootmgfw.efi", "Boot", "EFI", "readme.TXT", "ReadMe.md", "pagefile.sys", "a", "x.y.z",
    "a file name that is longer than two slots hold", "a file name that is long (copy)", "a file name that is long",
    "größe.txt", "日本語のファイル", "😀", ".hidden", "with space", "~1", "AFILEN~1", "n" * 200,
]  # fmt: skip

operation = st.tuples(
    st.sampled_from(["create", "create", "create", "resize", "resize", "overwrite", "mkdir", "delete", "rename"]),
    st.integers(0, 1000),  # which of the things that are there
    st.sampled_from(NAMES),
    st.one_of(st.integers(0, 3000), st.integers(0, 90_000), st.just(400_000)),
)


class Model:
    """The expected content: paths in their original case, found in any case."""

    def __init__(self) -> None:
        self.tree: Tree = {}
        self._counter = 0

    def spelled(self, path: str) -> str | None:
        return next((there for there in self.tree if there.lower() == path.lower()), None)

    def pick(self, number: int, directories: bool) -> str | None:
        there = sorted(path for path, content in self.tree.items() if (content is None) == directories)
        return there[number % len(there)] if there else None

    def content(self, size: int) -> bytes:
        self._counter += 1
        return (b"%d " % self._counter * (size // 2 + 1))[:size]

    def move(self, old: str, new: str) -> None:
        moved = {p: c for p, c in self.tree.items() if p == old or p.startswith(f"{old}/")}
        for path, content in moved.items():
            del self.tree[path]
            self.tree[new + path[len(old) :]] = content


def apply(kind: str, number: int, name: str, size: int, volume: FatVolume, model: Model) -> None:
    """Makes one edit on volume and model; a refusal must have a reason that the model knows."""
    parent = model.pick(number, directories=True) if number % 2 else None
    path = f"{parent or ''}/{name}"
    target = model.pick(number, directories=kind == "delete" and number % 5 == 0)
    if kind in ("create", "mkdir"):
        content = model.content(size) if kind == "create" else None
        if content is None:
            volume.create_directory(path)
        else:
            volume.create_file(path, content)
        assert model.spelled(path) is None
        model.tree[path] = content
    elif target is None:
        return
    elif kind == "resize":
        content = model.content(size)
        volume.write_file(target, content)
        model.tree[target] = content
    elif kind == "overwrite":
        before = model.tree[target]
        assert before is not None
        content = bytes(before[: size % (len(before) + 1)]) + model.content(len(before) - size % (len(before) + 1))
        volume.write_file(target, content)
        model.tree[target] = content
    elif kind == "delete":
        volume.delete(target)
        del model.tree[target]
        assert not any(p.startswith(f"{target}/") for p in model.tree)
    else:
        new = f"{target.rpartition('/')[0]}/{name}"
        volume.rename(target, name)
        assert model.spelled(new) in (None, target)
        model.move(target, new)


def refusal_is_right(message: str, volume: FatVolume, size: int) -> bool:
    if "free cluster" in message:
        return (volume.free_clusters - 1) * volume.cluster_size < size + volume.cluster_size
    return any(text in message for text in ("there already is", "not empty", "root directory is full"))


def judge(device: MemoryDevice, model: Model) -> None:
    volume = FatVolume(device)
    assert tree_of(volume) == model.tree
    assert volume.check() == []
    with TemporaryDirectory() as name:
        folder = Path(name)
        assert_fsck_content(device.data, folder)
        assert mtools_tree(device.data, folder) == {_in_mtools(path): content for path, content in model.tree.items()}
        # dissect.fat 3.13 misreads a chain that leads from a cluster to the one directly before it
        backwards = {path.upper() for path, content in model.tree.items() if content and _steps_back(volume, path)}
        dissected = upper(dissect_tree(device.data, folder))
        assert dissected.keys() == upper(model.tree).keys()
        for path, content in upper(model.tree).items():
            assert path in backwards or dissected[path] == content


def _in_mtools(path: str) -> str:
    """A name as mtools shows it: a lone surrogate becomes an underscore."""
    return "".join("__" if ord(letter) > 0xFFFF else letter for letter in path)


def _steps_back(volume: FatVolume, path: str) -> bool:
    extents = volume.file_extents(path)
    return any(lcn == before + n - 2 for (_, before, n), (_, lcn, _) in pairwise(extents))


def attempt(step: tuple[str, int, str, int], volume: FatVolume, model: Model) -> str:
    """Makes an edit; returns why it was refused, or an empty string."""
    try:
        apply(*step, volume, model)
    except (RefusedError, NotFoundError) as error:
        return str(error)
    return ""


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(KINDS), st.sampled_from([1, 2, 8]), st.lists(operation, min_size=1, max_size=60))
def test_a_script_of_edits_leaves_what_a_dict_would_hold(
    bits: int, cluster: int, script: list[tuple[str, int, str, int]]
) -> None:
    device, volume = new_volume(bits, cluster if bits == 12 else 1)
    model = Model()
    assert tree_of(volume) == model.tree
    for step in script:
        writes = len(device.writes)
        refusal = attempt(step, volume, model)
        if refusal:
            assert refusal_is_right(refusal, volume, size=step[3])
            assert len(device.writes) == writes
    judge(device, model)
