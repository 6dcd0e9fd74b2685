"""An output that a scan is to resume may have been made by anybody: it is one of results, or it is left alone."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from commands.here import vmrescue
from hostile.disks import small_image
from vmrescue.diagnosis import diagnose
from vmrescue.fleet.lines import JsonLines
from vmrescue.fleet.outputs import open_output
from vmrescue.fleet.result import ScanResult
from vmrescue.fleet.rows import COLUMNS, row_of
from vmrescue.fleet.stored import DOCUMENT, LONGEST, ROW, checked, parsed

if TYPE_CHECKING:
    from pathlib import Path

HEADER = ",".join(COLUMNS)
PAGE = '<script type="application/x-ndjson" id="rows">'
ERROR = {"kind": "ReadError", "message": "gone"}
GONE: dict[str, Any] = {"image": "x", "status": "error", "seconds": 0.1, "bytes_read": 0, "error": ERROR}
GONE |= {"diagnosis": None}
WRONG: list[dict[str, Any]] = [
    {"image": ["x"]},
    {"status": "splendid"},
    {"seconds": "1"},
    {"bytes_read": "a"},
    {"bytes_read": -1},
    {"bytes_read": 1 << 70},
    {"bytes_read": True},
    {"error": {"kind": "ReadError"}},
    {"error": "gone"},
    {"diagnosis": []},
    {"diagnosis": {}},
]
DEEP = "[" * 100_000
TOO_DEEP = json.dumps(GONE)[:-1] + ', "more": ' + "[" * 200 + "]" * 200 + "}"
LINES = [DEEP, TOO_DEEP, "[]", "null", "1", "", "not json", '{"image": "x"}', '{"n": ' + "9" * 5000 + "}"]
LINES += [json.dumps(GONE)[:-1] + ', "image": "y"}', json.dumps(GONE | {"seconds": float("nan")})]
LINES += [json.dumps(GONE | wrong) for wrong in WRONG]
ROWS = ["x,healthy", '"x', "x" * 200_000, "x,splendid" + "," * 19, "x,error,,0.1,a" + "," * 16]


def parquet(path: Path, value: object) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"document": [value]}), path)


NO_OUTPUT = "output of a scan: it is left as it is"  # by its first bytes: nothing more is read


def refused(output: Path) -> str:
    """What the command says to an output that it does not resume, and does not touch."""
    before = {path: path.read_bytes() for path in output.parent.iterdir()}

    done = vmrescue("scan", "x.vhd", "--output", output, "--resume")

    assert done.status == (4 if NO_OUTPUT in done.err else 3)
    assert {path: path.read_bytes() for path in output.parent.iterdir()} == before
    return done.err


@pytest.mark.parametrize("line", LINES, ids=range(len(LINES)))
def test_an_output_with_something_else_than_results_is_not_resumed(line: str, tmp_path: Path) -> None:
    for name, text, number in (
        ("r.jsonl", f"{line}\n", 1),
        ("r.html", f"{PAGE}\n{line}\n</script>\n", 2),
        ("s.html.partial", f"{line}\n", 1),
        ("r.parquet.partial", f"{line}\n", 1),
    ):
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_text(text)
        said = refused(folder / name.removesuffix(".partial"))
        assert NO_OUTPUT in said or f"{name}, line {number}: expected" in said
    (tmp_path / "parquet").mkdir()
    parquet(tmp_path / "parquet" / "r.parquet", line)
    assert "r.parquet, row 1: expected" in refused(tmp_path / "parquet" / "r.parquet")


@pytest.mark.parametrize("line", ROWS, ids=range(len(ROWS)))
def test_a_table_with_something_else_than_results_is_not_resumed(line: str, tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text(f"{HEADER}\n{line}\n")

    assert "r.csv, line 2: expected" in refused(tmp_path / "r.csv")


def test_documents_that_are_no_texts_are_not_resumed(tmp_path: Path) -> None:
    parquet(tmp_path / "r.parquet", 1)

    assert "expected a result of a scan" in refused(tmp_path / "r.parquet")


@pytest.mark.parametrize("end", [b"", b"\n"])
@pytest.mark.parametrize(
    ("name", "start"),
    [("r.jsonl", b"{"), ("r.csv", b"image,"), ("r.html", b"<!doctype html>"), ("r.html.partial", b"{")],
)
def test_a_line_of_terabytes_is_refused_at_once(name: str, start: bytes, end: bytes, tmp_path: Path) -> None:
    output = tmp_path / name
    output.write_bytes(start)
    os.truncate(output, 4 << 40)
    with output.open("ab") as stream:
        stream.write(end)

    done = vmrescue("scan", "x.vhd", "--output", tmp_path / name.removesuffix(".partial"), "--resume")

    assert done.status == 3
    assert "expected a line of at most" in done.err
    assert output.stat().st_size == (4 << 40) + len(end)


def test_every_result_of_ours_is_one(gen1_broken: Path, gen2_healthy: Path, tmp_path: Path) -> None:
    small, none = small_image(tmp_path), tmp_path / "no.vhd"

    lines = vmrescue("scan", gen1_broken, gen2_healthy, small, none, "--format", "json").out.splitlines()

    assert len(lines) == 4
    for line in lines:
        document = parsed(line, DOCUMENT, "a line")
        assert checked(row_of(document), ROW, "a row") == row_of(document)


@pytest.mark.parametrize("form", ["jsonl", "html", "parquet"])
def test_an_image_whose_name_is_not_utf_8_is_kept_and_found_again(form: str, tmp_path: Path) -> None:
    name = os.fsdecode(bytes(tmp_path / "a") + b"\xff.raw")
    small_image(tmp_path).rename(name)

    first = vmrescue("scan", name, "--output", tmp_path / f"r.{form}")
    again = vmrescue("scan", name, "--output", tmp_path / f"r.{form}", "--resume")

    assert first.out.startswith("1 image: ")
    assert again.out.startswith("0 images: ")
    assert "1 was done before" in again.out
    kept = open_output(tmp_path / f"r.{form}", resume=True)
    assert list(kept.images()) == [name]
    kept.close()


def test_a_scan_reads_back_what_it_wrote_of_the_worst_image(tmp_path: Path) -> None:
    image = small_image(tmp_path)
    document = ScanResult(str(image), diagnose(image), None, 0.1, 1).to_dict()
    worst = next(finding for finding in document["diagnosis"]["findings"] if finding["changes"])
    worst["changes"][0]["before"] = "x" * LONGEST
    output = JsonLines(tmp_path / "results.jsonl", resume=False)
    output.add(document)
    output.add(GONE)
    output.close()

    again = JsonLines(tmp_path / "results.jsonl", resume=True)
    first, second = again.documents()
    again.close()

    assert (first["image"], second["image"]) == (str(image), "x")
    kept = [finding["check"] for finding in first["diagnosis"]["findings"]]
    assert kept == [finding["check"] for finding in document["diagnosis"]["findings"]]
    assert any("too long" in str(finding["evidence"]) for finding in first["diagnosis"]["findings"])
