"""What an image calls things reaches nobody's terminal, browser, spreadsheet or folder as anything but text."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from commands.here import vmrescue
from fuzz.rooms.whole import START, SYSTEM
from hostile.disks import small_image
from support.images import fingerprint
from vmrescue.disk import open_disk
from vmrescue.file_names import harmless
from vmrescue.ntfs import NtfsVolume
from vmrescue.plan import Plan
from vmrescue.registry import Hive, ValueType
from vmrescue.volume import Window, read_partition_table

if TYPE_CHECKING:
    from pathlib import Path

CLEAR, HIDE, BIDI, CSI = "\x1b[2J", "\x1b[8m", "\u202e", "\x9b31m"
EVIL = f"{CLEAR}{BIDI}{CSI}\u2028\u200b\"'><script>alert(1)</script>"
COMPUTER = r"ControlSet001\Control\ComputerName\ComputerName"
MEMORY = r"ControlSet001\Control\Session Manager\Memory Management"


def evil_image(folder: Path, computer: str = EVIL) -> Path:
    """The small disk, whose computer, page file, boot entry, volume, keys and files have evil names."""
    image = small_image(folder, "evil.raw")
    disk = open_disk(image, writable=True)
    partition = read_partition_table(disk).partitions[0]
    volume = NtfsVolume(Window(disk, START, partition.size))
    system = Hive(volume.read_file(SYSTEM))
    system.create_key(COMPUTER)
    system.set_value(COMPUTER, "ComputerName", ValueType.SZ, computer)
    system.set_value(MEMORY, "PagingFiles", ValueType.MULTI_SZ, [f"E:\\{EVIL} 0 0"])
    system.create_key(f"Select\\{CLEAR}{BIDI}key")
    system.set_value("Select", f"{CSI}value", ValueType.SZ, EVIL)
    volume.write_file(SYSTEM, system.to_bytes())
    volume.create_file(rf"Windows\Temp\{BIDI}{CSI}evil", b"x")
    store = Hive(volume.read_file(r"Boot\BCD"))
    for key in store.walk("Objects"):
        if key.name == "12000004":
            store.set_value(key.path, "Element", ValueType.SZ, EVIL)
    volume.write_file(r"Boot\BCD", store.to_bytes())
    disk.close()
    return image


def is_text(shown: str) -> bool:
    """Whether nothing in it is more than a letter or the end of a line."""
    return all(line.isprintable() for line in shown.split("\n"))


COMMANDS = [
    ["diagnose"],
    ["info"],
    ["plan"],
    ["repair", "--dry-run"],
    ["repair", "--yes"],
    ["cleanup", "--yes"],
    ["ls", ("Windows\\Temp",)],
    ["reg", ("query", r"HKLM\SYSTEM\Select", "/s")],
    [
        "reg",
        (
            "query",
            rf"HKLM\SYSTEM\{EVIL}",
        ),
    ],
    ["reg", ("add", rf"HKLM\SYSTEM\Select\{BIDI}", "/v", "a", "/t", "REG_SZ", "/d", EVIL, "/f")],
    ["bcdedit", ("/enum", "all", "/v")],
    ["bcdedit", ("/set", EVIL, "nx", "OptIn")],
    ["cat", (f"no{EVIL}",)],
    ["scan"],
]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(map(str, words))[:24].encode("ascii", "replace"))
@pytest.mark.parametrize("form", ["text", "json"])
def test_no_command_prints_what_a_terminal_would_act_on(words: list[str], form: str, tmp_path: Path) -> None:
    image = evil_image(tmp_path)
    command, *options = words
    after = options.pop() if options and isinstance(options[-1], tuple) else ()
    formats = [] if form == "text" or command in ("plan", "cat") else ["--format", form]

    done = vmrescue(command, *options, *formats, image, *after)

    assert done.out or done.err
    assert is_text(done.out), ascii(done.out)
    assert is_text(done.err), ascii(done.err)
    if command == "diagnose" and form == "text":
        assert "\\x1b[2J" in done.out, "it is shown, as text"


def test_a_plan_says_in_escapes_what_would_hide_in_it_and_is_read_back_the_same(tmp_path: Path) -> None:
    image = evil_image(tmp_path)

    text = vmrescue("plan", image, "--temp-drive", "D:").out

    assert "\\u202e" in text
    assert is_text(text)
    assert Plan.from_json(text).to_json() == text


def test_a_page_shows_what_an_image_says_as_text_and_runs_nothing_of_it(tmp_path: Path) -> None:
    image = evil_image(tmp_path)

    page = vmrescue("diagnose", image, "--format", "html").out
    vmrescue("scan", image, "-o", tmp_path / "scan.html")

    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
    assert is_text(page)
    scan = (tmp_path / "scan.html").read_text(encoding="utf-8")
    assert "<script>alert" not in scan
    assert is_text(scan)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n=", "'="])
def test_no_cell_of_a_table_is_a_formula(start: str, tmp_path: Path) -> None:
    image = evil_image(tmp_path, f"{start}cmd|' /C calc'!A0{EVIL}")

    vmrescue("scan", image, "-o", tmp_path / "table.csv")

    text = (tmp_path / "table.csv").read_text(encoding="utf-8")
    (row,) = csv.DictReader(text.splitlines())
    assert "cmd|" in row["computer_name"]
    for cell in row.values():
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r")), cell
    assert is_text(text)


@pytest.mark.parametrize(
    "name",
    ["..", ".", "../../etc/cron.d/x", "/etc/passwd", "a/b", "\\\\server\\x", "C:\\x", "a\0b", "", "  ", CLEAR, BIDI],
)
def test_a_name_out_of_an_image_is_one_harmless_name_of_this_machine(name: str) -> None:
    local = harmless(name)

    assert re.fullmatch(r"[^/\\\0]+", local)
    assert local.strip(". ")
    assert is_text(local)


def test_get_replaces_a_link_in_its_place_and_does_not_follow_it(tmp_path: Path) -> None:
    image, folder, victim = small_image(tmp_path), tmp_path / "out", tmp_path / "victim"
    folder.mkdir()
    victim.write_text("precious")
    (folder / "SYSTEM").symlink_to(victim)

    refused = vmrescue("get", image, SYSTEM, folder)
    forced = vmrescue("get", image, SYSTEM, folder, "--force")

    assert (refused.status, forced.status) == (4, 0)
    assert victim.read_text() == "precious"
    assert (folder / "SYSTEM").read_bytes().startswith(b"regf")
    assert sorted(path.name for path in folder.iterdir()) == ["SYSTEM"]


def test_backup_refuses_a_folder_in_which_a_link_leads_elsewhere(tmp_path: Path) -> None:
    image, folder, elsewhere = small_image(tmp_path), tmp_path / "out", tmp_path / "elsewhere"
    before = fingerprint(image)
    folder.mkdir()
    elsewhere.mkdir()
    (folder / "partition1").symlink_to(elsewhere)

    done = vmrescue("backup", image, folder)

    assert done.status == 4
    assert "a link out of the backup's folder" in done.err
    assert not [path for path in elsewhere.rglob("*") if path.is_file()]
    assert fingerprint(image) == before


def test_a_repairs_backup_lies_in_the_folder_that_was_named(tmp_path: Path) -> None:
    image, folder = evil_image(tmp_path), tmp_path / "backups"

    assert vmrescue("repair", "--yes", "--backup-dir", folder, image).status in (0, 1)

    manifest = json.loads(next(folder.glob("*/manifest.json")).read_text())
    copies = [next(folder.glob("*")) / row["copy"] for row in manifest["files"]]
    assert copies
    assert all(copy.resolve().is_relative_to(folder.resolve()) for copy in copies)


def test_a_terminal_that_lacks_the_letters_of_a_name_shows_them_as_escapes(tmp_path: Path) -> None:
    image = evil_image(tmp_path, "名前")
    words = [sys.executable, "-m", "vmrescue", "info", str(image)]

    done = subprocess.run(words, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "iso8859-1"}, timeout=120)

    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"\u540d\u524d" in done.stdout


def names_and_victims(folder: Path, *links: str) -> tuple[Path, Path]:
    """An output folder in which somebody has put links to a file that is none of theirs."""
    out, victim = folder / "out", folder / "victim"
    out.mkdir()
    victim.write_text("precious")
    for link in links:
        (out / link).symlink_to(victim)
    return out, victim


@pytest.mark.parametrize("words", [["reg", ("export", r"HKLM\SYSTEM\Select")], ["bcdedit", ("/export",)]])
def test_an_export_is_not_written_through_links_that_lie_in_wait(words: list[str], tmp_path: Path) -> None:
    image = small_image(tmp_path)
    command, arguments = words
    out, victim = names_and_victims(tmp_path, "x", ".x.unfinished")

    refused = vmrescue(command, image, *arguments, out / "x")
    done = vmrescue(command, image, *arguments, out / "x", "--yes")

    assert (refused.status, done.status) == (4, 0)
    assert victim.read_text() == "precious"
    assert not (out / "x").is_symlink()
    assert sorted(path.name for path in out.iterdir()) == [".x.unfinished", "x"]


@pytest.mark.parametrize("name", ["r.jsonl", "r.csv", "r.html.partial", "r.parquet.partial"])
@pytest.mark.parametrize("resume", [[], ["--resume"]])
def test_a_scan_refuses_a_link_where_its_results_would_grow(name: str, resume: list[str], tmp_path: Path) -> None:
    image = small_image(tmp_path)
    out, victim = names_and_victims(tmp_path, name)

    done = vmrescue("scan", image, "--output", out / name.removesuffix(".partial"), *resume)

    assert done.status == 4
    assert "a link, which is not followed" in done.err
    assert victim.read_text() == "precious"
    assert sorted(path.name for path in out.iterdir()) == [name]


@pytest.mark.parametrize("form", ["html", "parquet"])
def test_a_scan_replaces_a_link_in_the_place_of_its_output(form: str, tmp_path: Path) -> None:
    image = small_image(tmp_path)
    out, victim = names_and_victims(tmp_path, f"r.{form}", f"r.{form}.new")

    done = vmrescue("scan", image, "--output", out / f"r.{form}")

    assert done.status in (0, 1)
    assert victim.read_text() == "precious"
    assert (out / f"r.{form}").is_file()
    assert not (out / f"r.{form}").is_symlink()


def test_a_scan_does_not_wait_for_a_pipe_in_the_place_of_its_output(tmp_path: Path) -> None:
    image = small_image(tmp_path)
    os.mkfifo(tmp_path / "r.jsonl")

    done = vmrescue("scan", image, "--output", tmp_path / "r.jsonl")

    assert (done.status, done.err) == (4, f"vmrescue: {tmp_path / 'r.jsonl'} is not a regular file\n")
