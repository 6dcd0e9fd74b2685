"""What other people's tools say of a whole disk: its table, each volume, each hive that Windows needs to start."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from support.images import fingerprint
from support.judges import SOUND, UNSOUND
from support.machine import need_tool
from support.machine_disk import loop_device

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.judges import Verdict

SECTOR = 512
HIVES = ("SYSTEM", "SOFTWARE")
STORES = ("Boot/BCD", "EFI/Microsoft/Boot/BCD")


def verdicts(image: Path) -> dict[str, Verdict]:
    """Each judge with its verdict, ``sound`` or ``not sound``; of what it cannot look at, none."""
    with tempfile.TemporaryDirectory(prefix="vmrescue-judged-") as folder:
        raw = Path(folder) / "disk"
        if image.suffix == ".raw":
            raw.symlink_to(image.absolute())
        else:
            _answer("qemu-img", "convert", "-O", "raw", str(image), str(raw))
        return dict(_verdicts(raw))


_known: dict[str, list[tuple[str, Verdict]]] = {}  # what was said of a volume, by its fingerprint


def _verdicts(raw: Path) -> Iterator[tuple[str, Verdict]]:
    table = _answer("sfdisk", "--json", str(raw))
    parts = json.loads(table[table.index("{") :])["partitiontable"] if table else {}  # warnings come first
    if not parts.get("partitions"):  # a bare volume
        with loop_device(raw) as device:
            yield from _of_volume(device)
        return
    if parts["label"] == "gpt":
        said = _answer("sgdisk", "--verify", str(raw)) or ""
        yield "sgdisk", SOUND if "No problems found" in said else UNSOUND
    for number, part in enumerate(parts["partitions"], 1):
        for judge, verdict in _of_part(raw, part["start"] * SECTOR, part["size"] * SECTOR):
            yield f"{judge} of volume {number}", verdict


def _of_part(raw: Path, start: int, size: int) -> list[tuple[str, Verdict]]:
    """Of a volume that was seen before, to the byte, what was said then: most faults and repairs change one of two."""
    key = fingerprint(raw, start, start + size)
    if key not in _known:
        with loop_device(raw, start, size) as device:
            _known[key] = list(_of_volume(device))
    return _known[key]


def _of_volume(device: str) -> Iterator[tuple[str, Verdict]]:
    kind = (_answer("blkid", "-o", "value", "-s", "TYPE", "-p", device) or "").strip()
    if kind == "ntfs":
        yield "ntfsfix", SOUND if _answer("ntfsfix", "--no-action", device) is not None else UNSOUND
        said = _answer("ntfsresize", "--info", "--force", "--no-progress-bar", device, ok=(0, 1)) or ""
        yield "ntfsresize", SOUND if "Collecting resizing constraints" in said else UNSOUND
        paths = [f"Windows/System32/config/{name}" for name in HIVES] + [STORES[0]]
        yield from _of_hives({path: _content("ntfscat", "--force", device, path) for path in paths})
    elif kind == "vfat":
        yield "fsck.fat", SOUND if _answer("fsck.fat", "-n", device) is not None else UNSOUND
        yield from _of_hives({STORES[1]: _content("mtype", "-i", device, f"::/{STORES[1]}")})


def _of_hives(contents: dict[str, bytes | None]) -> Iterator[tuple[str, Verdict]]:
    for path, content in contents.items():
        if content:
            with tempfile.NamedTemporaryFile() as file:
                file.write(content)
                file.flush()
                yield f"hivexml of {path}", SOUND if _answer("hivexml", file.name) is not None else UNSOUND


def _answer(*words: str, ok: tuple[int, ...] = (0,)) -> str | None:
    """What a judge prints, both streams; None where it finds fault."""
    done = subprocess.run(
        [need_tool(words[0]), *words[1:]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120
    )
    return done.stdout.decode("utf-8", "replace") if done.returncode in ok else None


def _content(*words: str) -> bytes | None:
    done = subprocess.run([need_tool(words[0]), *words[1:]], capture_output=True, timeout=120)
    return done.stdout if done.returncode == 0 else None
