"""Disks with one fault each: a healthy disk of `images/build.py`, and steps done to it by other people's tools."""

from __future__ import annotations

import functools
import json
import tempfile
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import build
from support.machine import need_root, need_tools, run
from support.machine_disk import loop_device, mounted_ntfs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

SECTOR = 512
HIVES = "Windows/System32/config"
STORES = {"gen1": "Boot/BCD", "gen2": "EFI/Microsoft/Boot/BCD"}
BUILDERS = {"gen1": build.generation_1, "gen2": build.generation_2}
BOOT, OS = "boot", "os"

Step = dict[str, Any]


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Gone when the process ends."""
    return tempfile.TemporaryDirectory(prefix="vmrescue-faults-")


@functools.cache
def healthy(generation: str) -> Path:
    """The healthy disk, raw; made once a process."""
    need_root()
    need_tools(*build.PROGRAMS)
    with tempfile.TemporaryDirectory(prefix="vmrescue-build-") as folder:
        made = BUILDERS[generation](Path(folder), faults=False)
        return made.replace(Path(_folder().name) / f"{generation}.raw")


@dataclass(frozen=True)
class FaultDisk:
    """A disk in the making. Its partitions are found once, before any step changes the table."""

    path: Path
    generation: str
    ranges: dict[str, tuple[int, int]]  # of the boot and the OS volume: byte offset, bytes

    @classmethod
    def copy_of(cls, generation: str, folder: Path) -> FaultDisk:
        """A healthy disk in this folder."""
        path = folder / "disk.raw"
        run("cp", "--sparse=always", healthy(generation), path)
        return cls(path, generation, _ranges(path))

    @classmethod
    def of(cls, path: Path, generation: str) -> FaultDisk:
        """A disk that was made so, to look at it or to change it further."""
        return cls(path, generation, _ranges(path))

    def make(self, steps: Iterable[Step]) -> None:
        """Does the steps of a recipe in their order. Those that follow each other on a volume share one mount."""
        for volume, following in groupby(steps, self._volume_of):
            with self.files(volume) if volume else nullcontext() as root:
                for step in following:
                    name = _name(step)
                    ON_FILES[name](self, root, step) if root else ON_DISK[name](self, step)

    def _volume_of(self, step: Step) -> str | None:
        """The volume whose files a step changes; None where it changes the disk below them."""
        if _name(step) in ON_DISK:
            return None
        return BOOT if step.get("registry") == "BCD" else str(step.get("volume", OS))

    @contextmanager
    def files(self, volume: str) -> Iterator[Path]:
        """The files of a volume as a folder: ntfs-3g mounts NTFS, mtools copies the few files of FAT out and back."""
        offset, size = self.ranges[volume]
        if volume == OS or self.generation == "gen1":
            with mounted_ntfs(self.path, offset, size, writable=True) as root:
                yield root
            return
        with tempfile.TemporaryDirectory() as text:
            root, inside = Path(text), f"{self.path}@@{offset}"
            run("mcopy", "-s", "-n", "-m", "-i", inside, "::/*", root)
            before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
            yield root
            for path in before.keys() | {path for path in root.rglob("*") if path.is_file()}:
                there = f"::/{path.relative_to(root).as_posix()}"
                if not path.is_file():
                    run("mdel", "-i", inside, there)
                elif before.get(path) != path.read_bytes():
                    for parent in reversed(path.relative_to(root).parents[:-1]):
                        run("mmd", "-D", "s", "-i", inside, f"::/{parent.as_posix()}", ok=(0, 1))
                    run("mcopy", "-o", "-i", inside, path, there)

    def find(self, root: Path, windows_path: str) -> Path:
        """A file of a mounted volume by its Windows path, in whatever case it is spelled there."""
        path = root
        for name in windows_path.strip("\\").split("\\"):
            same = [each for each in path.iterdir() if each.name.casefold() == name.casefold()] if path.is_dir() else []
            path = same[0] if same else path / name
        return path


def _ranges(disk: Path) -> dict[str, tuple[int, int]]:
    """The first partition is the boot volume, the last the OS volume, in the disks of `images/build.py`."""
    table = json.loads(run("sfdisk", "--json", disk))["partitiontable"]["partitions"]
    first, last = table[0], table[-1]
    return {name: (part["start"] * SECTOR, part["size"] * SECTOR) for name, part in ((BOOT, first), (OS, last))}


def _name(step: Step) -> str:
    """A step is named by its one key among `ON_FILES` and `ON_DISK`."""
    found = (ON_FILES.keys() | ON_DISK.keys()) & step.keys()
    assert len(found) == 1, f"a step names one of {', '.join((*ON_FILES, *ON_DISK))}: {step}"
    return found.pop()


def _registry(disk: FaultDisk, root: Path, step: Step) -> None:
    """`registry`: SYSTEM, SOFTWARE ..., or BCD, the boot store; `text`: what hivexregedit merges."""
    name = step["registry"]
    path = root / (STORES[disk.generation] if name == "BCD" else f"{HIVES}/{name}")
    with tempfile.TemporaryDirectory() as folder:
        hive, text = Path(folder) / "hive", Path(folder) / "keys.reg"
        hive.write_bytes(path.read_bytes())
        text.write_text(f"Windows Registry Editor Version 5.00\n\n{_with_parents(step['text'].strip())}\n")
        run("hivexregedit", "--merge", hive, text)
        path.write_bytes(hive.read_bytes())


def _with_parents(text: str) -> str:
    """hivexregedit makes a key only where the key above it is there, so each is named first."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("[\\"):
            names = line.strip("[]").split("\\")
            lines += ["[" + "\\".join(names[:count]) + "]\n" for count in range(2, len(names))]
        lines.append(line)
    return "\n".join(lines)


def _on_file(edit: Callable[[FaultDisk, Path, Path, Step], None], key: str) -> Callable[[FaultDisk, Path, Step], None]:
    return lambda disk, root, step: edit(disk, root, disk.find(root, step[key]), step)


def _put(disk: FaultDisk, root: Path, path: Path, step: Step) -> None:
    """`put`: a path; its content: `text`, `hex`, so many zeros (`size`), or that of another file (`from`)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if "from" in step:
        path.write_bytes(disk.find(root, step["from"]).read_bytes())
    elif "hex" in step:
        path.write_bytes(bytes.fromhex(step["hex"]))
    else:
        path.write_bytes(bytes(step["size"]) if "size" in step else step.get("text", "").encode())


def _remove(disk: FaultDisk, root: Path, path: Path, step: Step) -> None:
    """`remove`: a file or an empty folder."""
    path.rmdir() if path.is_dir() else path.unlink()


def _move(disk: FaultDisk, root: Path, path: Path, step: Step) -> None:
    """`move`: a path, `to` another of the same volume."""
    path.rename(disk.find(root, step["to"]))


def _zero(disk: FaultDisk, root: Path, path: Path, step: Step) -> None:
    """`zero`: a file whose content becomes zeros, as long as before."""
    path.write_bytes(bytes(path.stat().st_size))


def _cut(disk: FaultDisk, root: Path, path: Path, step: Step) -> None:
    """`cut`: a file that is made `size` bytes long."""
    with path.open("r+b") as stream:
        stream.truncate(step["size"])


def _patch(disk: FaultDisk, root: Path, path: Path, step: Step) -> None:
    """`patch`: a file of which `hex` is written `at` an offset."""
    with path.open("r+b") as stream:
        stream.seek(step["at"])
        stream.write(bytes.fromhex(step["hex"]))


def _fill(disk: FaultDisk, root: Path, path: Path, step: Step) -> None:
    """`fill`: a file of zeros that leaves `leave` bytes free on its volume."""
    path.parent.mkdir(parents=True, exist_ok=True)
    build.fill(root, step["leave"])
    (root / "Windows/Temp/fill.bin").rename(path)


def _bytes(disk: FaultDisk, step: Step) -> None:
    """`bytes`: an offset on the disk, or on `volume`; negative from its end. `hex`, or `zeros`: how many."""
    start, size = disk.ranges[step["volume"]] if "volume" in step else (0, disk.path.stat().st_size)
    offset = step["bytes"] + (size if step["bytes"] < 0 else 0) + start
    with disk.path.open("r+b") as stream:
        stream.seek(offset)
        stream.write(bytes.fromhex(step["hex"]) if "hex" in step else bytes(step["zeros"]))


def _run(disk: FaultDisk, step: Step) -> None:
    """`run`: a command and its arguments; `{disk}` is the disk, `{boot}` and `{os}` a volume as a device."""
    words: list[str] = step["run"]
    used = next((name for name in (BOOT, OS) if f"{{{name}}}" in words), None)
    if used is None:
        run(*(word.replace("{disk}", str(disk.path)) for word in words))
        return
    with loop_device(disk.path, *disk.ranges[used], writable=True) as device:
        run(*(word.replace(f"{{{used}}}", device) for word in words))


ON_DISK: dict[str, Callable[[FaultDisk, Step], None]] = {"bytes": _bytes, "run": _run}
ON_FILES: dict[str, Callable[[FaultDisk, Path, Step], None]] = {
    "registry": _registry,
    **{
        edit.__name__.strip("_"): _on_file(edit, edit.__name__.strip("_"))
        for edit in (_put, _remove, _move, _zero, _cut, _patch, _fill)
    },
}
