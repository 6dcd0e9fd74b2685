"""Images in QEMU's containers, by their kinds, and how they are looked at."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from support.machine import run
from vmrescue.disk import EditSession, open_disk
from vmrescue.errors import RefusedError
from vmrescue.image.copy import content_of
from vmrescue.image.qemu_options import KEY_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ALL = bool(os.environ.get("VMRESCUE_QEMU_ALL"))


def converted(raw: Path, folder: Path, form: str, *options: str, name: str | None = None) -> Path:
    image = folder / (name or f"os.{form}")
    run("qemu-img", "convert", "-f", "raw", "-O", form, *options, raw, image)
    return image


def child(raw: Path, folder: Path) -> Path:
    """A QCOW2 over a QCOW2 over a raw file, each in the same folder."""
    shutil.copy(raw, folder / "base.raw")
    for name, base, form in (("middle", "base.raw", "raw"), ("os", "middle.qcow2", "qcow2")):
        run("qemu-img", "create", "-f", "qcow2", "-b", base, "-F", form, folder / f"{name}.qcow2")
    return folder / "os.qcow2"


def with_snapshot(raw: Path, folder: Path) -> Path:
    image = converted(raw, folder, "qcow2", "-c")
    run("qemu-img", "snapshot", "-c", "before", image)
    return image


UNMEASURED = "Unable to get accurate CPU usage"  # by QEMU, which times its key's derivation: on a busy machine


def encrypted(raw: Path, folder: Path) -> Path:
    """By LUKS, with the key that `KEY_FILE` names (`conftest.py`)."""
    image = folder / "os.luks"
    options = ["-o", "key-secret=key,iter-time=10"]
    size = str(raw.stat().st_size)
    for _ in range(20):
        said = run("qemu-img", "create", "-q", "-f", "luks", *secret(), *options, image, size, ok=(0, 1))
        if UNMEASURED not in said:
            break
    assert not said
    run("qemu-img", "convert", *secret(), "-n", "-f", "raw", "--target-image-opts", raw, named(image))
    return image


def secret() -> list[str]:
    return ["--object", "secret,id=key,file=" + os.environ[KEY_FILE].replace(",", ",,")]


def named(image: Path) -> str:
    return f"driver=luks,key-secret=key,file.filename={image}"


MADE: dict[str, Callable[[Path, Path], Path]] = {
    "a backing chain": child,
    "compressed, with a snapshot": with_snapshot,
    "VMDK sparse": lambda raw, folder: converted(raw, folder, "vmdk"),
    "VMDK flat": lambda raw, folder: converted(raw, folder, "vmdk", "-o", "subformat=monolithicFlat"),
    "VDI": lambda raw, folder: converted(raw, folder, "vdi"),
    "Parallels": lambda raw, folder: converted(raw, folder, "parallels"),
    "LUKS": encrypted,
}


def kinds(some: Iterable[str]) -> Iterable[str]:
    """`some` of the kinds, with VMRESCUE_QEMU_ALL=1 all."""
    return MADE if ALL else some


def must_be(image: Path, twin: Path) -> None:
    """An image is sound, and has the disk of a raw twin, says QEMU."""
    form = image.suffix[1:]
    if form == "luks":  # of which QEMU has no check
        run("qemu-img", "compare", *secret(), "--image-opts", named(image), f"driver=raw,file.filename={twin}")
        return
    run("qemu-img", "check", "-f", form, image)
    run("qemu-img", "compare", "-f", form, "-F", "raw", image, twin)


def opened(image: Path) -> EditSession:
    """The image, opened to write as soon as nobody else has it."""
    for _ in range(100):
        try:
            return EditSession(image)
        except RefusedError as error:
            if "locked" not in str(error) and "in use" not in str(error):
                raise
            time.sleep(0.1)
    raise AssertionError(f"{image} stays locked")


def content(image: Path | str) -> str:
    with closing(open_disk(image)) as disk:
        return content_of(disk, disk.size, disk.read_at)


def servers(image: Path) -> list[int]:
    """The processes of `qemu-nbd` that have the image open, by their command lines."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            words = (process / "cmdline").read_bytes() if process.name.isdigit() else b""
        except OSError:
            continue
        if words.startswith(b"qemu-nbd\0") and str(image).encode() in words:
            found.append(int(process.name))
    return found


def wait(there: Callable[[], object], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < until
        time.sleep(0.01)
