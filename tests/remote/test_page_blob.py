"""Page blobs repaired where they lie, on Azure's emulator: what the service holds afterwards decides."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
from itertools import count
from typing import TYPE_CHECKING

import fsspec
import pytest
from azure.storage.blob import BlobLeaseClient

import vmrescue
from support.azurite import azurite
from support.campaign import whole
from support.clock import stop_the_clock
from support.command import output_of
from support.command import vmrescue as command
from support.frail_line import frail_line
from support.images import sample, sha256
from support.machine import run
from vmrescue.disk import EditSession, journal_folder, open_disk, pending
from vmrescue.errors import ReadError, RefusedError, RepairFailedError, VmRescueError
from vmrescue.image.transports.azure import MARK
from vmrescue.transaction import take_back

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.azurite import Azurite
    from support.frail_line import FrailLine

MIB = 1 << 20
PAUSES = "vmrescue.image.transports.attempts.PAUSES"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with azurite(tmp_path_factory.mktemp("azurite")) as running:
        yield running


@pytest.fixture
def account(service: Azurite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's credentials, and a place for state files, for this test."""
    fsspec.get_filesystem_class("az").clear_instance_cache()  # of a test with another service
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", service.connection_string)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def line(service: Azurite, account: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[FrailLine]:
    """The way to the service for this test: one that can fail."""
    with frail_line(service.port) as made:
        through = dataclasses.replace(service, port=made.port)
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", through.connection_string)
        yield made


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A broken sample under a name of its own, so that each test has a blob of its own."""
    return sample("gen2-broken", tmp_path).rename(tmp_path / f"{tmp_path.name}.vhd")


@pytest.fixture
def url(service: Azurite, image: Path, account: None) -> str:
    """The sample as a page blob."""
    return service.upload(image)


def blob_sha256(service: Azurite, image: Path) -> str:
    """Of what the service holds, downloaded with the SDK."""
    return hashlib.sha256(content(service, image)).hexdigest()


def content(service: Azurite, image: Path) -> bytes:
    """What the service holds, of which only those MiB are downloaded in which anything was written."""
    blob = service.blob(image.name)
    found = bytearray(blob.get_blob_properties().size)
    written = [(each.start // MIB, each.end // MIB + 1) for each in blob.list_page_ranges()]
    for number in sorted({number for first, end in written for number in range(first, end)}):
        data = blob.download_blob(number * MIB, min(MIB, len(found) - number * MIB)).readall()
        found[number * MIB : number * MIB + len(data)] = data
    return bytes(found)


def is_left_alone(service: Azurite, image: Path) -> bool:
    """Whether nothing of a repair is left on the blob: neither a lease nor a mark."""
    properties = service.blob(image.name).get_blob_properties()
    return properties.lease.state == "available" and not properties.metadata


def test_a_blob_is_repaired_to_the_bytes_of_a_file_and_undone(
    service: Azurite, image: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_the_clock(monkeypatch)
    before = sha256(image)
    receipt = vmrescue.repair(url)
    vmrescue.repair(image)
    assert receipt.committed
    assert receipt.written.keys() == {url}
    assert blob_sha256(service, image) == sha256(image) != before
    assert is_left_alone(service, image)
    assert receipt.folder is not None
    assert receipt.folder.parent == journal_folder(url)
    downloaded = image.with_name("downloaded.vhd")
    downloaded.write_bytes(service.blob(image.name).download_blob().readall())
    run("qemu-img", "info", "-f", "vpc", downloaded)
    run("vhdiinfo", downloaded)

    (past,) = json.loads(output_of("undo", "--list", url, "--format", "json"))
    assert (past["state"], past["receipt"]) == ("done", str(receipt.folder / "receipt.json"))
    assert "repair 1 was taken back" in output_of("undo", url)
    assert blob_sha256(service, image) == before
    assert is_left_alone(service, image)


def test_a_signature_that_allows_writing_serves_too_and_a_blob_may_grow(
    service: Azurite, image: Path, url: str
) -> None:
    before = sha256(image)
    signed = service.sas_url(image.name, write=True)
    assert journal_folder(signed) == journal_folder(url)
    key = r"HKLM\SYSTEM\ControlSet001\Control\CrashControl"
    text = output_of("reg", signed, "add", key, "/v", "Judged", "/t", "REG_SZ", "/d", "yes", "--yes")
    assert "sig=" not in text
    assert "yes" in output_of("reg", url, "query", key, "/v", "Judged")
    output_of("expand", url, "--size", "1G", "--yes")
    assert vmrescue.diagnose(url).disk.size == 1 << 30
    for _ in range(2):
        vmrescue.undo(url)
    assert blob_sha256(service, image) == before

    refused = command("repair", "--yes", service.sas_url(image.name))
    assert refused.returncode == 4
    assert "may not be written" in refused.stderr
    assert "sig=" not in refused.stderr


def test_a_blob_under_somebody_elses_lease_is_refused_untouched(service: Azurite, image: Path, url: str) -> None:
    before = sha256(image)
    for duration, says in ((-1, "detach the disk"), (15, "try again")):
        held = service.blob(image.name).acquire_lease(duration)
        refused = command("repair", "--yes", url)
        assert (refused.returncode, refused.stdout) == (4, "")
        assert says in refused.stderr
        held.release()
    assert blob_sha256(service, image) == before
    assert not journal_folder(url).exists()
    with EditSession(url), pytest.raises(RefusedError, match="another process of this machine"):
        vmrescue.repair(url)
    assert is_left_alone(service, image)


def test_the_id_of_a_lease_is_not_written_through_a_link(service: Azurite, image: Path, url: str) -> None:
    folder, precious = journal_folder(url), image.with_name("precious")
    precious.write_text("mine")
    folder.mkdir(parents=True)
    (folder / "lease").symlink_to(precious)
    with pytest.raises(RefusedError, match="nothing was changed: the undo journal's folder"):
        vmrescue.repair(url)
    assert precious.read_text() == "mine"
    assert is_left_alone(service, image)


def test_what_is_no_page_blob_is_refused(service: Azurite, image: Path, url: str) -> None:
    service.blob("block.vhd").upload_blob(b"x" * 4096)
    with pytest.raises(RefusedError, match="azcopy copy --blob-type PageBlob"):
        vmrescue.repair(f"az://{service.container}/block.vhd")
    with pytest.raises(ReadError, match="there is no such blob"):
        vmrescue.repair(f"az://{service.container}/missing.vhd")
    assert blob_sha256(service, image) == sha256(image)


def test_a_blob_that_is_half_repaired_says_where_its_journal_is(service: Azurite, image: Path, url: str) -> None:
    service.blob(image.name).set_blob_metadata({MARK: "in%20/home/me%20on%20far"})
    disk = open_disk(url)
    assert "half repaired" in disk.warnings[0]
    disk.close()
    with pytest.raises(RefusedError, match=r"half repaired.*in /home/me on far"):
        vmrescue.repair(url)
    assert blob_sha256(service, image) == sha256(image)


def test_a_blob_that_was_changed_since_it_was_opened_is_refused(service: Azurite, image: Path, url: str) -> None:
    with EditSession(url) as session:
        session.disk.write_at(100 * MIB, b"ours")
        blob = service.blob(image.name)
        BlobLeaseClient(blob).break_lease(0)
        blob.upload_page(b"t" * 512, 0, 512)
        theirs = blob_sha256(service, image)
        with pytest.raises(RefusedError, match="nothing was changed"):
            session.commit()
    assert blob_sha256(service, image) == theirs
    assert pending(url) is None


def test_a_dry_run_writes_nothing_and_the_repair_reads_little_more_even_where_an_answer_is_lost(
    service: Azurite, image: Path, url: str, line: FrailLine
) -> None:
    before = sha256(image)
    assert vmrescue.repair(url, dry_run=True).written
    assert blob_sha256(service, image) == before
    needed, line.answered = line.answered, 0
    line.fails_at, line.way = 2, "drop answer"
    receipt = vmrescue.repair(url)
    assert line.answered < 1.5 * needed  # the diagnosis, the edits and their checks: what a dry run makes
    assert line.failed.is_set()
    assert receipt.committed
    assert blob_sha256(service, image) != before
    assert is_left_alone(service, image)


@pytest.mark.parametrize("at", range(1, 10) if whole("VMRESCUE_EVERY_CUT") else [3])  # of 9 uploads
def test_a_connection_lost_half_way_is_an_error_and_the_next_command_rolls_back(
    at: int, service: Azurite, image: Path, url: str, line: FrailLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PAUSES, ())  # what is cut stays cut
    before = sha256(image)
    line.fails_at = at
    with pytest.raises(RepairFailedError, match="once vmrescue opens it to write"):
        vmrescue.repair(url)
    assert (blob_sha256(service, image) != before) == (at > 1)
    line.mend()
    assert pending(url) is not None
    open_disk(url, writable=True).close()
    assert blob_sha256(service, image) == before
    assert is_left_alone(service, image)


def test_a_repair_killed_between_two_pages_shows_the_old_image_and_is_rolled_back(
    service: Azurite, image: Path, url: str, line: FrailLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sha256(image)
    line.fails_at, line.way = 3, "hold"
    process = subprocess.Popen([sys.executable, "-m", "vmrescue", "repair", "--yes", "--quiet", url])
    assert line.failed.wait(300)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert blob_sha256(service, image) != before

    near, far = open_disk(image), open_disk(url)
    assert "interrupted" in far.warnings[0]
    for start in range(0, near.size, 16 * MIB):
        assert far.read_at(start, 16 * MIB) == near.read_at(start, 16 * MIB)
    near.close()
    far.close()

    here = os.environ["XDG_STATE_HOME"]
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another machine"))
    with pytest.raises(RefusedError, match=r"lease of a minute at most|half repaired"):
        open_disk(url, writable=True)
    monkeypatch.setenv("XDG_STATE_HOME", here)  # where the dead process's lease can be taken over

    output_of("undo", url)
    assert blob_sha256(service, image) == before
    assert is_left_alone(service, image)


def cut_at_each(
    line: FrailLine, act: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[int, bool]]:
    """Does something with its line cut at each request in turn: (number, whether it said that it was done).

    In CI at each third; the last time it is not cut.
    """
    monkeypatch.setattr(PAUSES, ())  # what is cut stays cut
    step = 1 if whole("VMRESCUE_EVERY_CUT") else 3
    for number in count(1, step):
        line.mend()
        line.every, line.fails_at = True, number
        done = True
        try:
            act()
        except VmRescueError:
            done = False
        reached = line.failed.is_set()
        line.mend()
        yield number, done
        if not reached:
            return


def test_a_commit_and_its_undo_cut_at_any_request_leave_the_old_image_or_the_new(
    service: Azurite, tmp_path: Path, line: FrailLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And while the blob is neither, it says so to everybody: also while it is cut to its old length."""
    image = tmp_path / f"{tmp_path.name}.raw"
    old = bytes(range(256)) * (MIB // 256)
    image.write_bytes(old)
    url, blob = service.upload(image), service.blob(image.name)
    places = 700, MIB // 2, MIB + 5000
    new = bytearray(old + bytes(MIB))
    for offset in places:
        new[offset : offset + 3] = b"new"

    def commit() -> None:
        with EditSession(url) as session:
            session.disk.resize(2 * MIB)
            for offset in places:
                session.disk.write_at(offset, b"new")
            session.commit()

    def settled() -> bytes:
        """What the blob holds once vmrescue has opened it to write again; until then it is marked."""
        held = blob.download_blob().readall()
        assert held in (old, new) or MARK in blob.get_blob_properties().metadata
        open_disk(url, writable=True).close()
        assert is_left_alone(service, image)
        return bytes(blob.download_blob().readall())

    cuts = list[int]()
    for number, done in cut_at_each(line, commit, monkeypatch):
        cuts.append(number)
        found = settled()
        assert found == new if done else found in (old, new)
        if found == new:
            vmrescue.undo(url)
    assert done
    commit()
    for number, done in cut_at_each(line, lambda: vmrescue.undo(url), monkeypatch):
        cuts.append(number)
        found = settled()
        assert found == old if done else found in (old, new)
        if found == old:
            commit()
    assert done
    assert len(cuts) > 8


def write_a_page(service: Azurite, image: Path, at: int = 300 * MIB) -> str:
    """Somebody else writes a page, where no sign of ours lies. Returns the blob's hash."""
    service.blob(image.name).upload_page(b"t" * 512, at, 512)
    return blob_sha256(service, image)


def test_a_blob_to_which_somebody_else_wrote_anything_is_not_undone_unless_asked(
    service: Azurite, tmp_path: Path, account: None
) -> None:
    image = tmp_path / f"{tmp_path.name}.vhd"
    image.write_bytes(bytes(4 * MIB))
    url = service.upload(image)
    for offset in (4096, 8192):
        with EditSession(url) as session:
            session.disk.write_at(offset, b"ours")
            session.commit()
    assert vmrescue.undo(url) == 2
    theirs = write_a_page(service, image, 3 * MIB + 512)
    with pytest.raises(RefusedError, match=r"since repair 1: .* the image's version \(ETag\)"):
        vmrescue.undo(url)
    assert blob_sha256(service, image) == theirs

    found = take_back(url, although_changed=True)
    assert found.different == ("the image's version (ETag)",)
    expected = bytearray(4 * MIB)
    expected[3 * MIB + 512 : 3 * MIB + 1024] = b"t" * 512
    assert service.blob(image.name).download_blob().readall() == expected


def test_what_somebody_wrote_between_two_repairs_of_a_blob_is_remembered_when_the_second_is_undone(
    service: Azurite, tmp_path: Path, account: None
) -> None:
    image = tmp_path / f"{tmp_path.name}.vhd"
    image.write_bytes(bytes(4 * MIB))
    url = service.upload(image)
    for offset in (4096, 8192):
        with EditSession(url) as session:
            session.disk.write_at(offset, b"ours")
            session.commit()
        if offset == 4096:
            write_a_page(service, image, 3 * MIB + 512)
    assert vmrescue.undo(url) == 2
    with pytest.raises(RefusedError, match="since repair 1"):
        vmrescue.undo(url)


def test_an_undo_of_a_blob_that_nobody_else_wrote_to_says_so(service: Azurite, image: Path, url: str) -> None:
    before = sha256(image)
    for check in ("bad-memory", "crash-dump"):
        vmrescue.repair(url, only=[check])
    for number in (2, 1):
        found = take_back(url)
        assert (found.number, found.different, found.not_compared) == (number, (), ())
        assert "the image's version (ETag)" in found.compared
    assert blob_sha256(service, image) == before
    assert is_left_alone(service, image)


def test_an_undo_where_the_version_is_not_known_says_what_else_it_looked_at(
    service: Azurite, image: Path, url: str
) -> None:
    vmrescue.repair(url, only=["bad-memory"])
    (journal_folder(url) / "version.json").unlink()
    found = take_back(url)
    assert "the image's version (ETag)" not in found.compared
    assert "$LogFile, on partition 3" in found.compared


def test_the_page_blobs_of_a_container_are_scanned_by_prefix(service: Azurite, tmp_path: Path, account: None) -> None:
    image = sample("gen2-broken", tmp_path)
    other = dataclasses.replace(service, container="fleet")
    for name in ("web-1.vhd", "web-2.vhd", "db-1.vhd"):
        url = other.upload(image.rename(tmp_path / name))
        image = tmp_path / name
    other.blob("web-notes.txt").upload_blob(b"x" * 4096)
    folder = url.rpartition("/")[0] + "/"
    done = command("scan", folder, "--prefix", "web-", "--only", "bad-memory", "--format", "json")
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert sorted(row["image"] for row in rows) == [f"{folder}web-1.vhd", f"{folder}web-2.vhd"]
    assert all(0 < row["requests"] < 120 and row["bytes_read"] and row["depth"] < 12 for row in rows)
    refused = command("scan", folder, "--prefix", "nothing-")
    assert refused.returncode == 2
    assert "has no page blob of this prefix" in refused.stderr
