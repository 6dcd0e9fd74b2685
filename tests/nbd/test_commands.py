"""Every command, from the command line, on images that QEMU writes: it does what it does to a raw image."""

from __future__ import annotations

import shlex
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from nbd.images import MADE, content, kinds, must_be, wait
from support.clock import stop_the_clock
from support.command import output_of
from support.command import vmrescue as command
from support.command_server import import_all
from support.endings import start, status_of
from support.images import fingerprint
from support.machine import need_tool, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GIB = 1 << 30
SOME = ("compressed, with a snapshot",)
READING = (
    ("rehearse",),
    ("diagnose",),
    ("scan",),
    ("repair", "--dry-run"),
    ("rescue", "--dry-run"),
    ("defrag", "--dry-run"),
)


def both(image: Path, twin: Path, *words: object) -> int:
    """Runs a command on each, in forks of this process, whose clock stands; the exit status, which must be the same."""
    statuses = [status_of(start(*words, path)) for path in (image, twin)]
    assert statuses[0] == statuses[1], words
    return statuses[0]


@pytest.mark.parametrize("kind", kinds(SOME))
def test_every_command_does_what_it_does_to_a_raw_image(
    kind: str, os_raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, twin = MADE[kind](os_raw, tmp_path), tmp_path / "twin.raw"
    run("cp", "--sparse=always", os_raw, twin)
    below = {path: fingerprint(path) for path in tmp_path.glob("[bm]*")}
    before = fingerprint(image)
    import_all()
    stop_the_clock(monkeypatch)

    for words in READING:
        both(image, twin, *words)
    assert fingerprint(image) == before
    assert both(image, twin, "rescue", "--yes", "--quiet") in (0, 1)
    must_be(image, twin)
    assert content(image) == content(twin) != content(os_raw)
    assert both(image, twin, "undo", "--all") == 0
    must_be(image, os_raw)

    receipts = tmp_path / "receipts.jsonl"
    output_of("repair", "--yes", "--only", "bad-memory,crash-dump", "--output", receipts, image, twin, status=(0, 1))
    assert content(image) != content(os_raw)
    output_of("undo", "--run", receipts)
    must_be(image, os_raw)
    assert fingerprint(twin) == fingerprint(os_raw)

    longer = image
    if image.suffix == ".qcow2":
        run("qemu-img", "resize", "-f", "qcow2", image, str(GIB))
        run("qemu-img", "resize", "-f", "raw", twin, str(GIB))
        copied: list[object] = []
    else:
        assert both(image, image, "expand", "--yes", "--quiet", "--size", "1G") == 4
        longer = tmp_path / "longer.qcow2"
        copied = ["--copy-to", longer]
    assert status_of(start("expand", "--yes", "--quiet", "--size", "1G", *copied, image)) in (0, 1)
    assert status_of(start("expand", "--yes", "--quiet", "--size", "1G", twin)) in (0, 1)
    must_be(longer, twin)
    if longer == image:
        assert both(image, twin, "undo") == 0
        must_be(image, twin)
    else:
        run("cp", "--sparse=always", os_raw, twin)
    assert both(image, twin, "defrag", "--yes", "--quiet") in (0, 1)
    must_be(image, twin)
    assert {path: fingerprint(path) for path in below} == below


def test_an_encrypted_disk_is_refused_with_the_way_to_it_which_leads_there(os_raw: Path, tmp_path: Path) -> None:
    key, image, socket = tmp_path / "key", tmp_path / "os.luks", tmp_path / "socket"
    key.write_text("a passphrase")
    luks = ["--object", f"secret,id=key,file={key}"]
    run(
        "qemu-img",
        "create",
        "-q",
        "-f",
        "luks",
        *luks,
        "-o",
        "key-secret=key,iter-time=10",
        image,
        os_raw.stat().st_size,
    )
    options = f"driver=luks,key-secret=key,file.filename={image}"
    run("qemu-img", "convert", *luks, "-n", "-f", "raw", "--target-image-opts", os_raw, options)
    refused = command("repair", "--yes", image)
    assert refused.returncode == 3
    assert "is encrypted as a whole (LUKS)" in refused.stderr
    advice = refused.stderr.split("`")[1].replace("file=KEY", f"file={key}").replace("SOCKET", str(socket))
    with served(advice, socket):
        url = f"nbd+unix:///?socket={socket}"
        output_of("repair", "--yes", "--only", "bad-memory", url, status=(0, 1))
        assert content(url) != content(os_raw)
        output_of("undo", url)
        assert content(url) == content(os_raw)


@contextmanager
def served(words: str, socket: Path) -> Iterator[None]:
    """A server that somebody else started."""
    program, *rest = shlex.split(words)
    with subprocess.Popen([need_tool(program), *rest]) as server:
        try:
            wait(socket.exists)
            yield
        finally:
            server.kill()


@pytest.mark.parametrize(
    "address", ["rbd:pool/image:id=admin:key=secret", "rbd://pool/image?secret", "iscsi://me%secret@host/target/0"]
)
@pytest.mark.parametrize("words", [("diagnose",), ("repair", "--yes"), ("undo",)])
def test_an_address_of_qemus_is_refused_with_the_way_to_it(address: str, words: tuple[str, ...]) -> None:
    refused = command(*words, address)
    assert refused.returncode in (3, 4)
    assert "is an address that QEMU opens, and vmrescue does not: `qemu-nbd -t -f raw -k SOCKET" in refused.stderr
    assert "secret" not in refused.stderr
