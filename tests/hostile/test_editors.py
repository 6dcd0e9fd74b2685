"""Editors under fire: an image is damaged at random, then repaired or edited.

That ends in one of two ways. It succeeds: every judge that was content with the damaged image is content with what
became of it, and undo gives the damaged image back. Or it is refused: the image has the bytes that it had.
(What was damaged before and is in nobody's way stays damaged: of that a judge may have complained before, too.)

VMRESCUE_CAMPAIGN multiplies the number of images; VMRESCUE_SEED begins with another one.
"""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from functools import cache
from random import Random
from typing import TYPE_CHECKING

import pytest

from commands.here import vmrescue
from commands.hives import CRASH_CONTROL
from fuzz.mutation import mutate
from fuzz.rooms import PARSERS
from fuzz.rooms.whole import START, STORE, SYSTEM, VOLUME
from support.campaign import TIMES
from support.images import fingerprint
from support.machine import need_tool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fuzz.mutation import Seed

FIRST = int(os.environ.get("VMRESCUE_SEED", "0"))
DOCUMENTED = {0, 1, 2, 3, 4, 5}
SOUND = -1
NOTHING_DONE = {2, 3, 4, 5}  # exit statuses after which the image is as it was

Verdicts = dict[str, bool]  # judge: whether it is content


def says(*command: str | Path) -> tuple[int, str]:
    """What a judge says of something that may be damaged in any way. One that does not come to an end is discontent."""
    tool = need_tool(str(command[0]))
    try:
        done = subprocess.run([tool, *map(str, command[1:])], capture_output=True, timeout=60)
    except subprocess.TimeoutExpired:
        return -1, ""
    return done.returncode, (done.stdout + done.stderr).decode("utf-8", "replace")


def volume_judges(volume: Path) -> Verdicts:
    """ntfsresize, which accounts for every cluster, and ntfsfix."""
    _, resized = says("ntfsresize", "--info", "--force", "--no-progress-bar", volume)
    _, fixed = says("ntfsfix", "-n", volume)
    return {
        "ntfsresize": "You might resize at" in resized or "Volume is full" in resized,
        "ntfsfix": "was processed successfully" in fixed,
    }


def hive_judges(hive: Path) -> Verdicts:
    return {tool: says(tool, hive)[0] == 0 for tool in ("hivexml", "reglookup")}


def disk_judges(image: Path) -> Verdicts:
    """Of the volume, and of the two hives on it as ntfs-3g reads them."""
    volume, hive = image.with_suffix(".volume"), image.with_suffix(".hive")
    volume.write_bytes(image.read_bytes()[START : START + VOLUME])
    verdicts = volume_judges(volume)
    for path in (STORE, SYSTEM):
        read = subprocess.run([need_tool("ntfscat"), "-f", volume, path.replace("\\", "/")], capture_output=True)
        hive.write_bytes(read.stdout)
        verdicts |= {f"{judge} of {path}": content for judge, content in hive_judges(hive).items()}
    volume.unlink()
    hive.unlink()
    return verdicts


def fat_judges(image: Path) -> Verdicts:
    status, said = says("fsck.vfat", "-n", image)
    return {"fsck.vfat": status == 0 and len(said.splitlines()) == 2}


@cache
def seeds(parser: str) -> list[Seed]:
    return list(PARSERS[parser].seeds())


KINDS: dict[str, tuple[Callable[[], Seed], Callable[[Path], Verdicts], list[list[str]], int]] = {
    "disk": (lambda: seeds("diagnose")[0], disk_judges, [["repair", "{}", "--yes"]], 6),
    "ntfs": (
        lambda: seeds("ntfs")[0],
        volume_judges,
        [
            ["put", "{}", "{source}", r"D\new", "--yes"],
            ["rm", "{}", "one", "--yes"],
            ["rm", "{}", "scattered", "--yes"],
        ],
        6,
    ),
    "fat": (
        lambda: seeds("fat")[0],
        fat_judges,
        [["put", "{}", "{source}", r"EFI\new", "--yes"], ["rm", "{}", "F3", "--yes"], ["rm", "{}", "F5", "--yes"]],
        9,
    ),
    "hive": (
        lambda: seeds("hive")[2],
        hive_judges,
        [
            ["reg", "{}", "add", rf"HKLM\SYSTEM\{CRASH_CONTROL}", "/v", "New", "/t", "REG_DWORD", "/d", "1", "/f"],
            ["reg", "{}", "delete", r"HKLM\SYSTEM\ControlSet001", "/f"],
            ["reg", "{}", "add", r"HKLM\SYSTEM\Select\New", "/f"],
        ],
        9,
    ),
}


def damaged_and_edited(kind: str, number: int, folder: Path) -> str:
    """How an edit of a damaged image (or, for SOUND, of one that is not) ended; asserts that it is one of the ways."""
    make, judge, commands, _ = KINDS[kind]
    chance = Random(f"editors/{kind}/{number}")
    image, source = folder / "image", folder / "source"
    image.write_bytes(make().data if number == SOUND else mutate(make(), chance))
    source.write_bytes(bytes(range(256)) * 20)
    before, verdicts = fingerprint(image), judge(image)

    words = [word.format(image, source=source) for word in chance.choice(commands)]
    done = vmrescue(*words)

    where = f"{kind} {number}: {words}: {done}"
    assert done.status in DOCUMENTED, where
    if done.status in NOTHING_DONE:
        assert fingerprint(image) == before, where
        assert done.err, where
        return "refused"
    if fingerprint(image) == before:
        return "nothing to do"
    worse = {name for name, content in judge(image).items() if verdicts[name] and not content}
    assert not worse, f"{where}: {worse}"
    undone = vmrescue("undo", image)
    assert (undone.status, fingerprint(image)) == (0, before), f"{where}: {undone}"
    return "edited"


@pytest.mark.parametrize("kind", KINDS)
def test_an_edit_of_a_damaged_image_succeeds_before_all_judges_or_leaves_it_untouched(
    kind: str, quick_folder: Path
) -> None:
    outcomes: Counter[str] = Counter()
    count = KINDS[kind][3] * TIMES
    for number in [SOUND, *range(FIRST, FIRST + count)]:
        folder = quick_folder / str(number)
        folder.mkdir()
        outcomes[damaged_and_edited(kind, number, folder)] += 1
        for left in sorted(folder.rglob("*"), reverse=True):
            left.unlink() if left.is_file() else left.rmdir()
        assert number != SOUND or outcomes["edited"] == 1, "what is sound is edited"
    assert outcomes.total() == 1 + count
    print(f"{kind}: {dict(outcomes)}")
