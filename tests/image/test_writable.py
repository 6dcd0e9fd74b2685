"""That an image cannot be written now is said by the diagnosis, and not first by the repair."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

import vmrescue
from hostile.disks import small_image
from support.command import vmrescue as command
from support.images import fingerprint
from support.machine import need_root, run
from support.machine_disk import loop_device

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def without_permission(image: Path) -> Iterator[Path]:
    image.chmod(0o444)
    yield image


@contextmanager
def with_attribute(image: Path, flag: int) -> Iterator[Path]:
    """As chattr(1) sets it: FS_IOC_GETFLAGS and FS_IOC_SETFLAGS of linux/fs.h."""
    need_root()
    with image.open("rb") as stream:
        before = fcntl.ioctl(stream, 0x80086601, bytes(8))
        fcntl.ioctl(stream, 0x40086602, bytes([before[0] | flag]) + before[1:])
        try:
            yield image
        finally:
            fcntl.ioctl(stream, 0x40086602, before)


@contextmanager
def immutable(image: Path) -> Iterator[Path]:
    with with_attribute(image, 0x10):
        yield image


@contextmanager
def only_appended_to(image: Path) -> Iterator[Path]:
    with with_attribute(image, 0x20):
        yield image


@contextmanager
def on_a_read_only_mount(image: Path) -> Iterator[Path]:
    need_root()
    folder = image.parent
    run("mount", "--bind", folder, folder)
    try:
        run("mount", "-o", "remount,bind,ro", folder)
        yield image
    finally:
        run("umount", folder)


@contextmanager
def read_only_device(image: Path) -> Iterator[Path]:
    with loop_device(image) as device:
        yield Path(device)


OBSTACLES = {
    without_permission: "is not written to: its mode, 0444, lets nobody write (chmod u+w)",
    immutable: "may not be written: Operation not permitted (it is immutable: chattr -i)",
    only_appended_to: "may not be written: Operation not permitted (it is only appended to: chattr -a)",
    on_a_read_only_mount: "may not be written: Read-only file system",
    read_only_device: "is not written to: the device is read-only (blockdev --setrw)",
}


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_what_the_system_refuses_is_no_promise_of_a_diagnosis(obstacle: object, tmp_path: Path) -> None:
    image = small_image(tmp_path, "os.img")
    assert len(vmrescue.diagnose(image).plan())
    with obstacle(image) as place:  # type: ignore[operator]
        before = fingerprint(image)
        why = f"{place} {OBSTACLES[obstacle]}"  # type: ignore[index]
        diagnosis = vmrescue.diagnose(place)
        assert diagnosis.refusal == why
        assert {each.refused for each in diagnosis.findings if each.changes} == {why}
        with pytest.raises(vmrescue.RefusedError) as refused:
            vmrescue.repair(place)
        assert why.startswith(str(refused.value))
        tried = command("repair", place, "--dry-run")
        assert f"this would be refused now: {why}" in " ".join(tried.stderr.split())
        assert len(vmrescue.Plan.from_json(command("plan", place).stdout))  # which somebody else may apply
        assert fingerprint(image) == before


def test_a_user_who_may_not_write_is_told_so() -> None:
    need_root()
    with TemporaryDirectory() as name:  # the folders above pytest's own are root's alone
        folder = Path(name)
        image = small_image(folder, "os.img")
        folder.chmod(0o755)
        assert as_nobody(image) == f"{image} may not be written: Permission denied"
        image.chmod(0o666)
        assert as_nobody(image) == (
            f"the image's undo journal needs the folder {image}.vmrescue, and {folder} may not be written"
        )
        folder.chmod(0o777)
        assert as_nobody(image) == "None"


def as_nobody(image: Path) -> str:
    """What is in the way of a user without rights."""
    asked = (
        "import os, sys; from vmrescue.image.writable import why_not_now;"
        "os.setgroups([]); os.setresuid(65534, 65534, 65534); print(why_not_now(sys.argv[1]))"
    )
    done = subprocess.run([sys.executable, "-c", asked, str(image)], check=True, capture_output=True, text=True)
    return done.stdout.strip()
