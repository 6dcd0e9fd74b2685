"""Disks behind addresses that QEMU opens: an iSCSI server has a disk of ours, which is read, repaired and undone."""

from __future__ import annotations

import random
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nbd.images import wait
from support.command import output_of
from support.command import vmrescue as command
from support.images import fingerprint
from support.machine import need_root, need_tool, run
from vmrescue.image.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Iterator

TARGET = "iqn.2026-11.test:disk"


@pytest.fixture
def served(os_raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    """The address of a disk, and the file that a server has for it."""
    need_root()
    need_tool("block-iscsi.so")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    file = tmp_path / "served.raw"
    run("cp", "--sparse=always", os_raw, file)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    control = str(random.SystemRandom().randrange(1 << 14))
    words = [need_tool("tgtd"), "-f", "-C", control, "--iscsi", f"portal=127.0.0.1:{port}"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait(lambda: _listens(port))
            for mode in (
                ("--op", "new", "--mode", "target", "--tid", "1", "-T", TARGET),
                ("--op", "new", "--mode", "logicalunit", "--tid", "1", "--lun", "1", "-b", str(file)),
                ("--op", "bind", "--mode", "target", "--tid", "1", "-I", "ALL"),
            ):
                run("tgtadm", "-C", control, "--lld", "iscsi", *mode)
            yield f"iscsi://127.0.0.1:{port}/{TARGET}/1", file
        finally:
            server.kill()


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def test_a_disk_of_an_iscsi_server_is_repaired_and_undone(served: tuple[str, Path], os_raw: Path) -> None:
    address, file = served

    assert "bad-memory" in output_of("diagnose", address, status=1)
    assert fingerprint(file) == fingerprint(os_raw)
    said = command("repair", "--yes", "--only", "bad-memory", address)
    assert said.returncode == 0, said.stderr
    assert "nothing locks it" in said.stderr
    assert fingerprint(file) != fingerprint(os_raw)
    assert "bad-memory" not in output_of("diagnose", "--only", "bad-memory", address, status=0)
    output_of("undo", address)
    assert fingerprint(file) == fingerprint(os_raw)


@pytest.mark.parametrize("words", [("diagnose",), ("repair", "--yes"), ("undo",)])
def test_an_address_that_leads_nowhere_is_an_error_without_its_secrets(
    words: tuple[str, ...], served: tuple[str, Path], os_raw: Path
) -> None:
    address, file = served
    wrong = address.replace("//", "//me%secret@").replace(TARGET, "nothing")

    done = command(*words, wrong)

    assert (done.returncode, done.stdout) == (3, "")
    assert "Target not found" in done.stderr
    assert done.stderr.index("qemu-nbd: ") < done.stderr.find("(") or "(" not in done.stderr  # the reason comes first
    assert address.replace(TARGET, "nothing") in done.stderr
    assert "secret" not in done.stderr
    assert fingerprint(file) == fingerprint(os_raw)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rbd:pool/image:id=admin:key=secret", "rbd:pool/image"),
        ("rbd:pool/image:key=secret:conf=/etc/ceph/two.conf", "rbd:pool/image:conf=/etc/ceph/two.conf"),
        (r"rbd:pool/image:mon_host=10.0.0.1\:6789:key=secret", r"rbd:pool/image:mon_host=10.0.0.1\:6789"),
        ("iscsi://me%secret@host/target/0", "iscsi://host/target/0"),
        ("gluster+unix://volume/image?socket=/run/a&secret=b", "gluster+unix://volume/image?socket=/run/a"),
    ],
)
def test_what_is_shown_of_an_address_tells_which_image_it_is_and_no_secret(address: str, shown: str) -> None:
    place = Reference.of(address)
    assert (str(place), place.is_remote) == (shown, True)
    assert place.journal_folder == Reference.of(shown).journal_folder


@pytest.mark.parametrize(
    ("address", "whole"),
    [
        ("rbd:pool/image:key=secret:conf=two.conf", "rbd:pool/image:conf={}/two.conf"),
        ("rbd:pool/image:conf=../a.conf", "rbd:pool/image:conf={}/../a.conf"),
        ("gluster+unix://volume/image?socket=run/a", "gluster+unix://volume/image?socket={}/run/a"),
        ("nbd+unix:///one?socket=run/a", "nbd+unix:///one?socket={}/run/a"),
    ],
)
def test_the_journals_of_an_address_are_the_same_from_every_folder(
    address: str, whole: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    folder = Reference.of(address).journal_folder
    assert Reference.of(Reference.of(address).shown).journal_folder == folder
    monkeypatch.chdir(tmp_path / "other")
    assert Reference.of(whole.format(tmp_path)).journal_folder == folder
    assert Reference.of(address).journal_folder != folder


@pytest.mark.parametrize(("state", "home"), [("state", "/home/somebody"), ("", "/home/somebody"), ("state", "home")])
def test_a_folder_for_state_that_depends_on_where_one_stands_is_none(
    state: str, home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", state)
    monkeypatch.setenv("HOME", home)
    above = "/home/somebody" if home.startswith("/") else "/"
    assert Reference.of("rbd:pool/image").journal_folder.is_relative_to(Path(above) / ".local" / "state" / "vmrescue")
