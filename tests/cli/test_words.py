"""What a person mistypes is answered with what was meant, and status 1 comes with what is left."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import vmrescue
from support.command import vmrescue as command
from vmrescue.cli.options import ImagePath
from vmrescue.errors import ReadError, RefusedError
from vmrescue.image.new_image import must_be_new

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["diagnos", "os.vhd"], "there is no command 'diagnos'; did you mean diagnose?"),
        (["frobnicate"], "there is no command 'frobnicate'; `vmrescue --help` lists the commands"),
        (["diagnose", "os.vhd", "--only", "bad-memry"], "there is no check 'bad-memry'; did you mean bad-memory?"),
        (
            ["diagnose", "os.vhd", "--skip", "xyzzy"],
            "there is no check 'xyzzy'; `explain` lists the checks",
        ),
        (["explain", "bad-memry"], "there is no check and no stop code 'bad-memry'; did you mean bad-memory?"),
        (["diagnose", "a.vhd", "b.vhd"], "`vmrescue diagnose` takes one image; `vmrescue scan` takes many"),
        (["rehearse", "a.vhd", "b.vhd"], "`vmrescue rehearse` takes one image; `vmrescue scan` takes many"),
        (["diagnose", ""], "an image has no name: the text that was given for its path is empty"),
    ],
)
def test_wrong_words_are_answered_in_a_line_with_what_was_meant(words: list[str], said: str) -> None:
    done = command(*words)
    assert (done.returncode, done.stderr) == (2, f"vmrescue: {said}\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["undo", "os.vhd", "--yes"], "No such option '--yes': undo asks nothing."),
        (["diagnose", "os.vhd", "-o", "x"], "diagnose writes to standard output; `> FILE` keeps it."),
        (["get", "os.vhd", "x", "-"], "`vmrescue cat` writes a file to standard output"),
        (["rm", "os.vhd", "x", "-o"], "No such option '-o'.\n"),
    ],
)
def test_what_other_commands_have_is_answered_with_what_this_one_does(words: list[str], said: str) -> None:
    done = command(*words)
    assert done.returncode == 2
    assert said in done.stderr


def test_folders_and_letters_are_called_what_they_are(gen1_broken: Path, tmp_path: Path) -> None:
    for words, said in (
        (["cat", gen1_broken, "C:\\Windows"], "\\Windows on partition 2 (C:) is a folder, not a file: `vmrescue ls`"),
        (["get", gen1_broken, "\\Windows", tmp_path], "\\Windows on partition 2 (C:) is a folder, not a file"),
        (["put", gen1_broken, __file__, "C:\\nodir\\x", "--yes"], "there is no folder 'nodir' on the NTFS volume\n"),
        (["ls", gen1_broken, "Q:\\"], "has no volume that its Windows calls Q: (it has "),
    ):
        done = command(*words)
        assert (done.returncode, said in done.stderr) == (3, True), done.stderr
        assert "::" not in done.stderr


def test_the_samples_are_told_apart(tmp_path: Path) -> None:
    assert (
        "nothing is wrong with it"
        in command("demo", "--keep", tmp_path / "kept", "--broken", "--sample", "gen2-healthy").stdout
    )
    assert command("demo", "--keep", tmp_path / "none", "--broken", "--sample", "gen3").returncode == 2
    assert not (tmp_path / "none").exists()


def test_what_cannot_be_read_or_made_is_no_wrong_usage(tmp_path: Path) -> None:
    assert not ImagePath().readable  # click would answer with its usage
    with pytest.raises(ReadError, match="no name"):
        vmrescue.diagnose("")
    with pytest.raises(RefusedError, match=r"cannot be made: .*: File name too long$"):
        must_be_new(tmp_path / ("x" * 300) / "out.vhd")


def test_status_1_comes_with_what_is_left(gen1_broken: Path) -> None:
    cleaned = command("cleanup", gen1_broken, "--yes")
    assert cleaned.returncode == 1
    assert "This is left, and `vmrescue diagnose` says more of it: volume-state, bad-memory" in cleaned.stdout
    mended = command("repair", gen1_broken, "--only", "bad-memory", "--yes")
    assert mended.returncode == 0
    assert mended.stdout.endswith("Of the checks that were asked for nothing is left.\n")


def test_where_cleaning_up_is_not_enough_the_largest_files_are_named(gen2_broken: Path) -> None:
    found = command("diagnose", gen2_broken, "--only", "free-space", "--min-free", "560M", "--format", "json")
    [finding] = json.loads(found.stdout)["findings"]
    largest = finding["evidence"]["bytes_of_largest"]
    assert list(largest)[:2] == ["\\Windows\\Temp\\fill.bin", "\\pagefile.sys"]
    assert not any(path.startswith("\\$") for path in largest)
    enough = command("diagnose", gen2_broken, "--only", "free-space", "--format", "json")
    assert "bytes_of_largest" not in json.loads(enough.stdout)["findings"][0]["evidence"]
