"""A disk read from its address, and put, repaired, to the write address of another: what that holds then decides."""

from __future__ import annotations

import os
import re
from functools import partial
from typing import TYPE_CHECKING

import pytest

import vmrescue
from support.blob_service import blob_service
from support.campaign import whole
from support.command import vmrescue as command
from support.images import sample, sha256
from support.machine import run
from vmrescue.disk import EditSession
from vmrescue.errors import ReadError, RefusedError, VmRescueError, WriteError
from vmrescue.image.upload import NOTICE, upload

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.blob_service import BlobService
    from vmrescue.image.upload import Uploaded

MIB = 1 << 20


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BlobService]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = tmp_path / "disks"
    folder.mkdir()
    with blob_service(folder) as running:
        yield running


def small_vhd(path: Path, size: int = 24 * MIB) -> Path:
    """A fixed VHD with data in a few places."""
    run("qemu-img", "create", "-q", "-f", "vpc", "-o", "subformat=fixed,force_size=on", path, str(size))
    with path.open("r+b") as stream:
        for at in (0, 5 * MIB - 512, 9 * MIB + 512, size - 4096):
            stream.seek(at)
            stream.write(os.urandom(4096))
    return path


def edited(service: BlobService, resume: bool = False) -> Uploaded:
    """Puts `source` with a changed sector to `target`."""
    url = service.address("source")
    with EditSession(url, writable=False) as session:
        session.disk.write_at(9 * MIB + 1000, b"repaired")
        session.disk.write_at(17 * MIB, b"new")
        return upload(url, session.overlay, service.address("target", "write"), resume)


def number_of_notice(service: BlobService, image: Path) -> int:
    """Which request of an upload, from 1 on, writes the notice; `source` is then the image."""
    service.add("source", image)
    service.add("target", image.stat().st_size)
    edited(service)
    number = next(number for number, each in enumerate(service.requests, 1) if each.endswith("/target page"))
    service.requests.clear()
    return number


def expected_of(image: Path) -> bytes:
    content = bytearray(image.read_bytes())
    content[9 * MIB + 1000 : 9 * MIB + 1008] = b"repaired"
    content[17 * MIB : 17 * MIB + 3] = b"new"
    return bytes(content)


def test_a_disk_is_rescued_from_one_address_to_another(service: BlobService, tmp_path: Path) -> None:
    image = sample("gen1-broken", tmp_path)
    source = service.add("source", image)
    target = service.add("target", image.stat().st_size)
    before = source.etag
    done = command("rescue", "--from", service.address("source"), "--to", service.address("target", "write"), "--yes")
    assert done.returncode == 1  # what a rescue cannot mend is left
    assert source.etag == before
    assert "secret" not in done.stdout + done.stderr
    assert f"Repaired {service.url}disks/target" in done.stdout
    assert any("from URL" in request for request in service.requests)
    assert len(target.pages) < len(source.pages) + 200  # holes stay holes
    run("qemu-img", "info", "-f", "vpc", target.file)
    run("vhdiinfo", target.file)
    left = {finding.check for finding in vmrescue.diagnose(target.file).findings}
    assert "bad-memory" not in left
    assert "bad-memory" in {finding.check for finding in vmrescue.diagnose(image).findings}


