"""Result files: readable at any moment, resumable, and what they say is what was found."""

from __future__ import annotations

import csv
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

import vmrescue as library
from support.command import INTERRUPTIBLE, output_of, vmrescue
from support.fleet_images import fleet
from support.images import sample
from support.machine import run
from vmrescue.disk import open_disk
from vmrescue.errors import ReadError, UsageError
from vmrescue.fleet.lines import CsvTable
from vmrescue.fleet.outputs import open_output
from vmrescue.fleet.rows import COLUMNS
from vmrescue.fleet.sources import images

FORMS = ("jsonl", "csv", "parquet", "html")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images a (broken), b (healthy), c (no disk) in a folder, d (healthy) in one below."""
    below = tmp_path / "images" / "below"
    below.mkdir(parents=True)
    sample("gen2-broken", tmp_path).rename(tmp_path / "images" / "a.vhd")
    sample("gen2-healthy", tmp_path).rename(tmp_path / "images" / "b.vhd")
    (tmp_path / "images" / "c.raw").write_text("nothing\n")
    (tmp_path / "images" / "notes.txt").write_text("no image by its name\n")
    (below / "d.vhd").hardlink_to(tmp_path / "images" / "b.vhd")
    return tmp_path / "images"


def images_in(output: Path) -> list[str]:
    """The names of the images whose results a file holds."""
    kept = open_output(output, resume=True)
    names = [image.rpartition("/")[2] for image in kept.images()]
    kept.close()
    return sorted(names)


def test_folders_globs_lists_and_files_are_expanded_once_each(folder: Path, tmp_path: Path) -> None:
    def names(*arguments: str, recursive: bool = False) -> list[str]:
        return sorted(image.rpartition("/")[2] for image in images(arguments, recursive))

    assert names(str(folder)) == ["a.vhd", "b.vhd", "c.raw"]
    assert names(str(folder), recursive=True) == ["a.vhd", "b.vhd", "c.raw", "d.vhd"]
    assert names(f"{folder}/**/*.vhd") == ["a.vhd", "b.vhd", "d.vhd"]
    assert names(str(folder / "notes.txt"), "missing.vhd", "https://host/x.vhd?sig=1")[-1] == "x.vhd?sig=1"
    assert names(str(folder), f"{folder}/a.vhd", f"{folder}/below/../b.vhd") == ["a.vhd", "b.vhd", "c.raw"]
    (tmp_path / "list.txt").write_text(f"# two\n{folder}/a.vhd\n\n  {folder}/below\n")
    assert names(f"@{tmp_path}/list.txt") == ["a.vhd", "d.vhd"]
    for wrong in (f"{folder}/*.iso", str(tmp_path / "empty")):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(UsageError):
            names(wrong)


def test_in_a_folder_what_has_an_images_signature_counts_whatever_its_name(folder: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    shutil.copy(folder / "a.vhd", kept / "no suffix")
    shutil.copy(folder / "a.vhd", kept / "two\nlines.vhd")
    shutil.copy(folder / "a.vhd", kept / "copy.vhd.unfinished")  # which is not to be looked at, or repaired
    run("qemu-img", "create", "-q", "-f", "qcow2", kept / "disk.snapshot", "1M")
    for name in ("e.E01", "e.E02", "s.001", "s.002", "notes.txt", "program.exe"):
        (kept / name).write_bytes(b"EVF\t\r\n\xff\0" if name.startswith("e.") else b"anything")

    found = sorted(image.rpartition("/")[2] for image in images([str(kept)]))

    assert found == ["disk.snapshot", "e.E01", "no suffix", "s.001", "two\nlines.vhd"]


def test_a_link_in_a_folder_is_given_by_the_name_of_its_file(tmp_path: Path) -> None:
    below = tmp_path / "images" / "below"
    below.mkdir(parents=True)
    for path in (below / "disk.vhd", below / "no suffix", tmp_path / "elsewhere.vhd"):
        path.write_bytes(b"anything")
    links = {
        "a.vhd": "below/disk.vhd",
        "b.vhd": "below/no suffix",
        "c.vhd": "../elsewhere.vhd",
        "d.vhd": "d.vhd",
        "e.vhd": "gone.vhd",
    }
    for name, target in links.items():
        (tmp_path / "images" / name).symlink_to(target)

    found = [str(Path(image).relative_to(tmp_path / "images")) for image in images([str(tmp_path / "images")], True)]
    alone = [Path(image).name for image in images([str(tmp_path / "images")])]

    assert found == ["b.vhd", "c.vhd", "d.vhd", "e.vhd", "below/disk.vhd"]
    assert alone == ["a.vhd", "b.vhd", "c.vhd", "d.vhd", "e.vhd"]


def test_what_means_nothing_is_said_before_the_first_image_is_examined(folder: Path) -> None:
    for wrong in (f"{folder}/*.iso", "@missing.txt"):
        with pytest.raises((UsageError, ReadError)):
            next(images([str(folder / "a.vhd"), wrong]))


def test_a_folder_below_that_cannot_be_listed_is_a_result_and_the_others_are_examined() -> None:
    user = os.geteuid()
    with TemporaryDirectory() as name:
        top = Path(name)
        top.chmod(0o755)
        for below in ("a", "b", "c"):
            (top / below).mkdir()
            (top / below / "disk.vhd").touch()
        (top / "b").chmod(0)
        receipts = top / "a" / "disk.vhd.vmrescue" / "20261126T000000Z"
        receipts.mkdir(parents=True)
        (receipts / "old.vhd").touch()
        try:
            os.seteuid(user or 65534)  # root may list anything
            found = list(images([name], recursive=True))
            with pytest.raises(ReadError, match=r"the folder .*/b cannot be listed: Permission denied"):
                open_disk(top / "b")
        finally:
            os.seteuid(user)

        assert found == [f"{name}/a/disk.vhd", f"{name}/c/disk.vhd", f"{name}/b"]


def test_a_scan_prints_a_line_an_image_and_a_sum(folder: Path) -> None:
    done = vmrescue("scan", folder)
    assert done.returncode == 3  # c.raw could not be read
    *lines, last = done.stdout.splitlines()
    assert [line.partition(": ")[0].rpartition("/")[2] for line in lines] == ["a.vhd", "b.vhd", "c.raw"]
    assert "bad-memory" in lines[0]
    assert last == "3 images: 1 healthy, 1 with findings, 1 could not be read."
    assert vmrescue("scan", folder / "a.vhd", "--quiet").returncode == 1
    assert output_of("scan", folder / "b.vhd", folder / "below", "--quiet") == ""
    documents = [json.loads(line) for line in output_of("scan", folder, "--format", "json", status=3).splitlines()]
    assert {"schema", "image", "status", "seconds", "bytes_read", "error", "diagnosis"} <= set(documents[0])


def test_on_a_terminal_a_bar_shows_how_far_it_is_and_how_fast(folder: Path, tmp_path: Path) -> None:
    images = [folder / "a.vhd", *(tmp_path / f"{number}.vhd" for number in range(60))]
    for image in images[1:]:  # enough that it takes longer than a moment, before which nothing is drawn
        image.hardlink_to(images[0])
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    command = [sys.executable, "-m", "vmrescue", "scan", *map(str, images)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # EIO: the other end is closed
        while piece := os.read(ours, 4096):
            shown += piece
    os.close(ours)
    printed = process.communicate(timeout=60)[0].decode()
    assert process.returncode == 1
    assert b" of 61 images" in shown
    assert b"images/s" in shown
    assert b"\x1b[2K" in shown  # and it goes away again
    assert len(printed.splitlines()) == 61 + 1
    assert "images/s" not in printed


@pytest.mark.parametrize("form", FORMS)
def test_each_form_holds_every_result_and_resumes_where_it_ended(form: str, folder: Path, tmp_path: Path) -> None:
    output = tmp_path / f"results.{form}"
    text = output_of("scan", folder, "--output", output, status=3)
    assert f"results in {output}" in text
    assert images_in(output) == ["a.vhd", "b.vhd", "c.raw"]
    other_spelling = os.path.relpath(folder)
    done = vmrescue("scan", other_spelling, "--recursive", "--output", output, "--resume", "--sha256")
    assert "note: 3 results of an earlier run have no SHA-256, and no image is looked at twice\n" in done.stderr
    text = done.stdout
    assert text.startswith("1 image: 1 healthy, 0 with findings, 0 could not be read; 3 were done before")
    assert images_in(output) == ["a.vhd", "b.vhd", "c.raw", "d.vhd"]
    assert [path.name for path in tmp_path.glob("results*")] == [output.name]


@pytest.mark.parametrize("form", ["csv", "parquet"])  # one that grows by lines, one that is written at the end
def test_ctrl_c_leaves_an_output_that_reads_and_resumes(form: str, tmp_path: Path) -> None:
    fleet(tmp_path, 40, sound=8)
    output = tmp_path / f"results.{form}"
    growing = output if form in ("jsonl", "csv") else tmp_path / f"results.{form}.partial"
    arguments = ["scan", str(tmp_path / "vm-*.vhd"), "--output", str(output), "--jobs", "2"]
    command = [*INTERRUPTIBLE, sys.executable, "-m", "vmrescue", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not growing.exists() or growing.read_bytes().count(b"\n") < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    text = process.communicate(timeout=60)[0]
    if "interrupted" in text:  # it may have come to its end first
        assert process.returncode == 130
        assert 2 <= len(images_in(output)) < 32
    vmrescue(*arguments, "--resume")
    assert len(images_in(output)) == 32  # eight of the forty are missing, and match no glob


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_a_killed_scan_loses_at_most_the_line_it_was_writing(form: str, folder: Path, tmp_path: Path) -> None:
    output = tmp_path / f"results.{form}"
    kept = open_output(output, resume=False)
    for result in library.scan([folder / "a.vhd", folder / "b.vhd"]):
        kept.add(result.to_dict())
    getattr(kept, "_lines", kept).close()  # but not finished
    growing = output if form != "parquet" else tmp_path / "results.parquet.partial"
    os.truncate(growing, growing.stat().st_size - 5)  # what a power failure may leave
    assert images_in(output) == ["a.vhd"]
    output_of("scan", folder, "--output", output, "--resume", status=3)
    assert images_in(output) == ["a.vhd", "b.vhd", "c.raw"]


def test_parquet_has_the_documented_columns_and_is_queried_with_duckdb(folder: Path, tmp_path: Path) -> None:
    import duckdb

    output = tmp_path / "results.parquet"
    output_of("scan", folder, "--output", output, status=3)

    def query(text: str) -> list[tuple[Any, ...]]:
        relation = duckdb.sql(text.replace("RESULTS", f"'{output}'"))
        assert relation is not None
        return relation.fetchall()

    columns = [name for name, *_ in query("DESCRIBE SELECT * FROM RESULTS")]
    assert columns == [*COLUMNS, "findings", "volumes", "document"]
    assert query("SELECT status, count(*) FROM RESULTS GROUP BY ALL ORDER BY ALL") == [
        ("error", 1),
        ("findings", 1),
        ("healthy", 1),
    ]
    diagnosis = library.diagnose(folder / "a.vhd")
    found = query("SELECT f.check, f.severity FROM (SELECT unnest(findings) AS f FROM RESULTS) ORDER BY ALL")
    assert found == sorted((finding.check, finding.severity) for finding in diagnosis.findings)
    (advised,) = query("SELECT f.commands FROM (SELECT unnest(findings) f FROM RESULTS) WHERE f.check = 'free-space'")
    assert f"vmrescue cleanup {folder / 'a.vhd'}" in advised[0]
    (frames,) = query(
        "SELECT f.evidence->'$.page_frames' FROM (SELECT unnest(findings) f FROM RESULTS) WHERE f.check = 'bad-memory'"
    )
    evidence = next(finding.evidence for finding in diagnosis.findings if finding.check == "bad-memory")
    assert json.loads(frames[0]) == evidence["page_frames"]
    (document,) = query("SELECT document FROM RESULTS WHERE status = 'findings'")
    assert json.loads(document[0])["diagnosis"] == diagnosis.to_dict()
    assert query("SELECT min(os_free) FROM RESULTS") == [
        (min(v.free or 0 for v in diagnosis.volumes if v.letter == "C:"),)
    ]


def test_the_documentation_lists_every_column() -> None:
    from pathlib import Path

    text = (Path(__file__).parents[2] / "docs" / "results.md").read_text().partition("## The schemas")[0]
    listed = [line.split("`")[1] for line in text.splitlines() if line.startswith("| `")]
    assert listed == [*COLUMNS, "findings", "volumes", "document"]


def test_what_an_image_says_does_not_become_a_formula_in_a_spreadsheet(tmp_path: Path) -> None:
    document: dict[str, Any] = {"image": "=cmd.vhd", "status": "error", "seconds": 0.1, "bytes_read": 0}
    document |= {"error": {"message": '=HYPERLINK("x")\nsecond'}, "diagnosis": None}
    table = CsvTable(tmp_path / "results.csv", resume=False)
    table.add(document)
    assert list(table.images()) == ["=cmd.vhd"]
    table.close()
    with (tmp_path / "results.csv").open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert (row["image"], row["error"]) == ("'=cmd.vhd", '\'=HYPERLINK("x") second')


@pytest.mark.parametrize("form", FORMS)
def test_a_scan_of_no_image_has_an_output_of_no_result(form: str, tmp_path: Path) -> None:
    (tmp_path / "none.txt").write_text("# nothing today\n")
    output = tmp_path / f"results.{form}"

    for resume in ([], ["--resume"]):
        text = output_of("scan", f"@{tmp_path / 'none.txt'}", "--output", output, *resume)

        assert text.startswith("0 images: 0 healthy, 0 with findings, 0 could not be read")
        assert images_in(output) == []


def test_an_output_of_another_kind_is_not_resumed(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    (tmp_path / "other.jsonl").write_text('{"a": 1}\n')
    (tmp_path / "other.parquet").write_bytes(b"PAR1 not")
    (tmp_path / "other.html").write_text("<html></html>\n")
    for form in FORMS:
        before = (tmp_path / f"other.{form}").read_bytes()
        refused = 4 if form in ("csv", "html") else 3  # seen at its beginning, or where it is read
        assert vmrescue("scan", "x.vhd", "--output", tmp_path / f"other.{form}", "--resume").returncode == refused
        assert (tmp_path / f"other.{form}").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == len(FORMS)
    with pytest.raises(UsageError, match=r"\.xls"):
        open_output(tmp_path / "results.xls", resume=False)
    assert vmrescue("scan", "x.vhd", "--resume").returncode == 2


@pytest.mark.parametrize("form", FORMS)
def test_each_image_keeps_its_own_name_whatever_bytes_it_has(form: str, tmp_path: Path) -> None:
    names = [
        b"two\nlines",
        b"two lines",
        b"n\xff",
        b"n\xfe",
        rb"n\xff",
        b"back\\nslash",
        b"=1",
        b"'=1",
        b"cr\rcr",
        "é".encode(),
    ]
    images = [os.fsdecode(bytes(tmp_path) + b"/" + name) for name in names]
    for image in images:
        Path(image).write_bytes(b"nothing")
    output = tmp_path / f"results.{form}"
    for _ in range(2):
        vmrescue("scan", *images, "--output", output, "--resume", "--quiet")
        with closing(open_output(output, resume=True)) as held:
            assert sorted(held.images()) == sorted(images)
