"""A file that a command is to write is, by a slip of the hand, an image: it stays what it is, and that is said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from commands.here import vmrescue
from commands.hives import system_hive
from hostile.disks import small_image
from support.images import fingerprint

SYSTEM = r"HKLM\SYSTEM\Select"
COMMANDS = {
    "a plan": ("plan", "IMAGE", "-o", "TARGET"),
    "a log": ("diagnose", "IMAGE", "--quiet", "--log-file", "TARGET"),
    "the results of a scan": ("scan", "IMAGE", "-o", "TARGET"),
    "those that are resumed": ("scan", "IMAGE", "-o", "TARGET", "--resume"),
    "those of repairs": ("repair", "IMAGE", "IMAGE", "--dry-run", "-o", "TARGET"),
    "a file of the image": ("get", "IMAGE:1", r"\Boot\BCD", "TARGET", "--force"),
    "a key": ("reg", "IMAGE", "export", SYSTEM, "TARGET", "/y"),
    "a store": ("bcdedit", "IMAGE", "/export", "TARGET", "--yes"),
    "a key, in a dry run": ("reg", "IMAGE", "export", SYSTEM, "TARGET", "--yes", "--dry-run"),
}
FORMS = {"the results of a scan": ".csv", "those that are resumed": ".jsonl", "those of repairs": ".html"}


def played(name: str, image: Path, target: Path) -> tuple[int, str]:
    words = [{"IMAGE": str(image), "TARGET": str(target), "IMAGE:1": f"{image}:1"}.get(w, w) for w in COMMANDS[name]]
    done = vmrescue(*words)
    return done.status, done.err


@pytest.mark.parametrize(
    ("name", "which"),
    [
        *((name, "the image itself") for name in COMMANDS),
        *((name, "another image") for name in ("a plan", "a log", "a store")),
        *((name, "a hard link to it") for name in ("the results of a scan", "a file of the image")),
    ],
)
def test_an_image_is_never_the_output_of_a_command(name: str, which: str, tmp_path: Path) -> None:
    suffix = FORMS.get(name, ".raw")
    image = small_image(tmp_path, f"small{suffix}")
    target = image if which == "the image itself" else tmp_path / f"other{suffix}"
    if which == "another image":
        small_image(tmp_path, target.name)
    elif which == "a hard link to it":
        os.link(image, target)
    before = fingerprint(target)

    status, said = played(name, image, target)

    assert status == 4, said
    assert str(target) in said
    assert fingerprint(target) == before
    assert fingerprint(image) == before
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize("name", ["a key", "a store"])
def test_what_a_command_wrote_before_is_written_anew_where_it_was_told_to(name: str, tmp_path: Path) -> None:
    image = small_image(tmp_path)
    target = tmp_path / "out"
    for _ in range(2):
        status, said = played(name, image, target)
        assert status in (0, 1), said
    assert target.exists()


@pytest.mark.parametrize(
    ("name", "form", "left"),
    [
        ("a plan", ".json", "out.json"),
        ("the results of a scan", ".csv", "out.csv"),
        ("the results of a scan", ".html", "out.html"),
        ("the results of a scan", ".parquet", "out.parquet.partial"),
        ("those of repairs", ".jsonl", "out.jsonl"),
    ],
)
def test_what_a_command_wrote_before_stays_unless_it_is_told_otherwise(
    name: str, form: str, left: str, tmp_path: Path
) -> None:
    """Of a scan that was killed too: what it left is what `--resume` goes on with."""
    image = small_image(tmp_path)
    target, kept = tmp_path / f"out{form}", tmp_path / left
    words = [{"IMAGE": str(image), "TARGET": str(target)}.get(word, word) for word in COMMANDS[name]]
    if target == kept:
        assert vmrescue(*words).status in (0, 1)
        kept.write_bytes(kept.read_bytes() + b"\n")  # what is written anew is told from what was there
    else:
        kept.write_text('{"image": "a result"}\n')
    before = fingerprint(kept)

    refused = vmrescue(*words)

    assert (refused.status, fingerprint(kept)) == (4, before)
    assert f"{kept} is there already: " in refused.err
    assert "--force writes it anew" in refused.err
    assert ("--resume" in refused.err) == (name != "a plan")
    assert vmrescue(*words, "--force").status in (0, 1)
    assert fingerprint(target) != before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("out")] == [target.name]


def test_an_output_that_is_there_is_told_before_the_work_and_the_question(tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    target.write_text('{"image": "a result"}\n')
    for words in (["scan", "nothing.vhd"], ["rescue", "nothing.vhd", "nothing too.vhd"], ["repair", "nothing.vhd"]):
        done = vmrescue(*words, "--output", target)
        assert (done.status, done.err.count("is there already")) == (4, 1), done.err
    assert vmrescue("scan", "nothing.vhd", "-o", target, "--resume", "--force").status == 2
    assert vmrescue("scan", "nothing.vhd", "--force").status == 2


def test_a_hive_is_not_overwritten_by_what_is_exported_of_it(tmp_path: Path) -> None:
    hive = tmp_path / "SYSTEM"
    hive.write_bytes(system_hive().to_bytes())
    before = fingerprint(hive)
    done = vmrescue("reg", hive, "export", SYSTEM, hive, "/y")
    assert done.status == 4
    assert "the image that is read" in done.err
    assert fingerprint(hive) == before


def test_a_log_grows_and_an_empty_file_may_become_anything(tmp_path: Path) -> None:
    image, log, plan = small_image(tmp_path), tmp_path / "log", tmp_path / "plan"
    log.touch()
    plan.touch()
    for _ in range(2):
        size = log.stat().st_size
        assert played("a log", image, log)[0] == 1
        assert log.stat().st_size > size
    assert played("a plan", image, plan)[0] == 0
    assert plan.read_bytes().startswith(b"{")


def test_a_device_may_be_an_output(tmp_path: Path) -> None:
    image = small_image(tmp_path)
    assert played("a plan", image, Path("/dev/null"))[0] == 0
    assert played("a log", image, Path("/dev/null"))[0] == 1