@pytest.mark.parametrize("copies", [True, False])
def test_a_copy_cut_at_any_request_says_that_it_is_unfinished_and_goes_on(
    service: BlobService, tmp_path: Path, copies: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vmrescue.image.transports.attempts.PAUSES", ())  # what is cut stays cut
    image = small_vhd(tmp_path / "small.vhd")
    service.copies = service.leases = copies
    service.add("source", image)
    wanted = expected_of(image)
    service.add("target", image.stat().st_size)
    edited(service)
    requests = len(service.requests)
    assert requests < 40
    first, step = (1, 1) if whole("VMRESCUE_EVERY_CUT") else (1 + copies, 3)
    cuts = range(first, requests if service.leases else requests + 1, step)  # the last one lets go of the lease
    for cut in cuts:
        target = service.add("target", image.stat().st_size)
        for state in (tmp_path / "state").rglob("upload.json"):
            state.unlink()
        service.requests.clear()
        service.cut_at = cut
        with pytest.raises(VmRescueError):
            edited(service)
        service.cut_at = 0
        footer = target.read(target.size - 512, 512)
        assert footer in (bytes(512), footer if footer.startswith(NOTICE) else wanted[-512:])
        if footer == wanted[-512:]:  # only its reading back was cut
            assert target.file.read_bytes() == wanted
        begun = bool(list((tmp_path / "state").rglob("upload.json")))
        assert edited(service, resume=begun).compared
        assert target.file.read_bytes() == wanted
    target, service.cut_at = service.add("target", image.stat().st_size), requests if service.leases else 0
    service.requests.clear()
    assert edited(service).compared  # a lease that is not let go ends by itself
    assert target.file.read_bytes() == wanted
    assert sha256(service.blobs["source"].file) == sha256(image)


@pytest.mark.parametrize("leases", [True, False])
def test_of_two_copies_to_one_target_the_second_is_refused_and_the_first_is_whole(
    service: BlobService, tmp_path: Path, leases: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = small_vhd(tmp_path / "small.vhd")
    service.leases = leases
    begun = number_of_notice(service, image) + 2
    refused: list[str] = []

    def another(state: str) -> None:
        with monkeypatch.context() as elsewhere:
            elsewhere.setenv("XDG_STATE_HOME", str(tmp_path / state))
            with pytest.raises(RefusedError) as raised:
                edited(service)
        refused.append(str(raised.value))

    for machine, says in (("state", "another process of this machine"), ("other", "try again|begun elsewhere")):
        service.requests.clear()
        service.meanwhile = begun, partial(another, machine)
        target = service.add("target", image.stat().st_size)
        assert edited(service).compared
        assert target.file.read_bytes() == expected_of(image)
        assert re.search(says, refused.pop())
        assert not target.lease


def test_of_two_copies_that_begin_at_once_where_no_lease_is_to_be_had_one_is_made(
    service: BlobService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = small_vhd(tmp_path / "small.vhd")
    service.leases = False
    notice = number_of_notice(service, image)
    done: list[Uploaded] = []

    def another() -> None:
        with monkeypatch.context() as elsewhere:
            elsewhere.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
            done.append(edited(service))

    service.meanwhile = notice, another
    target = service.add("target", image.stat().st_size)
    with pytest.raises(RefusedError, match="gets a copy from somebody else"):
        edited(service)
    assert done[0].compared
    assert target.file.read_bytes() == expected_of(image)
    assert not list((tmp_path / "state").rglob("upload.json"))


def test_a_copy_ends_where_it_finds_that_another_was_begun_over_it(service: BlobService, tmp_path: Path) -> None:
    image = small_vhd(tmp_path / "small.vhd")
    service.leases = False
    begun = number_of_notice(service, image) + 2
    target = service.add("target", image.stat().st_size)
    theirs = (NOTICE + b"another").ljust(512, b"\0")
    service.meanwhile = begun, lambda: target.write(target.size - 512, theirs)
    with pytest.raises(RefusedError, match="somebody else has begun a copy"):
        edited(service)
    assert target.read(target.size - 512, 512) == theirs


def test_a_target_that_only_takes_writes_is_said_not_to_have_been_compared(
    service: BlobService, tmp_path: Path
) -> None:
    image = small_vhd(tmp_path / "small.vhd")
    service.reads_write_addresses = False
    service.add("source", image)
    target = service.add("target", image.stat().st_size)
    done = edited(service)
    assert (done.compared, done.by_service, done.size) == (False, True, image.stat().st_size)
    assert target.file.read_bytes() == expected_of(image)


def test_a_busy_service_is_asked_again_when_it_says(service: BlobService, tmp_path: Path) -> None:
    image = small_vhd(tmp_path / "small.vhd")
    service.add("source", image)
    target = service.add("target", image.stat().st_size)
    service.busy, service.wait = 3, 1
    edited(service)
    assert target.file.read_bytes() == expected_of(image)
    service.busy, service.wait = 1, 3600
    with pytest.raises(ReadError, match=r"503|too busy"):
        vmrescue.diagnose(service.address("source"))
    service.busy = 0


def test_what_is_wrong_with_an_address_is_said_in_words(service: BlobService, tmp_path: Path) -> None:
    image = small_vhd(tmp_path / "small.vhd")
    source = service.add("source", image)
    service.add("short", MIB)
    service.add("full", image)
    service.add("fresh", image.stat().st_size)
    with EditSession(service.address("source"), writable=False) as session:
        for name, says in (("short", r"make a disk with --upload-size-bytes 25166336"), ("full", "has data already")):
            with pytest.raises(RefusedError, match=says):
                upload(service.address("source"), session.overlay, service.address(name, "write"))
        old = service.address("full", "write", ends="2025-01-01T00:00:00Z")
        with pytest.raises(ReadError, match=r"expired at 2025-01-01 00:00 UTC: ask for a new address"):
            upload(service.address("source"), session.overlay, old)
        with pytest.raises(RefusedError, match=r"no copy .* to go on with"):
            upload(service.address("source"), session.overlay, service.address("fresh", "write"), resume=True)
        source.kind = "BlockBlob"
        with pytest.raises(RefusedError, match="no page blob"):
            upload(service.address("source"), session.overlay, service.address("short", "write"))
    with pytest.raises(ReadError, match="expired at 2025"):
        vmrescue.diagnose(service.address("source", ends="2025-01-01T00:00:00Z"))
    same = command("repair", "--from", service.address("full"), "--to", service.address("full", "write"), "--yes")
    assert same.returncode == 4
    assert re.search("source is never written", same.stderr)


def test_a_source_that_changes_meanwhile_ends_the_copy(service: BlobService, tmp_path: Path) -> None:
    image = small_vhd(tmp_path / "small.vhd")
    source = service.add("source", image)
    target = service.add("target", image.stat().st_size)
    url = service.address("source")
    with EditSession(url, writable=False) as session:
        service.cut_at = len(service.requests) + 8
        with pytest.raises(WriteError, match="go on with --resume"):
            upload(url, session.overlay, service.address("target", "write"))
        service.cut_at = 0
        source.write(0, b"x" * 512)
        with pytest.raises(RefusedError, match="the source is another now, or has changed"):
            upload(url, session.overlay, service.address("target", "write"), resume=True)
    assert target.read(target.size - 512, 512).startswith(NOTICE)
