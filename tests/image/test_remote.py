"""Images behind URLs, read from real servers on this machine."""

from __future__ import annotations

import gzip
import random
import re
import subprocess
import sys
import tracemalloc
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import build
import vmrescue
from large import OS
from support.azurite import azurite
from support.findings import told
from support.machine import need_root, need_tools, run
from support.machine_disk import mounted_ntfs
from support.range_server import serving
from support.real_data import corpus, sdist_file
from vmrescue.disk import EditSession, open_disk
from vmrescue.errors import FormatError, ReadError, RefusedError, UnsupportedError
from vmrescue.image.reference import Reference
from vmrescue.image.transports.loop import start as start_request
from vmrescue.image.transports.remote import BLOCK, PAGE
from vmrescue.image.transports.web_file import FIRST, open_web
from vmrescue.image.transports.worth import NEAR, SIDE_BY_SIDE, together, worth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.range_server import RangeServer

IMAGES = Path(__file__).resolve().parents[2] / "images"
MIB = 1 << 20
PAUSES = "vmrescue.image.transports.attempts.PAUSES"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RangeServer]:
    """Serves the test's folder."""
    with serving(tmp_path) as running:
        yield running


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The 127 GB disk, sparse, in a folder of its own."""
    need_root()
    need_tools("qemu-img", *build.PROGRAMS)
    image = tmp_path_factory.mktemp("large") / "large.vhd"
    subprocess.run([sys.executable, str(IMAGES / "large.py"), str(image)], check=True, capture_output=True)
    return image


def random_file(path: Path, size: int) -> bytes:
    data = random.Random(size).randbytes(size)
    path.write_bytes(data)
    return data


@pytest.mark.parametrize("size", [512, PAGE, FIRST, FIRST + 512, 5 * BLOCK + 1024, 3 * MIB])
def test_every_range_reads_as_the_file_has_it(server: RangeServer, tmp_path: Path, size: int) -> None:
    data = random_file(tmp_path / "disk.raw", size)
    file = open_web(server.url + "disk.raw")
    chance = random.Random(1)
    for _ in range(200):
        start = chance.randrange(size)
        length = min(chance.choice((0, 1, 512, BLOCK, 9 * BLOCK)), size - start)
        assert file.read_at(start, length) == data[start : start + length]
    assert file.size == size
    assert server.sent == file.bytes_read
    with pytest.raises(FormatError):
        file.read_at(size - 1, 2)
    file.close()


def test_what_was_read_is_not_asked_for_again(server: RangeServer, tmp_path: Path) -> None:
    random_file(tmp_path / "disk.raw", MIB)
    file = open_web(server.url + "disk.raw")
    file.read_at(0, 4096)
    before = len(server.requests)
    file.read_at(512, 512)
    assert len(server.requests) == before
    file.close()


def test_neighbours_come_in_one_request_and_reading_on_gets_more_each_time(server: RangeServer, tmp_path: Path) -> None:
    data = random_file(tmp_path / "disk.raw", 8 * MIB)
    file = open_web(server.url + "disk.raw")
    assert file.read_at(4 * MIB, 2 * MIB) == data[4 * MIB : 6 * MIB]
    assert len(server.requests) == 2  # one for the size and the first bytes, one for 512 pages
    for start in range(0, MIB, 4096):
        file.read_at(start, 4096)
    assert len(server.requests) - 2 <= 10  # 32 K, 64 K, then 128 K each, for 1 MiB
    assert len(server.requests) == file.requests
    file.close()


def test_ranges_come_in_one_request_where_the_bytes_between_them_come_sooner_than_another_is_answered() -> None:
    assert together([(0, 4096), (4096 + NEAR, 4096)]) == [(0, 8192 + NEAR)]
    assert together([(5000 + NEAR, 4096), (0, 4096)]) == [(0, 4096), (5000 + NEAR, 4096)]
    assert together([(0, 8192), (4096, 1024)]) == [(0, 8192)]
    assert worth(1) == pytest.approx(SIDE_BY_SIDE * NEAR, rel=1e-4)


def test_memory_stays_bounded_however_much_is_read(
    server: RangeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vmrescue.image.transports.remote.KEPT", 8 * MIB)
    with (tmp_path / "disk.raw").open("wb") as stream:
        stream.truncate(24 * MIB)
    file = open_web(server.url + "disk.raw")
    for start in range(0, 24 * MIB, 4 * MIB):
        assert not any(file.read_at(start, 4 * MIB))
    assert sum(len(content) for content, _ in file._pages.values()) <= 8 * MIB
    file.close()


def test_a_request_that_fails_is_made_again(
    server: RangeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PAUSES, (0.01,) * 3)
    data = random_file(tmp_path / "disk.raw", MIB)
    file = open_web(server.url + "disk.raw")
    server.failures = 2
    assert file.read_at(MIB // 4, 512) == data[MIB // 4 :][:512]
    server.failures = 4
    with pytest.raises(ReadError, match="503"):
        file.read_at(MIB // 2, 512)
    file.close()


def test_a_server_without_ranges_is_refused_before_it_sends_everything(server: RangeServer, tmp_path: Path) -> None:
    with (tmp_path / "disk.raw").open("wb") as stream:
        stream.truncate(1 << 30)
    server.ranges = False
    with pytest.raises(UnsupportedError, match="serves no ranges"):
        open_disk(server.url + "disk.raw")
    assert server.sent < 64 * MIB


def test_a_server_that_sends_more_than_was_asked_for_is_not_listened_to(server: RangeServer, tmp_path: Path) -> None:
    random_file(tmp_path / "disk.raw", MIB)
    file = open_web(server.url + "disk.raw")
    server.endless = True
    with pytest.raises(ReadError, match=f"sends more than {BLOCK} bytes|Bad status line"):
        file.read_at(MIB // 2, 512)
    assert server.sent < 64 * MIB  # what the network's buffers hold, and no end
    server.endless = False
    file.close()


def test_an_answer_that_is_packed_is_refused_and_not_unpacked(server: RangeServer, tmp_path: Path) -> None:
    (tmp_path / "disk.raw").write_bytes(gzip.compress(bytes(256 * MIB)))
    server.encoding = "gzip"
    tracemalloc.start()
    with pytest.raises(UnsupportedError, match="sends it as 'gzip'"):
        open_web(server.url + "disk.raw")
    assert tracemalloc.get_traced_memory()[1] < 8 * MIB
    tracemalloc.stop()


def test_a_range_that_was_not_asked_for_is_an_error(server: RangeServer, tmp_path: Path) -> None:
    random_file(tmp_path / "disk.raw", MIB)
    file = open_web(server.url + "disk.raw")
    server.shift = 512
    with pytest.raises(ReadError, match="sends the range 'bytes 524800-557567/1048576'"):
        file.read_at(MIB // 2, 512)
    file.close()


def test_a_server_that_sends_byte_by_byte_is_given_up(server: RangeServer, tmp_path: Path) -> None:
    random_file(tmp_path / "disk.raw", MIB)
    file = open_web(server.url + "disk.raw", within=0.5)
    server.pause = 0.05
    with pytest.raises(ReadError, match=r"32768 bytes did not come within 0\.5 seconds"):
        file.read_at(MIB // 2, 512)
    server.pause = 0
    file.close()


def test_a_missing_file_and_a_silent_server_are_told_apart(
    server: RangeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PAUSES, (0.01,) * 3)
    with pytest.raises(ReadError, match="404"):
        open_disk(server.url + "no.vhd")
    with pytest.raises(ReadError, match=r"(?i)connect"):
        open_disk("http://127.0.0.1:9/os.vhd")
    with pytest.raises(UnsupportedError, match="nosuch"):
        open_disk("nosuch://host/os.vhd")


def test_a_missing_file_of_another_store_is_said_in_words() -> None:
    with pytest.raises(ReadError) as raised:
        open_disk("file:///no/such.vhd")
    assert str(raised.value) == "cannot read file:///no/such.vhd: No such file or directory"


@pytest.mark.parametrize("url", ["az://images/", "az://images/*.vhd", "https://me.blob.core.windows.net/images/?sig=s"])
def test_folders_and_globs_of_a_container_are_not_looked_into(url: str) -> None:
    (result,) = vmrescue.scan([url])
    assert result.error is not None
    said = "a container's folders and globs are not looked into: name each image"
    assert result.error.message == f"{Reference.of(url)}: {said}"


def test_the_secrets_of_a_url_are_sent_and_never_shown(server: RangeServer, gen2_broken: Path) -> None:
    url = server.url + gen2_broken.name + "?sv=2024&sig=a%2Bb%2Fc%3D"
    diagnosis = vmrescue.diagnose(url)
    assert diagnosis.image == server.url + gen2_broken.name
    assert "sig=" not in str(diagnosis.to_dict())
    assert all(request.endswith("?sv=2024&sig=a%2Bb%2Fc%3D") for request in server.requests)
    with pytest.raises(ReadError) as raised:
        open_disk(server.url + "no.vhd?sig=secret")
    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert Reference.of("https://me:word@host/a.vhd?x=y#z").shown == "https://host/a.vhd"
    assert Reference.of("folder/a?b.vhd").shown == "folder/a?b.vhd"
    assert not Reference.of("C:/os.vhd").is_remote


def test_a_url_is_never_written_to(server: RangeServer, gen2_broken: Path) -> None:
    url = server.url + gen2_broken.name
    for act in (lambda: open_disk(url, writable=True), lambda: EditSession(url), lambda: vmrescue.repair(url)):
        with pytest.raises(RefusedError, match="download it"):
            act()
    disk = open_disk(url)
    with pytest.raises(RefusedError):
        disk.write_at(1 << 20, b"x")
    disk.close()


def test_a_sample_behind_a_url_is_diagnosed_as_the_file_is(server: RangeServer, gen2_broken: Path) -> None:
    near = vmrescue.diagnose(gen2_broken)
    far = vmrescue.diagnose(server.url + gen2_broken.name)
    assert told(far) == told(near)
    assert far.volumes == near.volumes
    assert far.refusal is not None
    assert "download it, repair it, upload it" in far.refusal  # a web server is no blob service


def test_a_vhdx_behind_a_url_is_read_side_by_side_as_a_vhd_is(server: RangeServer, gen2_broken: Path) -> None:
    image = gen2_broken.with_suffix(".vhdx")
    run("qemu-img", "convert", "-f", "vpc", "-O", "vhdx", gen2_broken, image)
    as_vhd, as_vhdx = vmrescue.scan([server.url + path.name for path in (gen2_broken, image)])
    assert as_vhdx.diagnosis is not None
    assert as_vhd.diagnosis is not None
    assert [each.summary for each in as_vhdx.diagnosis.findings] == [each.summary for each in as_vhd.diagnosis.findings]
    assert as_vhdx.depth <= as_vhd.depth + 2
    assert as_vhdx.requests <= as_vhd.requests


def test_a_127_gb_image_is_diagnosed_in_few_requests_side_by_side(large: Path) -> None:
    """Its files lie 16 MiB apart: the first pages of the 60 that the boot path names take a request each."""
    result = scanned(large, requests=86, depth=7, most=6_000_000)
    assert {"bad-memory", "page-file", "crash-dump"} <= result


def test_a_sample_is_diagnosed_in_few_requests_side_by_side(gen2_broken: Path) -> None:
    assert "bad-memory" in scanned(gen2_broken, requests=75, depth=9, most=3_600_000)


def test_a_large_hive_comes_at_once_unless_it_is_longer_than_requests_one_after_another_take(
    large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = with_files(large, tmp_path, {"SYSTEM": sdist_file("dissect.regf", "tests/_data/SYSTEM.gz")})
    found = scanned(image, requests=86, depth=7, most=17_500_000)
    assert "hive-log" not in found
    monkeypatch.setattr("vmrescue.windows.ahead.SYSTEM_STEPS", 6)  # in whose time 11.3 MB come; it has 11.4
    assert found == scanned(image, requests=140, depth=50, most=8_500_000)


def test_the_logs_of_a_dirty_hive_come_at_once(large: Path, tmp_path: Path) -> None:
    hive = {f"SYSTEM{suffix}": corpus(f"hives/SYSTEM_B{suffix}") for suffix in ("", ".LOG1", ".LOG2")}
    assert "hive-log" in scanned(with_files(large, tmp_path, hive), requests=87, depth=8, most=25_500_000)


def scanned(image: Path, requests: int, depth: int, most: int) -> set[str]:
    """The checks that found something on a disk behind a URL, for no more requests and bytes than these."""
    with serving(image.parent) as server:
        (result,) = vmrescue.scan([server.url + image.name])
        assert result.diagnosis is not None
        assert len(server.requests) == result.requests <= requests
        assert server.sent == result.bytes_read <= most
        assert result.depth <= depth
    return {finding.check for finding in result.diagnosis.findings}


def with_files(large: Path, folder: Path, files: dict[str, bytes]) -> Path:
    """A copy of the large disk with these files in its config folder."""
    image = folder / large.name
    subprocess.run(["cp", "--sparse=always", large, image], check=True)
    with mounted_ntfs(image, *OS, writable=True) as root:
        for name, content in files.items():
            (root / "Windows/System32/config" / name).write_bytes(content)
    return image


def test_a_page_blob_of_127_gb_is_read_with_a_key_or_a_signature(
    large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = vmrescue.diagnose(large)
    with azurite(tmp_path) as storage:
        url = storage.upload(large)
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", storage.connection_string)
        for address in (url, storage.sas_url(large.name)):
            (result,) = vmrescue.scan([address])
            assert result.diagnosis is not None
            assert told(result.diagnosis) == told(near)
            assert result.diagnosis.refusal is None  # a page blob is repaired where it lies
            assert result.bytes_read <= 8_000_000
        with pytest.raises(ReadError, match="403"):
            vmrescue.diagnose(re.sub("sig=[^&]*", f"sig={'A' * 43}%3D", storage.sas_url(large.name)))


def test_a_request_that_an_interrupt_keeps_from_its_start_leaves_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    async def request() -> None: ...

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fsspec.asyn.get_loop", interrupted)
    with warnings.catch_warnings(record=True) as said, pytest.raises(KeyboardInterrupt):
        start_request(request())
    assert said == []
