"""Evidence: what somebody has protected is not written, even by root; reading leaves no trace on the file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

import vmrescue
from support.command import vmrescue as command
from support.images import fingerprint
from support.machine import run
from support.machine_disk import loop_device

if TYPE_CHECKING:
    from pathlib import Path

EDITS = [
    ["repair", "{}", "--yes"],
    ["rescue", "{}", "--yes"],
    ["rm", "{}", r"\pagefile.sys", "--yes"],
    ["expand", "{}", "--size", "1G", "--yes"],
    ["defrag", "{}", "--yes"],
    ["undo", "{}"],
]


@pytest.mark.parametrize("words", EDITS, ids=lambda words: words[0])
def test_a_file_that_its_mode_protects_is_written_by_nobody(gen2_broken: Path, words: list[str]) -> None:
    vmrescue.repair(gen2_broken, only=["bad-memory"])  # for `undo` to have something
    gen2_broken.chmod(0o444)
    before = fingerprint(gen2_broken)
    done = command(*(word.format(gen2_broken) for word in words))
    assert done.returncode == 4
    assert f"{gen2_broken} is not written to: its mode, 0444, lets nobody write (chmod u+w)" in done.stderr
    assert fingerprint(gen2_broken) == before


def test_it_is_diagnosed_and_repaired_in_a_copy(gen2_broken: Path, tmp_path: Path) -> None:
    gen2_broken.chmod(0o444)
    before = fingerprint(gen2_broken)
    assert vmrescue.repair(gen2_broken, copy_to=tmp_path / "copy.vhd").committed
    assert fingerprint(gen2_broken) == before


def test_a_read_only_device_is_refused_before_anything_is_done(gen1_broken: Path) -> None:
    raw = gen1_broken.with_suffix(".raw")
    run("qemu-img", "convert", "-O", "raw", gen1_broken, raw)
    with loop_device(raw) as device, pytest.raises(vmrescue.RefusedError, match=r"read-only|may not be written"):
        vmrescue.repair(device)


def test_reading_leaves_the_time_of_access(gen2_broken: Path) -> None:
    long_ago = 1_000_000_000
    os.utime(gen2_broken, (long_ago, long_ago))
    vmrescue.diagnose(gen2_broken)
    assert gen2_broken.stat().st_atime == long_ago
