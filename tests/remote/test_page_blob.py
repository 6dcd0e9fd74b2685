"""Page blobs repaired where they lie, on Azure's emulator: what the service holds afterwards decides."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import TYPE_CHECKING

import pytest
from azure.storage.blob import BlobLeaseClient

import vmrescue
from support.azurite import blob_sha256, content, is_left_alone
from support.clock import stop_the_clock
from support.command import output_of
from support.command import vmrescue as command
from support.images import sample, sha256
from support.machine import run
from vmrescue.disk import EditSession, journal_folder, open_disk, pending
from vmrescue.errors import ReadError, RefusedError
from vmrescue.image.transports.azure import MARK
from vmrescue.image.upload import upload
from vmrescue.transaction import take_back

if TYPE_CHECKING:
    from pathlib import Path

    from support.azurite import Azurite

MIB = 1 << 20


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


def test_a_copy_is_put_to_a_page_blob_under_a_lease(
    service: Azurite, tmp_path: Path, account: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vmrescue.image.transports.attempts.PAUSES", ())  # the emulator does not copy, and says 500
    image, target = tmp_path / f"{tmp_path.name}.raw", tmp_path / f"{tmp_path.name}.copy"
    image.write_bytes(os.urandom(MIB))
    service.upload(image)
    service.blob(target.name).create_page_blob(MIB)
    source, there = service.sas_url(image.name), service.sas_url(target.name, write=True)
    with EditSession(source, writable=False) as session:
        session.disk.write_at(5000, b"new")
        held = service.blob(target.name).acquire_lease(15)
        with pytest.raises(RefusedError, match="lease of a minute at most"):
            upload(source, session.overlay, there)
        assert content(service, target) == bytes(MIB)
        held.release()
        assert upload(source, session.overlay, there).compared
    expected = bytearray(image.read_bytes())
    expected[5000:5003] = b"new"
    assert content(service, target) == expected
    assert is_left_alone(service, target)


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
