"""Runs of repairs: every image has its result, one bad image ends nothing, and a whole run is taken back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import pytest

import vmrescue
from fleet.workers import die_at, die_in_commit
from support.command import INTERRUPTIBLE, output_of
from support.command import vmrescue as command
from support.images import fingerprint, sample
from support.machine import run
from vmrescue.disk import EditSession, create_differencing
from vmrescue.errors import FormatError
from vmrescue.fleet import ImageError, undo_run
from vmrescue.fleet.outputs import open_output, read_results
from vmrescue.fleet.repaired import RepairResult
from vmrescue.fleet.run_results import RUN
from vmrescue.fleet.run_rows import COLUMNS
from vmrescue.fleet.scanned import SCAN
from vmrescue.transaction import history

if TYPE_CHECKING:
    from pathlib import Path

CHECKS = ("--only", "bad-memory,serial-console")
STATUSES = {
    "b0.vhd": "repaired", "b1.vhd": "repaired", "b2.vhd": "repaired", "gen1.vhd": "repaired", "child.vhd": "repaired",
    "healthy.vhd": "unchanged", "b9-link.vhd": "same", "parent.vhd": "refused", "locked.vhd": "refused",
    "read-only.vmdk": "refused", "text.vhd": "error", "cut.vhd": "error",
}  # fmt: skip


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dozen images, of which some can be repaired."""
    folder = tmp_path_factory.mktemp("fleet") / "images"
    (folder / "below").mkdir(parents=True)
    broken = sample("gen2-broken", folder).rename(folder / "b0.vhd")
    for name in ("b1.vhd", "b2.vhd", "locked.vhd", "parent.vhd"):
        _copied(broken, folder / name)
    (folder / "b2.vhd").rename(folder / "below" / "b2.vhd")
    sample("gen1-broken", folder).rename(folder / "gen1.vhd")
    sample("gen2-healthy", folder).rename(folder / "healthy.vhd")
    run("qemu-img", "convert", "-O", "vmdk", "-o", "subformat=streamOptimized", broken, folder / "read-only.vmdk")
    (folder / "text.vhd").write_bytes(b"x" * 1024)
    (folder / "cut.vhd").write_bytes(broken.read_bytes()[:100_000])
    return folder


def _copied(image: Path, out: Path) -> None:
    run("cp", "--sparse=always", "--preserve=timestamps", image, out)


@pytest.fixture
def images(kept: Path, quick_folder: Path) -> Path:
    """The same in a folder of this test: with a second name of one, and a child of another."""
    folder = quick_folder / "images"
    run("cp", "-r", "--sparse=always", "--preserve=timestamps", kept, folder)
    (folder / "b9-link.vhd").unlink(missing_ok=True)
    (folder / "b9-link.vhd").hardlink_to(folder / "b1.vhd")
    (folder / "z-link.vhd").symlink_to(folder / "b1.vhd")
    create_differencing(folder / "parent.vhd", folder / "child.vhd")
    return folder


def prints(folder: Path) -> dict[str, str]:
    return {path.name: fingerprint(path) for path in folder.rglob("*") if path.suffix in (".vhd", ".vmdk")}


