"""What independent programs see in an NTFS volume: ntfs-3g with its tools, The Sleuth Kit, dissect.ntfs."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from dissect.ntfs import NTFS

from support.machine import need_root, need_tool, run

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST_USER_RECORD = 24
MAX_SLEUTH_KIT_CLUSTER = 65536  # bytes

Tree = dict[str, str | None]  # path with slashes, from the root: SHA-256 of the content, or None for a directory


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@contextmanager
def mounted(path: Path, offset: int = 0, writable: bool = False, more: str = "") -> Iterator[Path]:
    """The folder in which ntfs-3g shows the volume that begins `offset` bytes into an image; `more`: further options.

    Only a volume at offset 0 can be had writable. On leaving, everything has been written.
    """
    need_root()
    with TemporaryDirectory() as folder, _volume_at(path, offset) as source:
        tool = need_tool("ntfs-3g")
        options = f"{'rw' if writable else 'ro'},no_detach,streams_interface=none,efs_raw,locale=C.UTF-8"
        options += f",{more}" if more else ""
        with subprocess.Popen([tool, str(source), folder, "-o", options], stderr=subprocess.PIPE) as server:
            try:
                _wait_for_mount(folder, server)
                yield Path(folder)
            finally:
                _unmount(folder, server)


@contextmanager
def _volume_at(path: Path, offset: int) -> Iterator[Path]:
    if not offset:
        yield path
        return
    device = run("losetup", "--read-only", "--find", "--show", "--offset", str(offset), path).strip()
    try:
        yield Path(device)
    finally:
        run("losetup", "--detach", device)


def _unmount(folder: str, server: subprocess.Popen[bytes]) -> None:
    """Unmounts; a folder is busy until the kernel has let go of files that were just closed."""
    try:
        for _ in range(100):
            if not os.path.ismount(folder):
                server.wait(60)
                return
            run("umount", folder, ok=(0, 32))
            time.sleep(0.05)
        raise AssertionError(f"{folder} stays busy")
    except BaseException:
        server.kill()  # or whoever leaves its context waits for it
        raise


def _wait_for_mount(folder: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(500):
        if os.path.ismount(folder):
            return
        if server.poll() is not None:
            assert server.stderr is not None
            raise AssertionError(f"ntfs-3g did not mount: {server.stderr.read().decode()}")
        time.sleep(0.01)
    raise AssertionError("ntfs-3g did not mount within five seconds")


def mounted_tree(path: Path, offset: int = 0) -> Tree:
    """What ntfs-3g shows."""
    with mounted(path, offset) as folder:
        return {
            str(found.relative_to(folder)): digest(found.read_bytes()) if found.is_file() else None
            for found in folder.rglob("*")
        }


def dissect_tree(path: Path) -> Tree:
    """What dissect.ntfs shows, without the system's own files."""
    with path.open("rb") as image:
        return dict(_walk(NTFS(image).mft.root, ""))


def _walk(directory: Any, prefix: str) -> Iterator[tuple[str, str | None]]:
    for entry in directory.iterdir(ignore_dos=True):
        record = entry.dereference()
        path = prefix + entry.attribute.file_name
        if record.segment < FIRST_USER_RECORD:
            continue
        if record.is_dir():
            yield path, None
            yield from _walk(record, path + "/")
        else:
            yield path, digest(record.open().read())


def view_keys(path: Path, file: str, index: str) -> list[bytes]:
    """The keys of an index that is no directory, e.g. ``$Extend/$ObjId`` and ``$O``, as dissect.ntfs finds them."""
    with path.open("rb") as image:
        return [bytes(entry.key) for entry in NTFS(image).mft.get(file).index(index).entries() if not entry.is_end]


def fls_paths(path: Path) -> set[str]:
    """The paths that The Sleuth Kit finds, without the system's own and without named streams."""
    paths = set()
    for line in run("fls", "-f", "ntfs", "-r", "-p", "-u", path).splitlines():
        address, _, name = line.partition(":\t")
        record = address.split()[-1].split("-")[0]
        virtual = address.startswith("V") or ":" in name
        if not virtual and int(record) >= FIRST_USER_RECORD and not name.startswith("$Extend/"):
            paths.add(name)
    return paths


def structure_judges(path: Path) -> None:
    """ntfsresize accounts for every cluster; ntfsfix looks at the file table, its mirror and both boot sectors."""
    said = run("ntfsresize", "--info", "--force", "--no-progress-bar", path, ok=(0, 1))
    assert "Collecting resizing constraints" in said, said  # by then it has found the volume sound
    assert "You might resize at" in said or "Volume is full" in said, said
    said = run("ntfsfix", "-n", path)
    assert "was processed successfully" in said, said


def all_judges(path: Path, beside: str | None = None) -> Tree:
    """The files of the volume at `path`, on which all judges agree; each finds the volume sound.

    What lies at and below `beside`, a reparse point that ntfs-3g cannot follow, is left out.
    """
    structure_judges(path)
    tree = _without(mounted_tree(path), beside)
    assert _without(dissect_tree(path), beside) == tree
    if cluster_size(path) <= MAX_SLEUTH_KIT_CLUSTER:
        assert set(_without(dict.fromkeys(fls_paths(path)), beside)) == set(tree)
    return tree


def cluster_size(path: Path) -> int:
    """Bytes, as ntfsinfo says."""
    said = run("ntfsinfo", "-m", path)
    return int(next(line for line in said.splitlines() if "Cluster Size:" in line).split(":")[1])


def _without(tree: Tree, beside: str | None) -> Tree:
    return {path: content for path, content in tree.items() if path.split("/")[0] != beside}
