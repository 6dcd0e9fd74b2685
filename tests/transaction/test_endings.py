"""Every command that writes, ended by signals at random moments and by a full disk: old, new, or "unfinished".

VMRESCUE_CAMPAIGN multiplies the number of endings; VMRESCUE_SEED begins with another one.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

import vmrescue
from defrag.test_crash import prepare
from ntfs.volumes import opened, tree_of
from support.campaign import TIMES
from support.endings import duration_of, start, status_of, wait_for_journal
from support.images import fingerprint, sample, sha256
from support.machine import need_root, run
from vmrescue.disk import EditSession, journal_folder
from vmrescue.image.recovery import open_for_reading
from vmrescue.transaction import history

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SEED = int(os.environ.get("VMRESCUE_SEED", "20261125"))
SIGNALS = 3 * TIMES  # for each command: SIGKILL, SIGTERM and SIGINT in turn
MORE_SIGNALS = {"repair": 6 * TIMES}  # of what is done most, and quickly
SIZES = TIMES  # of the room that is left on the disk
EVERY_SIZE = os.environ.get("VMRESCUE_EVERY_SIZE", "")  # by hand: room for 0 pages, 1, 2, … up to what a command needs
PAGE = 4096  # bytes: a tmpfs has room for whole pages
ENDED = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: 143, signal.SIGINT: 130}
CHECKS = ("--only", "bad-memory", "--only", "serial-console", "--only", "crash-dump")
CHUNK = 1 << 20
IMAGE, OUT = "image.vhd", "out.vhd"
COMMANDS = {
    "repair": ("repair", IMAGE, *CHECKS),
    "put": ("put", IMAGE, "source", r"\new.bin"),
    "cleanup": ("cleanup", IMAGE),
    "expand": ("expand", IMAGE, "--size", "2G"),
    "undo": ("undo", IMAGE),
    "defrag": ("defrag", IMAGE, "--free-space"),
    "copy": ("repair", IMAGE, *CHECKS, "--copy-to", OUT),
    "child": ("repair", IMAGE, *CHECKS, "--into", OUT),
}


@dataclass
class Ground:
    """A folder with an image, put back as it was before each run of a command.

    Attributes:
        old: the image's fingerprint before.
        other: what else it may have afterwards; None where a run's outcome is not foreseen to the byte.
    """

    name: str
    kept: Path
    folder: Path
    old: str
    other: str | None
    tree: object

    @property
    def image(self) -> Path:
        return self.folder / IMAGE

    @property
    def words(self) -> list[object]:
        paths = {word: self.folder / word for word in (IMAGE, OUT, "source")}
        words = [paths.get(word, word) for word in COMMANDS[self.name]]
        return [*words, "--quiet", *(["--yes"] if self.name != "undo" else [])]

    def put_back(self) -> None:
        for path in self.folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        run("cp", "-r", "--sparse=always", f"{self.kept}/.", self.folder)

    def outcome(self, status: int) -> str:
        """Whether all is old or new; fails where it is neither, or where the exit status says otherwise."""
        for path in self.folder.iterdir():
            known = path.name in (IMAGE, f"{IMAGE}.vmrescue", "source") or "unfinished" in path.name
            assert known or self.name in ("copy", "child"), path
        if self.name in ("copy", "child"):
            found = self._made(status)
        elif self.name == "defrag":
            found = self._moved()
        else:
            found = self._changed(status)
        if status in (0, 1, 6):
            assert found in ("new", "sound"), status
        elif status in (4, 5):
            assert found in ("old", "old, after a rollback", "sound"), status
        else:
            assert status in ENDED.values(), status
        return found

    def _changed(self, status: int) -> str:
        before, seen = fingerprint(self.image), seen_by_a_reader(self.image)
        assert fingerprint(self.image) == before, "reading wrote something"
        EditSession(self.image).close()  # whoever opens it to write next rolls back what is half done
        found = fingerprint(self.image)
        assert seen == sha256(self.image)
        if found == self.old:
            return "old" if before == found else "old, after a rollback"
        if self.other is not None:
            assert found == self.other
            return "new"
        [past] = history(self.image)
        assert past.state == "done"
        assert past.receipt or status in (6, -signal.SIGKILL), "it was not said what was done"
        vmrescue.undo(self.image)
        assert fingerprint(self.image) == self.old
        return "new"

    def _moved(self) -> str:
        EditSession(self.image).close()
        with opened(self.image) as volume:
            assert volume.check() == []
            assert tree_of(volume) == self.tree
        return "sound"

    def _made(self, status: int) -> str:
        assert fingerprint(self.image) == self.old
        assert not journal_folder(self.image).exists()
        out = self.folder / OUT
        left = [path for path in self.folder.iterdir() if path.name.startswith(OUT)]
        if not out.exists():
            assert status == -signal.SIGKILL or not left, left
            if status == -signal.SIGKILL:
                assert not left or (self.folder / f"{OUT}.unfinished").exists(), left
            return "unfinished" if left else "old"
        [past] = history(out)
        assert past.state == "done"
        assert past.receipt or status in (6, -signal.SIGKILL)
        assert not vmrescue.diagnose(out, only=[word for word in CHECKS if word != "--only"]).findings
        return "new"


def seen_by_a_reader(image: Path) -> str:
    """The SHA-256 of the image's file as a reader has it: with an interrupted repair rolled back, in memory only."""
    store, _ = open_for_reading(image)
    digest = hashlib.sha256()
    for offset in range(0, store.size, CHUNK):
        digest.update(store.read_at(offset, min(CHUNK, store.size - offset)))
    store.close()
    return digest.hexdigest()


