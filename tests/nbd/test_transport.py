"""A disk behind NBD, served by qemu-nbd and by nbdkit: read, written, repaired and undone, and what may go wrong."""

from __future__ import annotations

import random
import socket
import subprocess
import threading
from contextlib import closing
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

import vmrescue
from support.clock import stop_the_clock
from support.command import output_of
from support.command import vmrescue as command
from support.images import fingerprint, sample
from support.machine import need_tool, run
from support.nbd import certificates, nbdkit, qemu_nbd, served
from vmrescue.disk import EditSession, journal_folder, open_disk, pending
from vmrescue.errors import ReadError, RefusedError, RepairFailedError, UnsupportedError, UsageError, VmRescueError
from vmrescue.image.reference import Reference
from vmrescue.image.transports.nbd import protocol, wire

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20
SIZE = 24 * MIB


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place for the journals of this test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A small disk with data here and there, and holes between."""
    chance, path = random.Random(7), tmp_path / "disk.raw"
    with path.open("wb") as file:
        file.truncate(SIZE)
        for _ in range(12):
            file.seek(chance.randrange(SIZE - MIB))
            file.write(chance.randbytes(chance.choice((1, 512, 70_000))))
    return path


@pytest.fixture
def os_disk(tmp_path: Path) -> Path:
    vhd, path = sample("gen1-broken", tmp_path), tmp_path / "os.raw"
    run("qemu-img", "convert", "-f", "vpc", "-O", "raw", vhd, path)
    return path


@pytest.mark.parametrize("options", [(), ("--no-sr",)], ids=["structured", "simple"])
def test_any_part_of_a_disk_is_read_and_written(raw: Path, options: tuple[str, ...]) -> None:
    data = bytearray(raw.read_bytes())
    chance = random.Random(8)
    with nbdkit(*options, "file", raw) as url, closing(Reference.of(url).hold()) as store:
        assert store.size == SIZE
        for _ in range(150):
            start = chance.randrange(SIZE)
            length = min(chance.choice((1, 5, 512, 40_000, 3 * MIB)), SIZE - start)
            if chance.random() < 0.5:
                data[start : start + length] = piece = chance.randbytes(length)
                store.write_at(start, piece)
            assert store.read_at(start, length) == data[start : start + length]
        store.drop_cache()
        assert store.read_at(0, SIZE) == data
        store.flush()
        run("nbdcopy", url, raw.with_name("copy"))
        assert raw.with_name("copy").read_bytes() == data
    assert raw.read_bytes() == data


def test_holes_are_skipped_as_the_server_tells(raw: Path) -> None:
    data = raw.read_bytes()
    with qemu_nbd(raw, "raw", "--read-only") as url:
        disk = open_disk(url)
        known = [(start, start + length) for start, length in _data(url)]
        at, seen = 0, []
        while (at := disk.next_data(at)) < SIZE:
            end = next((stop for start, stop in known if start <= at < stop), at + 4096)
            seen.append((at, end))
            at = end
        disk.close()
    assert seen == known
    assert sum(end - start for start, end in known) < SIZE // 2
    holes = [data[end:start] for (_, end), (start, _) in pairwise(seen)]
    assert not any(map(any, holes))


def _data(url: str) -> list[tuple[int, int]]:
    """(offset, length) of what `nbdinfo` says is no zeros."""
    rows = [line.split() for line in run("nbdinfo", "--map", url).splitlines()]
    return [(int(start), int(length)) for start, length, state, *_ in rows if not int(state) & protocol.ZERO]


def test_a_repair_over_nbd_writes_the_bytes_of_one_on_the_file_and_is_undone(
    os_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_the_clock(monkeypatch)
    twin = tmp_path / "twin.raw"
    run("cp", "--sparse=always", os_disk, twin)
    before = fingerprint(os_disk)
    with qemu_nbd(os_disk, "raw") as url:
        receipt = vmrescue.repair(url)
        assert vmrescue.repair(twin).committed
        assert receipt.committed
        run("qemu-img", "compare", "-f", "raw", "-F", "raw", "-U", os_disk, twin)
        assert receipt.folder is not None
        assert receipt.folder.parent == journal_folder(url)
        assert "NBD has no locks" in command("undo", url).stderr
        assert fingerprint(os_disk) == before
        assert "resize it at its server" in command("expand", url, "--size", "2G", "--yes").stderr
        assert fingerprint(os_disk) == before


def test_a_vhd_file_that_is_served_is_found_by_its_signature_and_confirmed_by_libvhdi(tmp_path: Path) -> None:
    vhd = sample("gen1-broken", tmp_path)
    before = fingerprint(vhd)
    with nbdkit("file", vhd) as url:
        assert "fixed VHD" in output_of("diagnose", url, status=(0, 1))
        assert vmrescue.repair(url, only=["bad-memory"]).committed
        run("vhdiinfo", vhd)
        assert fingerprint(vhd) != before
        vmrescue.undo(url)
    assert fingerprint(vhd) == before


def test_a_second_repair_of_the_same_export_is_kept_out(raw: Path) -> None:
    with nbdkit("file", raw) as url, closing(Reference.of(url).hold()):
        done = command("undo", url)
        assert done.returncode == 4
        assert "is being changed by another process" in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [(("--read-only",), "exported for reading only"), ((), "stable storage")],
)
def test_a_server_that_cannot_be_trusted_with_writes_is_only_read(
    raw: Path, options: tuple[str, ...], said: str
) -> None:
    if not options:  # a program of its own that neither flushes nor writes through
        read = f"pread=dd if={raw} iflag=skip_bytes,count_bytes skip=$4 count=$3 status=none"
        write = ("can_write=exit 0", "pwrite=cat >/dev/null", "can_flush=exit 3", "can_fua=echo none")
        words: tuple[str, ...] = ("eval", f"get_size=stat -c %s {raw}", read, *write)
    else:
        words = ("file", str(raw))
    with nbdkit(*options, *words) as url:
        disk = open_disk(url)
        assert disk.read_at(0, 4096) == raw.read_bytes()[:4096]
        assert said in str(disk.refusal)
        disk.close()
        with pytest.raises(RefusedError, match=said):
            Reference.of(url).hold()


def test_tls_is_spoken_where_the_server_asks_for_it_and_its_certificate_checked(raw: Path, tmp_path: Path) -> None:
    folder = certificates(tmp_path / "pki")
    made = f"tls-creds-x509,id=tls0,endpoint=server,verify-peer=yes,dir={folder}"
    with qemu_nbd(raw, "raw", "--object", made, "--tls-creds", "tls0") as url:
        for scheme in ("nbd+unix", "nbds+unix"):  # the server demands it either way
            known = url.replace("nbd+unix", scheme) + f"&tls-certificates={folder}"
            disk = open_disk(known)
            assert disk.read_at(0, SIZE) == raw.read_bytes()
            disk.close()
            with pytest.raises(ReadError, match="certificate is not trusted"):
                open_disk(url.replace("nbd+unix", scheme))
            with pytest.raises(ReadError, match="certificate is not trusted"):
                open_disk(known + "&tls-hostname=elsewhere")
    with nbdkit("file", raw) as url, pytest.raises(UnsupportedError, match="no TLS"):
        open_disk(url.replace("nbd+unix", "nbds+unix"))


def test_a_port_and_the_name_of_an_export_are_those_of_the_url(raw: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [f"--port={port}", "--persistent", "-f", "raw", "-x", "a disk/1", "--bind=127.0.0.1", str(raw)]
    with subprocess.Popen([need_tool("qemu-nbd"), *words]) as server:
        try:
            url = f"nbd://127.0.0.1:{port}/a%20disk/1"
            until = threading.Event()
            for _ in range(100):
                with socket.socket() as client:
                    if client.connect_ex(("127.0.0.1", port)) == 0:
                        break
                until.wait(0.05)
            disk = open_disk(url)
            assert disk.read_at(0, SIZE) == raw.read_bytes()
            disk.close()
            with pytest.raises(ReadError, match="no such export"):
                open_disk(f"nbd://127.0.0.1:{port}/another")
        finally:
            server.kill()


def test_a_connection_that_is_lost_is_an_error_and_the_next_opening_rolls_back(
    os_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fingerprint(os_disk)
    plan = vmrescue.diagnose(os_disk).plan(only=["bad-memory", "crash-dump"])
    place = tmp_path / "socket"

    def serve(*words: str | Path) -> subprocess.Popen[bytes]:
        place.unlink(missing_ok=True)
        started = subprocess.Popen([need_tool("nbdkit"), "--foreground", "--unix", place, *words])
        while not place.exists():
            threading.Event().wait(0.01)
        return started

    url = f"nbd+unix:///?socket={place}"
    with serve("file", os_disk) as server:
        write = EditSession.commit

        def cut(session: EditSession, *given: object) -> object:
            image, count = session.image, [0]
            written = image.write_at

            def write_at(offset: int, data: bytes | memoryview) -> None:
                count[0] += 1
                if count[0] == 3:
                    server.kill()
                    server.wait()
                written(offset, data)

            monkeypatch.setattr(image, "write_at", write_at)
            return write(session, *given)  # type: ignore[arg-type]

        monkeypatch.setattr(EditSession, "commit", cut)
        with pytest.raises(RepairFailedError, match="once vmrescue opens it to write"):
            vmrescue.repair(url, plan=plan)
        monkeypatch.undo()
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert fingerprint(os_disk) != before
    assert pending(url)
    with serve("file", os_disk) as server:
        disk = open_disk(url)
        assert "what is read is as it was before" in "; ".join(disk.warnings)
        disk.close()
        EditSession(url).close()
        server.kill()
    assert fingerprint(os_disk) == before


def test_an_error_of_the_server_is_one_of_ours_that_says_where(raw: Path) -> None:
    failing = nbdkit("--filter=error", "file", raw, "error-pread=EIO", "error-pread-rate=1.0")
    with failing as url, pytest.raises(ReadError, match=r"at byte \d+: Input/output error"):
        open_disk(url)
    with nbdkit("--filter=error", "file", raw, "error-pwrite=ENOSPC", "error-pwrite-rate=1.0") as url:
        store = Reference.of(url).hold()
        with pytest.raises(VmRescueError, match=r"cannot write .* at byte 512: No space left"):
            store.write_at(700, b"a")
        store.close()


def test_a_server_that_is_silent_is_given_up(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "SILENCE", 0.3)
    with nbdkit("--filter=delay", "file", raw, "rdelay=5") as url, pytest.raises(ReadError, match="in time"):
        open_disk(url)


@pytest.mark.parametrize(
    "url",
    ["nbd+unix:///x", "nbd+unix://host/x?socket=/s", "nbd:///x", "nbd://host:0/x", "nbd://host:99999/x", "nbd://h:x/y"],
)
def test_a_url_that_names_no_server_is_wrong_usage(url: str) -> None:
    with pytest.raises(UsageError):
        open_disk(url)


def test_oldstyle_is_refused_by_name(raw: Path) -> None:
    with served("nbdkit", "--foreground", "-o", "file", raw) as url, pytest.raises(UnsupportedError, match="oldstyle"):
        open_disk(url)