def told(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    """All but when it was, and where."""
    gone = {"seconds": 0, "run": "", "id": "", "folder": "", "bytes_written": 0}
    text: dict[str, Any] = json.loads(json.dumps(document | gone).replace(str(folder), "FOLDER"))
    return text


def statuses(documents: list[dict[str, Any]]) -> dict[str, str]:
    return {document["image"].rpartition("/")[2]: document["status"] for document in documents}


def test_a_run_repairs_what_it_can_the_same_with_two_processes_and_is_taken_back(
    images: Path, kept: Path, quick_folder: Path
) -> None:
    before = prints(images)
    receipts = quick_folder / "receipts.jsonl"
    with EditSession(images / "locked.vhd"):  # by somebody else, for as long as the run takes
        words = ["repair", images, "--recursive", *CHECKS, "--output", receipts, "--jobs", "2"]
        shown = command(*words, "--yes")
        there = [json.loads(line) for line in receipts.read_text().splitlines()]
        assert shown.returncode == max(document["exit_status"] for document in there) == 4
        assert statuses(there) == STATUSES
        assert f"vmrescue undo --run {receipts}" in shown.stdout
        again = output_of(*words, "--yes", "--resume", status=0)
        assert again.startswith(f"0 images: nothing to do; {len(STATUSES)} were done before")
    by_name = {document["image"].rpartition("/")[2]: document for document in there}
    assert [each["check"] for each in by_name["b0.vhd"]["made"]] == ["bad-memory", *["serial-console"] * 3]
    assert "is locked by" in by_name["locked.vhd"]["error"]["message"]
    assert "lies below" in by_name["parent.vhd"]["error"]["message"]
    assert "another name of" in by_name["b9-link.vhd"]["notes"][0]
    for name in ("b0.vhd", "gen1.vhd", "child.vhd"):
        assert vmrescue.diagnose(images / name, only=["bad-memory", "serial-console"]).findings == []
        [past] = history(images / name)
        assert (past.number, past.state) == (by_name[name]["journal"], "done")
        assert any(each["commands"] for each in by_name[name]["left"])

    back = list(undo_run(receipts))

    assert Counter(each.status for each in back) == {"undone": 5}
    assert prints(images) == before
    assert "5 undone before" in output_of("undo", "--run", receipts)

    names = sorted(str(path) for path in images.rglob("*") if path.suffix in (".vhd", ".vmdk"))
    alone = [each.to_dict() for each in vmrescue.repair_images(names, only=["bad-memory", "serial-console"])]
    assert statuses(alone) == STATUSES | {"z-link.vhd": "same", "locked.vhd": "repaired"}
    for here in alone:
        if here["status"] == "repaired" and "locked" not in here["image"]:
            then = by_name[here["image"].rpartition("/")[2]]
            assert told(here, images) == told(then, images) | {"journal": 2}


def test_a_dry_run_comes_first_and_what_was_agreed_to_is_made(images: Path, quick_folder: Path) -> None:
    before = prints(images)
    words = ["rescue", images / "b0.vhd", images / "healthy.vhd", images / "text.vhd", "--only", "memory"]
    refused = command(*words)
    assert (refused.returncode, "nobody to ask" in refused.stderr) == (4, True), refused.stderr
    assert "b0.vhd: due: 1 change (bad-memory)" in refused.stdout
    dry = [json.loads(line) for line in output_of(*words, "--dry-run", "--format", "json", status=3).splitlines()]
    assert {document["dry_run"] for document in dry} == {True}
    assert prints(images) == before
    for form in ("html",):
        receipts = quick_folder / f"receipts.{form}"
        done = command(*words, "--output", receipts, stdin="y\n")
        assert "Write 1 change to 1 image" in done.stderr, done.stderr
        rows = list(read_results(receipts, RUN))
        assert statuses(rows) == {"b0.vhd": "repaired", "healthy.vhd": "unchanged", "text.vhd": "error"}
        assert command(*words, "--output", receipts, "--resume", "--dry-run").returncode == 2
        assert "b0.vhd: undone" in output_of("undo", "--run", receipts)
        assert prints(images) == before
    changed = vmrescue.repair_images([images / "b0.vhd"], only=["bad-memory"], dry_run=True)
    [due] = changed
    assert (due.status, due.journal) == ("due", None)
    plan = quick_folder / "plan.json"
    plan.write_text(vmrescue.diagnose(images / "b0.vhd", only=["bad-memory"]).plan().to_json())
    output_of("apply", plan, images / "b0.vhd", images / "b1.vhd", "--yes", "--quiet", status=1)
    [other] = vmrescue.repair_images([images / "gen1.vhd"], plan=vmrescue.Plan.from_json(plan.read_text()))
    assert other.status == "refused"
    assert "the plan is for" in str(other.error)


def test_a_repair_that_was_repaired_again_is_not_taken_back_with_its_run(images: Path, quick_folder: Path) -> None:
    receipts = quick_folder / "receipts.jsonl"
    command("repair", images / "b0.vhd", images / "b1.vhd", *CHECKS, "--yes", "--output", receipts)
    vmrescue.repair(images / "b0.vhd", only=["crash-dump"])
    done = command("undo", "--run", receipts)
    assert done.returncode == 4
    assert "b0.vhd was repaired again since (repair 2)" in done.stdout
    assert "b1.vhd: undone" in done.stdout


@pytest.mark.parametrize("at", ["opening", "commit", "after the commit"])
def test_an_image_whose_worker_dies_is_rolled_back_and_repaired_by_the_next(at: str, images: Path) -> None:
    names = ["b0.vhd", "b1.vhd", "gen1.vhd"]
    before = fingerprint(images / "b1.vhd")
    mark = str(images.parent / "mark")
    death = (die_at, ("b1.vhd", mark)) if at == "opening" else (die_in_commit, ("b1.vhd", mark, at))
    with ProcessPoolExecutor(2, get_context("spawn"), *death) as executor:
        results = vmrescue.repair_images([images / name for name in names], executor, only=["bad-memory"])
        found = {each.image.rpartition("/")[2]: each for each in results}
    assert (images.parent / "mark").exists()
    assert {name: each.status for name, each in found.items()} == dict.fromkeys(names, "repaired")
    said = " ".join(found["b1.vhd"].notes)
    assert ("was interrupted: it was rolled back" in said) == (at == "commit")
    assert ("had repaired it before" in said) == (at == "after the commit")
    assert found["b1.vhd"].made == found["b0.vhd"].made
    assert vmrescue.diagnose(images / "b1.vhd", only=["bad-memory"]).healthy
    assert vmrescue.undo(images / "b1.vhd") == found["b1.vhd"].journal
    assert fingerprint(images / "b1.vhd") == before


def test_ctrl_c_finishes_what_is_under_way_and_the_rest_is_resumed(images: Path, quick_folder: Path) -> None:
    before = prints(images)
    receipts = quick_folder / "receipts.jsonl"
    words = ["repair", str(images), "--recursive", *CHECKS, "--yes", "--output", str(receipts)]
    process = subprocess.Popen(
        [*INTERRUPTIBLE, sys.executable, "-m", "vmrescue", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not receipts.exists() or receipts.read_bytes().count(b'"repaired"') < 1:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "interrupted: go on with --resume" in said
    changed = {path.name for path in images.rglob("*.vhd") if any(each.state == "done" for each in history(path))}
    held = {row["image"].rpartition("/")[2] for row in read_results(receipts, RUN) if row["status"] == "repaired"}
    assert changed - {"z-link.vhd"} == held
    assert len(held) < 5
    command(*words, "--resume")
    rows = list(read_results(receipts, RUN))
    assert {row["run"] for row in rows} == {rows[0]["run"]}
    assert len(rows) == len(STATUSES)
    list(undo_run(receipts))
    assert prints(images) == before


def test_an_image_that_may_not_be_written_is_refused(images: Path) -> None:
    user = os.geteuid()
    images.chmod(0o755)
    images.parent.chmod(0o755)
    (images / "b0.vhd").chmod(0o444)
    try:
        os.seteuid(user or 65534)  # root may write to anything
        [result] = vmrescue.repair_images([images / "b0.vhd"], only=["bad-memory"])
    finally:
        os.seteuid(user)
    assert (result.status, result.exit_status) == ("refused", 4)
    assert "is not written to: its mode, 0444, lets nobody write" in str(result.error)


def test_what_is_about_one_image_is_refused_for_many(images: Path) -> None:
    for words in (["--copy-to", images / "c.vhd"], ["--data-disk", images / "b1.vhd"], ["--backup-dir", images / "d"]):
        done = command("repair", images, *words, "--yes")
        assert (done.returncode, "each is repaired by itself" in done.stderr) == (2, True), done.stderr
    assert command("repair", images, "--output", images / "r.xls", "--yes").returncode == 2


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet", "html"])
def test_every_form_gives_back_by_what_a_run_is_taken_back(form: str, tmp_path: Path) -> None:
    left = {"check": "free-space", "severity": "critical", "summary": "full", "commands": ["vmrescue cleanup a b"]}
    error = ImageError("FormatError", "=damaged", "VHD footer", 512)
    results = [
        RepairResult("a; b.vhd", "run", "repaired", 1, made=({"check": "x", "title": "<y>"},), left=(left,), journal=3),
        RepairResult("c.vhd", "run", "error", 3, dry_run=True, error=error, notes=("odd",)),
    ]
    output = tmp_path / f"r.{form}"
    kept = open_output(output, resume=False, sources=["images/"], kind=RUN)
    for result in results:
        kept.add(result.to_dict())
    kept.close()
    wanted = [(each.image, each.run, each.journal, each.dry_run, each.status) for each in results]
    rows = list(read_results(output, RUN))
    assert [tuple(row[name] for name in ("image", "run", "journal", "dry_run", "status")) for row in rows] == wanted
    with pytest.raises(FormatError, match=r"result of a scan|rows of the report of a scan|table of a scan"):
        list(read_results(output, SCAN))


def test_the_documentation_lists_every_column() -> None:
    from pathlib import Path

    text = (Path(__file__).parents[2] / "docs" / "fleet.md").read_text()
    listed = [line.split("`")[1] for line in text.splitlines() if line.startswith("| `")]
    assert listed == [*COLUMNS, *RUN.nested, "document"]