def ground(name: str, kept: Path, folder: Path) -> Ground:
    kept.mkdir()
    image, tree, other = kept / IMAGE, None, None
    if name == "defrag":
        prepare(image)
        with opened(image) as volume:
            tree = tree_of(volume)
    else:
        sample("gen2-broken", kept).rename(image)
    (kept / "source").write_bytes(random.Random(SEED).randbytes(300_000))
    if name == "undo":
        other = fingerprint(image)
        vmrescue.repair(image, only=[word for word in CHECKS if word != "--only"])
    return Ground(name, kept, folder, fingerprint(image), other, tree)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_ended_by_a_signal_leaves_old_or_new_or_a_name_that_says_unfinished(
    name: str, quick_folder: Path
) -> None:
    folder = quick_folder / "folder"
    folder.mkdir()
    on = ground(name, quick_folder / "kept", folder)
    on.put_back()
    duration = duration_of(*on.words, ok=(0, 1))
    chance = random.Random(f"{SEED} {name}")
    outcomes: Counter[str] = Counter()
    signals = MORE_SIGNALS.get(name, SIGNALS)
    for number in range(signals):
        ending = list(ENDED)[number % len(ENDED)]
        on.put_back()
        process = start(*on.words, said=quick_folder / "said")
        if number % 2 and name not in ("copy", "child"):
            wait_for_journal(on.image, deadline=time.monotonic() + 2 * duration)
            time.sleep(chance.uniform(0, 0.02))
        else:
            time.sleep(chance.uniform(0, duration * 1.05))
        os.kill(process, ending)
        if number % 5 == 4:
            os.kill(process, ending)  # twice
        status = status_of(process)
        assert status in (0, 1, ENDED[ending]), (quick_folder / "said").read_text()
        assert "Traceback" not in (quick_folder / "said").read_text()
        outcomes[f"{ending.name}: {'in time' if status == ENDED[ending] else 'too late'}, {on.outcome(status)}"] += 1
    print(f"{name}, {signals} signals in a run of {duration:.2f} s: {dict(outcomes)}")


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    folder.mkdir()
    need_root()
    run("mount", "-t", "tmpfs", "-o", "size=4G", "tmpfs", folder)
    try:
        yield
    finally:
        run("umount", "-l", folder)


def with_room(folder: Path, size: str) -> None:
    run("mount", "-o", f"remount,size={size}", folder)


def used(folder: Path) -> int:
    space = os.statvfs(folder)
    return (space.f_blocks - space.f_bfree) * space.f_frsize


def sizes_up_to(needed: int, chance: random.Random) -> list[int]:
    """Bytes of room: some at random, and some that are hardly too few; or all."""
    every = range(0, needed + 2 * PAGE, PAGE)
    if EVERY_SIZE:
        return list(every)
    return [
        chance.choice(every) if number % 3 else max(0, needed - PAGE * (number // 3 + 1)) for number in range(SIZES)
    ]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_on_a_disk_that_is_full_leaves_old_or_new_and_says_which(name: str, quick_folder: Path) -> None:
    folder = quick_folder / "disk"
    with small_disk(folder):
        on = ground(name, quick_folder / "kept", folder)
        on.put_back()
        begun = used(folder)
        duration_of(*on.words, ok=(0, 1))
        needed = max(used(folder) - begun, 1 << 16)
        outcomes: Counter[str] = Counter()
        rooms = sizes_up_to(needed, random.Random(f"{SEED} {name}"))
        for room in rooms:
            with_room(folder, "4G")
            on.put_back()
            with_room(folder, str(used(folder) + room))
            status = status_of(start(*on.words, said=quick_folder / "said"))
            said = (quick_folder / "said").read_text()
            assert "Traceback" not in said
            assert status in (0, 1, 4, 5, 6), said
            with_room(folder, "4G")
            outcomes[f"{status}: {on.outcome(status)}"] += 1
        print(f"{name}, {len(rooms)} sizes up to {needed} bytes: {dict(outcomes)}")
