"""Every command, from the command line, on images that QEMU writes: it does what it does to a raw image."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nbd.images import ALL, MADE, content, encrypted, kinds, must_be
from support.clock import stop_the_clock
from support.command import output_of
from support.command import vmrescue as command
from support.command_server import import_all
from support.endings import start, status_of
from support.images import fingerprint
from support.machine import run
from vmrescue.image.qemu_options import KEY_FILE
from volume.disks import MIB, gpt_disk, ntfs_volume

if TYPE_CHECKING:
    from collections.abc import Iterable

SOME = ("compressed, with a snapshot",)
READING = (
    ("rehearse",),
    ("diagnose",),
    ("scan",),
    ("repair", "--dry-run"),
    ("rescue", "--dry-run"),
    ("defrag", "--dry-run"),
)


def both(*words: object, on: Iterable[Path]) -> int:
    """Runs a command on each image (`{}`), in forks of this process, whose clock stands; the one exit status."""
    filled = [[str(word).replace("{}", str(path)) for word in words] for path in on]
    (status,) = {status_of(start(*each)) for each in filled}
    return status


@pytest.fixture(scope="session")
def data_raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GPT disk of 32 MiB with an NTFS volume of 8 MiB."""
    folder = tmp_path_factory.mktemp("data")
    disk = gpt_disk(folder / "data.raw", "-n1:4096:+8M", "-t1:0700", size=32 * MIB)
    with disk.open("r+b") as stream:
        stream.seek(4096 * 512)
        stream.write(ntfs_volume(folder / "volume", size=8 * MIB).read_bytes())
    return disk


@pytest.mark.parametrize("kind", MADE)
def test_files_and_volumes_are_changed_as_on_a_raw_image(
    kind: str, data_raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, twin = MADE[kind](data_raw, tmp_path), tmp_path / "twin.raw"
    run("cp", "--sparse=always", data_raw, twin)
    import_all()
    stop_the_clock(monkeypatch)
    (tmp_path / "file").write_bytes(b"content" * 1000)
    for name in ("one", "two"):
        assert both("put", "{}:1", tmp_path / "file", name, "--yes", "--quiet", on=(image, twin)) == 0
        must_be(image, twin)
    assert both("rm", "{}:1", "one", "--yes", "--quiet", on=(image, twin)) == 0
    must_be(image, twin)
    if image.suffix == ".qcow2":
        for path, form in ((image, "qcow2"), (twin, "raw")):
            run("qemu-img", "resize", "-f", form, path, "64M")
        assert both("expand", "{}:1", "--yes", "--quiet", "--size", "64M", on=(image, twin)) == 0
        must_be(image, twin)
        assert both("undo", "{}", on=(image, twin)) == 0
    else:
        expand = ("expand", "{}:1", "--yes", "--quiet", "--size", "64M")
        assert both(*expand, on=(image,)) == 4
        assert both(*expand, "--copy-to", tmp_path / "longer.qcow2", on=(image,)) == 0
        run("cp", "--sparse=always", twin, tmp_path / "longer.raw")
        assert both(*expand, on=(tmp_path / "longer.raw",)) == 0
        must_be(tmp_path / "longer.qcow2", tmp_path / "longer.raw")
    assert both("defrag", "{}:1", "--yes", "--quiet", on=(image, twin)) == 0
    must_be(image, twin)


@pytest.mark.parametrize("kind", kinds(SOME))
def test_a_rescue_and_a_run_are_those_of_a_raw_image_and_taken_back(
    kind: str, os_raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, twin = MADE[kind](os_raw, tmp_path), tmp_path / "twin.raw"
    run("cp", "--sparse=always", os_raw, twin)
    below = {path: fingerprint(path) for path in tmp_path.glob("[bm]*")}
    before, pair = fingerprint(image), (image, twin)
    import_all()
    stop_the_clock(monkeypatch)
    for words in READING if ALL else ():
        both(*words, "{}", on=pair)
    assert fingerprint(image) == before
    assert both("rescue", "--yes", "--quiet", "{}", on=pair) in (0, 1)
    must_be(image, twin)
    assert content(image) == content(twin) != content(os_raw)
    assert both("undo", "--all", "{}", on=pair) == 0
    must_be(image, os_raw)

    receipts = tmp_path / "receipts.jsonl"
    output_of("repair", "--yes", "--only", "bad-memory,crash-dump", "--output", receipts, image, twin, status=(0, 1))
    assert content(image) != content(os_raw)
    output_of("undo", "--run", receipts)
    must_be(image, os_raw)
    assert fingerprint(twin) == fingerprint(os_raw)
    if ALL:
        assert both("defrag", "--yes", "--quiet", "{}", on=pair) in (0, 1)
        must_be(image, twin)
    assert {path: fingerprint(path) for path in below} == below


@pytest.mark.parametrize("words", [("diagnose",), ("repair", "--yes")])
def test_an_encrypted_disk_needs_its_key(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw, wrong, right = tmp_path / "os.raw", tmp_path / "wrong", Path(os.environ[KEY_FILE])
    raw.write_bytes(random.Random(6).randbytes(MIB))
    wrong.write_text("another passphrase")
    image = encrypted(raw, tmp_path)
    before = fingerprint(image)

    monkeypatch.setenv(KEY_FILE, str(wrong))
    refused = command(*words, image)
    said = f"vmrescue: {image}: the passphrase in {wrong}, which {KEY_FILE} names, is not the disk's"
    assert (refused.returncode, refused.stderr) == (3, f"{said}\n")
    wrong.write_text(right.read_text() + "\n")
    refused = command(*words, image)
    assert (refused.returncode, refused.stderr) == (3, f"{said}; the line break at its end is taken for a part of it\n")
    monkeypatch.setenv(KEY_FILE, str(tmp_path / "none"))
    refused = command(*words, image)
    said = f"vmrescue: cannot open {tmp_path / 'none'}, which {KEY_FILE} names for {image}: No such file or directory\n"
    assert (refused.returncode, refused.stderr) == (3, said)
    monkeypatch.delenv(KEY_FILE)
    refused = command(*words, image)
    assert refused.returncode == 3
    assert f"is encrypted as a whole (LUKS): set the environment variable {KEY_FILE}" in refused.stderr

    with image.open("r+b") as stream:  # version 2, which QEMU does not know
        stream.seek(7)
        stream.write(b"\2")
    refused = command(*words, image)
    assert refused.returncode == 3
    assert "encrypted as a whole (LUKS, version 2), which vmrescue does not read: `cryptsetup open" in refused.stderr
    with image.open("r+b") as stream:
        stream.seek(7)
        stream.write(b"\1")
    assert fingerprint(image) == before
