"""`vmrescue defrag` as a user runs it: on samples, in every container, and what it refuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

import vmrescue as library
from defrag.volumes import fragmented, measured
from ntfs.test_state import volume_with_log
from ntfs.volumes import MIB, comb, format_volume, opened, windows_volume, write_sparse
from support.command import INTERRUPTIBLE, output_of, vmrescue
from support.images import fingerprint
from support.machine import run
from support.ntfs_judges import all_judges, dissect_tree, structure_judges

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def small(path: Path) -> Path:
    """A volume with `large` in 200 pieces, and a directory."""
    format_volume(path, 8 * MIB)
    with opened(path, writable=True) as volume:
        volume.create_directory("folder")
        comb(volume)
        volume.create_file("large", b"L" * 4096 * 200)
        volume.delete("comb")
    return path


def test_a_sample_is_analysed_and_rehearsed(gen2_broken: Path) -> None:
    old = fingerprint(gen2_broken)
    text = output_of("defrag", gen2_broken, "--analyze", "--limit", "1")
    assert "\\Windows\\System32\\config\\SYSTEM" in text
    assert "\\Windows\\Temp\\fill.bin" in text
    assert "the largest has" in text
    said = json.loads(output_of("defrag", gen2_broken, "--analyze", "--format", "json"))
    assert said["worst"][0]["path"] == "\\Windows\\Temp\\fill.bin"
    assert {row["path"] for row in said["boot_files"]} >= {"\\$MFT", "\\pagefile.sys"}
    rehearsed = json.loads(output_of("defrag", gen2_broken, "--dry-run", "--free-space", "--format", "json"))
    assert rehearsed["after"]["largest_free"] > rehearsed["before"]["largest_free"]
    for letter, notes in (("C:", 1), ("F:", 2)):  # Windows' own words; F: is the repair VM's letter
        asked = vmrescue("defrag", gen2_broken, letter, "/u", "/x", "/g", "--dry-run", "--format", "json")
        assert json.loads(asked.stdout) == rehearsed
        assert asked.stderr.count("note: ") == notes
    assert "F: is no letter of this Windows: taken for partition 3 (C:)" in asked.stderr
    assert text in output_of("defrag", gen2_broken, "c:\\", "-a", "--limit", "1")
    assert "Nothing was written" in output_of("defrag", gen2_broken, "--dry-run")
    assert fingerprint(gen2_broken) == old
    assert sorted(path.name for path in gen2_broken.parent.iterdir()) == [gen2_broken.name]


def test_a_sample_is_defragmented_and_repaired_and_that_undone(gen2_healthy: Path) -> None:
    done = json.loads(output_of("defrag", gen2_healthy, "--free-space", "--yes", "--format", "json"))

    assert done["moves"] > 0
    assert done["after"]["free_extents"] < done["before"]["free_extents"]
    run("qemu-img", "info", "-f", "vpc", gen2_healthy)
    assert library.diagnose(gen2_healthy).findings == []
    old = fingerprint(gen2_healthy)
    assert vmrescue("undo", gen2_healthy).returncode == 4
    output_of("expand", gen2_healthy, "--size", "1G", "--yes", "--quiet")
    library.undo(gen2_healthy)
    assert fingerprint(gen2_healthy) == old


def test_where_nothing_is_to_be_moved_an_earlier_repair_can_still_be_undone(gen1_broken: Path) -> None:
    output_of("defrag", gen1_broken, "--yes", "--quiet")
    old = fingerprint(gen1_broken)
    library.repair(gen1_broken)
    repaired = fingerprint(gen1_broken)

    done = json.loads(output_of("defrag", gen1_broken, "--yes", "--format", "json"))

    assert (done["moves"], done["commits"]) == (0, 0)
    assert fingerprint(gen1_broken) == repaired
    output_of("undo", gen1_broken)
    assert fingerprint(gen1_broken) == old


@pytest.mark.parametrize("option", ["--copy-to", "--into"])
def test_a_copy_or_a_child_is_defragmented_and_the_image_left_alone(gen2_healthy: Path, option: str) -> None:
    old, new = fingerprint(gen2_healthy), gen2_healthy.with_name("new.vhd")
    done = json.loads(output_of("defrag", gen2_healthy, "--free-space", option, new, "--yes", "--format", "json"))
    assert done["image"] == str(new)
    assert done["moves"] > 0
    assert library.diagnose(new).findings == []
    again = vmrescue("defrag", gen2_healthy, option, new, "--yes")
    assert again.returncode == 4
    assert "exists already" in again.stderr
    assert fingerprint(gen2_healthy) == old


def test_only_the_files_that_are_named_are_moved(quick_folder: Path) -> None:
    path = small(quick_folder / "volume.img")
    with opened(path, writable=True) as volume:
        comb(volume)
        volume.create_file("other", b"o" * 4096 * 50)
        volume.delete("comb")
        other = volume.file_extents("other")
    tree = all_judges(path)

    output_of("defrag", path, "--file", "\\large", "--file", "folder", "--yes", "--quiet")

    with opened(path) as volume:
        assert len(volume.file_extents("large")) == 1
        assert volume.file_extents("other") == other
    assert all_judges(path) == tree


def test_a_file_that_is_not_there_is_said_before_anything_is_written(quick_folder: Path) -> None:
    path = small(quick_folder / "volume.img")
    old = path.read_bytes()
    done = vmrescue("defrag", path, "--file", "large", "--file", "missing", "--yes")
    assert done.returncode == 3
    assert "missing" in done.stderr
    assert path.read_bytes() == old


def test_a_compressed_file_is_moved_with_its_holes(quick_folder: Path) -> None:
    path = write_sparse(windows_volume(), quick_folder / "volume.img")
    tree = dissect_tree(path)
    with opened(path) as volume:
        names = [name for name in tree if (info := volume.stat(name)).is_compressed and info.allocated_size]
        places = {name: volume.file_extents(name) for name in names}
    in_pieces = [name for name in names if len(joined(places[name])) > 1]
    assert names
    words = [word for name in names for word in ("--file", name)]

    output_of("defrag", path, *words, "--yes", "--quiet")

    with opened(path) as volume:
        after = {name: volume.file_extents(name) for name in names}
    assert [[run[0] for run in after[name]] for name in names if name not in in_pieces] == [
        [run[0] for run in places[name]] for name in names if name not in in_pieces
    ]
    assert all(len(joined(after[name])) <= len(joined(places[name])) for name in names)
    structure_judges(path)
    assert dissect_tree(path) == tree


def joined(extents: Sequence[tuple[int, int, int]]) -> list[int]:
    """Where pieces begin: extents that do not go on where the last one ended."""
    ends = [0, *(lcn + length for _, lcn, length in extents)]
    return [lcn for (_, lcn, _), end in zip(extents, ends, strict=False) if lcn != end]


def test_nobody_is_asked_where_nobody_can_answer(quick_folder: Path) -> None:
    path = small(quick_folder / "volume.img")
    old = path.read_bytes()
    done = vmrescue("defrag", path)
    assert done.returncode == 4
    assert "`undo` can take back neither this nor any earlier repair" in done.stderr
    assert "there is nobody to ask" in done.stderr
    assert vmrescue("defrag", path, stdin="n\n").returncode == 4
    assert path.read_bytes() == old
    assert vmrescue("defrag", path, stdin="y\n").returncode == 0
    assert measured(path).fragments == 0


def refused(path: Path, reason: str) -> None:
    old = fingerprint(path)
    for words in (("--yes",), ("--dry-run",)):
        done = vmrescue("defrag", path, *words)
        assert (done.returncode, reason in done.stderr) == (4, True), done.stderr
    assert fingerprint(path) == old


def test_a_sleeping_windows_is_not_moved_about(quick_folder: Path) -> None:
    path = small(quick_folder / "volume.img")
    with opened(path, writable=True) as volume:
        volume.create_file("hiberfil.sys", b"HIBR" + bytes(4092))
    refused(path, "hibernated")


def test_a_log_that_has_work_to_redo_is_replayed_first(tmp_path: Path) -> None:
    data = volume_with_log(lsn=1 << 40, flags=0, client=0)
    refused(write_sparse(data, tmp_path / "volume.img"), "NTFS's log has work to redo")


def test_an_encrypted_volume_is_refused(quick_folder: Path) -> None:
    path = small(quick_folder / "volume.img")
    with path.open("r+b") as file:
        file.seek(3)
        file.write(b"-FVE-FS-")
    done = vmrescue("defrag", path, "--yes", "--partition", "1")
    assert done.returncode == 4
    assert "BitLocker" in done.stderr


def test_a_damaged_volume_is_refused_because_free_clusters_may_not_be_free(quick_folder: Path) -> None:
    path = small(quick_folder / "volume.img")
    with opened(path, writable=True) as volume:
        bitmap = volume.cluster_offset(volume.file_extents("$Bitmap")[0][1])
        (_, lcn, _), *_ = volume.file_extents("large")
    with path.open("r+b") as file:
        file.seek(bitmap + lcn // 8)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte & ~(1 << lcn % 8)]))
    refused(path, "is damaged")


def test_an_interrupt_stops_between_moves_and_says_how_far_it_came(quick_folder: Path) -> None:
    path = fragmented(quick_folder / "volume.img", 24 * MIB, files=600)
    tree = all_judges(path)
    command = [*INTERRUPTIBLE, sys.executable, "-m", "vmrescue", "defrag", str(path), "--free-space", "--yes"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while not list(quick_folder.glob("volume.img.vmrescue/*.final")):
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGINT)
        _, said = process.communicate()
    assert process.returncode == 130
    assert "the volume is sound, every file whole" in said
    assert all_judges(path) == tree
