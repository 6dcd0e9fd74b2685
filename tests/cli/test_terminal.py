"""The commands on a terminal of 80 columns: what stands there in the end."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING

import pytest

from support.command import output_of, vmrescue
from support.images import fingerprint, sample
from support.machine import run
from support.terminal import ROWS, in_terminal
from vmrescue.cli.main import COMMANDS

if TYPE_CHECKING:
    from pathlib import Path

    from support.terminal import Transcript

SEEN = {"diagnose", "rehearse", "explain", "info", "ls", "scan", "backup", "undo"}  # by other tests of this file
RED, MAGENTA = "\x1b[31m", "\x1b[35m"
COLOUR = re.compile(r"\x1b\[[\d;]*m")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which images have short names."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def words_of(text: str) -> list[str]:
    """Without the ends of lines: a path that is longer goes on behind a separator, a command behind a backslash."""
    text = re.sub("[|\u2591-\u2593\u2588]", "", text)  # of a drawn map
    return re.sub(r"(?<=[\\/])\n *(?=\S)", "", text.replace(" \\\n", " ")).split()


def assert_folded(shown: Transcript, plain: str, columns: int = 80) -> None:
    """No line is wider than the terminal, and the words are those that a file gets, none cut."""
    assert max(map(len, shown.lines)) <= columns, max(shown.lines, key=len)
    assert words_of("\n".join(shown.lines)) == words_of(plain)


def test_no_line_is_wider_than_the_terminal_and_no_word_is_cut(here: Path) -> None:
    image = sample("gen1-broken", here).name
    commands = [
        ("diagnose", image, "--symptom", "0xC0000017", "--skip", "page-file,crash-dump"),
        ("rehearse", image, "--full"),
        ("explain",),
        ("explain", "bad-memory"),
        ("explain", "0xC0000017"),
        ("rescue", image, "--dry-run"),
        ("ls", image, "Windows\\System32\\config"),
        ("cleanup", image, "--list"),
        ("defrag", image, "--analyze"),
        ("scan", "."),
        ("backup", image, "kept"),
        ("diagnose", "nowhere.vhd"),
        ("undo", image),
    ]
    for words in commands:
        done = vmrescue(*words)
        shutil.rmtree(here / "kept", ignore_errors=True)
        assert_folded(in_terminal(*words), done.stderr + done.stdout)


def test_what_findings_of_a_check_have_in_common_is_said_once_on_a_terminal(here: Path) -> None:
    image = sample("gen1-broken", here).name
    words = ("diagnose", image, "--only", "page-file,crash-dump")
    lines = in_terminal(*words).lines
    assert max(map(len, lines)) <= 80
    for line in ("          Procedure: Restore the page file to its default location.", "            it a D: drive?"):
        assert lines.count(line) == 1
    assert output_of(*words, status=1).count("Procedure: Restore the page file to its default location.") == 3


def test_info_fits_any_terminal_and_its_bar_says_what_is_in_use(here: Path) -> None:
    image = sample("gen2-broken", here).name
    for columns in (80, 120):
        shown = in_terminal("info", image, columns=columns)
        assert max(map(len, shown.lines)) <= columns
        bar = next(line for line in shown.lines if line.startswith("["))
        assert len(bar) == min(columns, 98)
        assert "# in use   - free   . no partition" in shown.lines
        document = json.loads(output_of("info", image, "--format", "json"))
        windows = document["volumes"][2]
        drawn = bar.partition("|3")[2].partition(".")[0]
        assert drawn.count("-") / len(drawn) == pytest.approx(windows["free"] / windows["size"], abs=0.03)


def test_a_question_is_in_view_behind_a_summary_and_lists_every_change_on_demand(here: Path) -> None:
    image = sample("gen1-broken", here)
    before = fingerprint(image)
    refused = in_terminal("repair", image.name, answers=["l", "n"])
    assert refused.status == 4
    assert fingerprint(image) == before
    [first, second] = [at for at, line in enumerate(refused.lines) if line.startswith("Write 11 changes to ")]
    assert first < ROWS
    assert "  bad-memory      1 change in \\Boot\\BCD on partition 1" in refused.lines[:first]
    listed = "\n".join(refused.lines[first + 1 : second])
    assert words_of(listed) == words_of(output_of("repair", image.name, "--dry-run", status=1).partition(image.name)[0])
    assert refused.screen[-2:] == [
        "Write 11 changes to gen1-broken.vhd? [y/N, l: list every change]: n",
        "vmrescue: not done: the answer was no",
    ]
    rescued = in_terminal("rescue", image.name, answers=["y"])
    asked = next(at for at, line in enumerate(rescued.lines) if line.startswith("Write 12 changes to "))
    assert asked < ROWS
    assert "Take it back with: vmrescue undo gen1-broken.vhd" in rescued.screen
    said = [line for line in rescued.lines if len(line) > 30]
    assert len(said) == len(set(said)), "a line is said twice"


def test_each_command_that_writes_asks_in_view_and_all_speak_in_lines_that_fit(here: Path) -> None:
    image = sample("gen2-broken", here).name
    (here / "new.txt").write_text("new")
    output_of("plan", image, "--only", "serial-console", "--output", "plan.json")
    crash = "HKLM\\SYSTEM\\ControlSet001\\Control\\CrashControl"
    (here / "book.cmd").write_text("bcdedit /timeout 7\n")
    asked: list[tuple[str, ...]] = [
        ("put", image, "new.txt", "C:\\new.txt"),
        ("rm", image, "C:\\new.txt"),
        ("apply", "plan.json", image),
        ("cleanup", image),
        ("expand", image, "--size", "1G"),
        ("rescue", image),
        ("reg", image, "delete", crash, "/v", "NMICrashDump"),
        ("repair", image),
        ("run", image, "book.cmd"),
        ("defrag", image),
    ]
    told: list[tuple[str, ...]] = [
        ("undo", "--list", image),
        ("get", image, "C:\\Windows\\System32\\config\\SAM", "sam"),
        ("bcdedit", image, "/timeout", "9"),
        ("demo", "--sample", "gen2-healthy"),
    ]
    for words in asked:
        shown = in_terminal(*words, answers=["y"])
        assert shown.status in (0, 1), (words, shown.lines)
        assert max(map(len, shown.lines)) <= 80, (words, max(shown.lines, key=len))
        question, *_ = [at for at, line in enumerate(shown.lines) if "[y/N" in line]
        assert question < ROWS, words
    for words in told:
        shown = in_terminal(*words)
        assert max(map(len, shown.lines)) <= 80, (words, max(shown.lines, key=len))
        assert shown.status == 0, (words, shown.lines)
    seen = {words[0] for words in (*asked, *told)} | SEEN
    for name in COMMANDS:
        if name not in seen:
            assert max(map(len, in_terminal(name, "--help").lines)) <= 80, name


def test_severity_is_in_colour_on_a_terminal_unless_somebody_does_not_want_it(here: Path) -> None:
    image = sample("gen2-broken", here).name
    words = ("diagnose", image, "--only", "bad-memory,page-file")
    coloured = in_terminal(*words)
    assert f"{RED}\x1b[1mcritical\x1b[0m  bad-memory" in coloured.raw
    assert f"{MAGENTA}\x1b[1mwarning\x1b[0m   page-file" in coloured.raw
    assert not COLOUR.search(in_terminal(*words, NO_COLOR="1").raw)
    assert not COLOUR.search(in_terminal("--color", "never", *words).raw)
    assert f"{RED}\x1b[1mcritical\x1b[0m  bad-memory" in output_of(*words, "--color", "always", status=1)
    assert "\x1b" not in output_of(*words, status=1)


def test_ls_says_when_files_changed_and_what_they_are_as_sleuthkit_does(here: Path) -> None:
    image = sample("gen2-broken", here).name
    table = json.loads(output_of("info", image, "--format", "json"))["volumes"]
    for number in (1, 3):
        rows = {
            row["name"]: row["modified"][:19]
            for row in json.loads(output_of("ls", f"{image}:{number}", "", "--format", "json"))
            if row["modified"]
        }
        place = str(table[number - 1]["start"] // 512)
        listed = run("fls", "-i", "vhd", "-l", "-o", place, image, TZ="UTC")
        fields = (line.split("\t") for line in listed.splitlines())
        judged = {name.partition(":")[0]: when[:19].replace(" ", "T") for _, name, when, *_ in fields}
        assert rows
        assert rows == {name: judged[name] for name in rows}
    assert re.search(r"^\d{4}-\d\d-\d\d \d\d:\d\d {12}<DIR>  Windows$", output_of("ls", image), re.MULTILINE)
    assert "  $MFT  [hidden, system]" in output_of("ls", image)
