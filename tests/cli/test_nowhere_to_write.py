"""On a system whose file systems are read-only, and where temporary files find no room: what needs no writing works."""

from __future__ import annotations

import os
import sys
import tempfile
from typing import TYPE_CHECKING

import pytest

import vmrescue
from hostile.disks import small_image
from support.command import vmrescue_anew
from support.images import fingerprint
from support.machine import need_root, run

if TYPE_CHECKING:
    from pathlib import Path

# $1: the images' folder; $2: whether that is read-only too. The system is this machine's, seen by this program alone.
READ_ONLY = """
mount --bind "$1" "$1"
for each in /tmp /var/tmp /dev/shm /run /home /root; do
    mountpoint -q $each && mount -o remount,bind,ro $each
done
mount --bind / / && mount -o remount,bind,ro / || exit 99
[ "$2" = no ] || mount -o remount,bind,ro "$1" || exit 99
cd "$1"; shift 2
unset HOME TMPDIR XDG_STATE_HOME XDG_RUNTIME_DIR
exec "$@"
"""
SYSTEM = r"C:\Windows\System32\config\SYSTEM"
ONLY_READ = {
    "diagnose os.img --format html": 1,
    "rehearse os.img": 1,
    "info os.img": 0,
    "scan os.img": 1,
    "plan os.img": 0,
    "ls os.img:1 /": 0,
    r"reg os.img query HKLM\SYSTEM\Select": 0,
    "bcdedit os.img /enum": 0,
    "repair os.img --dry-run": 1,
    "undo --list os.img": 0,
    "explain 0x7b": 0,
}
TO_WRITE = {
    "plan os.img -o plan.json": (5, "cannot write plan.json: Read-only file system"),
    "scan os.img -o r.html": (5, "cannot write r.html.partial: Read-only file system"),
    "scan os.img os.img --jobs 2": (5, "a folder for temporary files (TMPDIR) that can be written"),
    "repair os.img --yes": (4, "os.img may not be written: Read-only file system"),
    "undo os.img": (4, "os.img may not be written: Read-only file system"),
    "backup os.img saved": (5, "Read-only file system"),
    "diagnose os.img --log-file log": (5, "cannot write log: Read-only file system"),
    "demo": (5, "TMPDIR or --keep names another one"),
    "demo --keep here": (5, "cannot make the folder here: Read-only file system"),
}


def on_a_read_only_system(folder: Path, words: str, status: int, all_of_it: bool = True) -> str:
    need_root()
    command = [sys.executable, "-m", "vmrescue", *words.split()]
    inside = ["sh", "-c", READ_ONLY, "sh", str(folder), "yes" if all_of_it else "no", *command]
    source = os.path.dirname(os.path.dirname(vmrescue.__file__))  # noqa: PTH120
    return run("unshare", "--mount", "--propagation", "private", *inside, ok=(status,), PYTHONPATH=source)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    small_image(folder, "os.img")
    return folder


@pytest.mark.parametrize("words", ONLY_READ)
def test_what_only_reads_needs_nothing_that_can_be_written(words: str, images: Path) -> None:
    assert "vmrescue: " not in on_a_read_only_system(images, words, ONLY_READ[words])


@pytest.mark.parametrize("words", TO_WRITE)
def test_what_writes_says_where_it_cannot_and_leaves_nothing(words: str, images: Path) -> None:
    before = fingerprint(images / "os.img")
    status, said = TO_WRITE[words]
    assert said in on_a_read_only_system(images, words, status).replace("\n", " ")
    assert [path.name for path in images.iterdir()] == ["os.img"]
    assert fingerprint(images / "os.img") == before


@pytest.mark.parametrize("form", ["raw", "qcow2"])
def test_a_repair_and_its_undo_need_the_folder_of_the_image_alone(form: str, images: Path) -> None:
    """Of what QEMU writes too: its server needs neither a file nor a folder of its own."""
    image = images / "os.img"
    if form == "qcow2":
        run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", image, images / "os.qcow2")
        image.unlink()
        (images / "os.qcow2").rename(image)
    on_a_read_only_system(images, "repair os.img --yes --only bad-memory", 0, all_of_it=False)
    assert sorted(path.name for path in images.iterdir()) == ["os.img", "os.img.vmrescue"]
    assert vmrescue.diagnose(image, only=["bad-memory"]).healthy
    assert "was taken back" in on_a_read_only_system(images, "undo os.img", 0, all_of_it=False)


def test_a_folder_for_temporary_files_that_is_full_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_root()
    small = tmp_path / "small"
    small.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small)
    try:
        monkeypatch.setenv("TMPDIR", str(small))
        done = vmrescue_anew("demo")
        assert done.returncode == 5
        assert f"No space left on device, in {small}: TMPDIR or --keep names another one" in done.stderr
        assert list(small.iterdir()) == []
    finally:
        run("umount", small)


def test_a_server_of_qemus_serves_nobody_else_where_its_socket_has_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    from vmrescue.image.transports.qemu_nbd import _connected_pair

    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    listener, connection = _connected_pair()
    with listener, connection, socket.socket(socket.AF_UNIX) as other:
        other.setblocking(False)
        with pytest.raises(BlockingIOError):
            other.connect(listener.getsockname())
