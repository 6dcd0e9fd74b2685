"""An output that takes no more: a full disk, or a pipe that nobody reads."""

from __future__ import annotations

import os
import signal
import tempfile
from typing import TYPE_CHECKING

import pytest

from support.campaign import whole
from support.command import run_in, vmrescue
from support.images import fingerprint, sample
from support.machine import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PRINTING = [
    ["--help"],
    ["--version"],
    ["diagnose", "--help"],
    ["reg", "--help"],
    ["diagnose", "{}"],
    ["diagnose", "{}", "--format", "json"],
    ["rehearse", "{}"],
    ["explain"],
    ["explain", "--format", "markdown"],
    ["scan", "{}"],
    ["scan", "{}", "--format", "json"],
    ["info", "{}"],
    ["ls", "{}"],
    ["cat", "{}:1", "bootmgr"],
    ["plan", "{}"],
    ["repair", "{}", "--dry-run"],
    ["rescue", "{}", "--dry-run"],
    ["run", "{}", "{runbook}", "--dry-run"],
    ["cleanup", "{}", "--list"],
    ["defrag", "{}", "--analyze"],
    ["bcdedit", "{}", "/enum"],
    ["reg", "{}", "query", r"HKLM\SYSTEM\Select"],
    ["undo", "{}", "--list"],
    ["rescue", "{}", "--yes"],  # what it does is shown before anything is written
]
TO_FULL, TO_CLOSED = (PRINTING, PRINTING) if whole("VMRESCUE_OUTPUTS") else (PRINTING[1::3], PRINTING[2::3])


def printing_to(output: int, *arguments: object) -> tuple[int, str]:
    """The exit status, and what is said on stderr."""
    with tempfile.TemporaryFile("w+") as said, open(os.devnull) as given:
        status = run_in([given.fileno(), output, said.fileno()], arguments, dict(os.environ))
        said.seek(0)
        return status, said.read()


def words_of(command: list[str], image: Path) -> list[str]:
    runbook = image.with_name("runbook.cmd")
    runbook.write_text("bcdedit /deletevalue {badmemory} badmemorylist\r\n")
    return [word.format(image, runbook=runbook) for word in command]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One for all tests of this file that must leave it as it was, which is looked at when they are done."""
    path = sample("gen1-broken", tmp_path_factory.mktemp("image"))
    before = fingerprint(path)
    yield path
    assert fingerprint(path) == before


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "full"
    folder.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", folder)
    try:
        (folder / "filler").write_bytes(bytes(16 << 10))
        yield folder
    finally:
        run("umount", folder)


@pytest.mark.parametrize("command", TO_FULL, ids=" ".join)
def test_an_output_that_is_full_is_said_in_one_line(image: Path, command: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        status, said = printing_to(full.fileno(), *words_of(command, image))
    assert status == 5
    assert said.splitlines()[-1] == "vmrescue: the output cannot be written: No space left on device"
    assert "Traceback" not in said


@pytest.mark.parametrize("command", TO_CLOSED, ids=" ".join)
def test_a_pipe_that_nobody_reads_ends_the_command_without_a_word(image: Path, command: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as output:
        status, said = printing_to(output.fileno(), *words_of(command, image))
    assert status == 128 + signal.SIGPIPE
    assert "vmrescue:" not in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("command", "left"),
    [
        (["plan", "{}", "-o", "{full}/plan.json"], []),
        (["get", "{}:1", "bootmgr", "{full}/bootmgr"], []),
        (["run", "{}", "{runbook}", "-o", "{full}/plan.json"], []),
        (["scan", "{}", "-o", "{full}/results.html"], ["results.html.partial"]),  # what --resume goes on with
        (["scan", "{}", "-o", "{full}/results.parquet"], ["results.parquet.partial"]),
        (["scan", "{}", "-o", "{full}/results.jsonl"], ["results.jsonl"]),  # grows by whole lines
        (["backup", "{}", "{full}/saved"], []),
    ],
)
def test_a_disk_without_room_is_named_and_nothing_half_written_has_the_name(
    image: Path, full_disk: Path, command: list[str], left: list[str]
) -> None:
    words = [word.replace("{full}", str(full_disk)) for word in command]
    done = vmrescue(*words_of(words, image))
    assert done.returncode == 5
    assert done.stderr.splitlines()[-1].startswith("vmrescue: ")
    assert str(full_disk) in done.stderr.splitlines()[-1]
    assert done.stderr.splitlines()[-1].endswith("No space left on device")
    assert sorted(path.name for path in full_disk.iterdir() if path.name != "filler") == left
    assert all(path.stat().st_size == 0 for path in full_disk.iterdir() if path.is_file() and path.name != "filler")


def test_a_log_without_room_ends_and_the_command_goes_on(gen1_broken: Path, full_disk: Path) -> None:
    done = vmrescue("repair", gen1_broken, "--yes", "--only", "bad-memory", "--log-file", full_disk / "log")
    assert done.returncode == 0
    assert f"note: the log ends here: cannot write {full_disk}/log: No space left on device" in done.stderr
    assert "Repaired" in done.stdout
    assert not vmrescue("diagnose", gen1_broken, "--only", "bad-memory").returncode


def test_what_cannot_be_said_on_stderr_leaves_the_exit_status(tmp_path: Path) -> None:
    with open("/dev/full", "wb") as full, open(os.devnull, "wb") as output, open(os.devnull) as given:
        streams = [given.fileno(), output.fileno(), full.fileno()]
        assert run_in(streams, ["diagnose", tmp_path / "nothing.vhd"], dict(os.environ)) == 3
