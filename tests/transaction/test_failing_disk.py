"""A disk under us that lies or fails: the repair is noticed, rolled back and reported, and the image is as before."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import vmrescue
from support.images import fingerprint
from vmrescue.disk import pending

if TYPE_CHECKING:
    from pathlib import Path

CHECKS = ["bad-memory", "serial-console", "crash-dump"]


def is_image(descriptor: int, image: Path) -> bool:
    return os.path.samestat(os.fstat(descriptor), image.stat())


@pytest.mark.parametrize("name", ["gen1_broken", "gen2_broken"])
def test_a_disk_that_stores_something_else_is_found_out_after_the_commit(
    name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    image: Path = request.getfixturevalue(name)
    before = fingerprint(image)
    pwrite, lies = os.pwrite, iter([True])

    def lying_pwrite(descriptor: int, data: bytes, offset: int) -> int:
        if is_image(descriptor, image) and next(lies, False):
            data = bytes([data[0] ^ 0x01]) + bytes(data[1:])
        return pwrite(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", lying_pwrite)
    with pytest.raises(vmrescue.VmRescueError, match="not what was written") as failure:
        vmrescue.repair(image, only=CHECKS)
    assert failure.value.exit_status == 5
    assert fingerprint(image) == before
    assert pending(image) is None


@pytest.mark.parametrize("failing", [0, 1, 5])
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_a_write_that_fails_half_way_leaves_the_image_as_before(
    gen2_broken: Path, failing: int, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fingerprint(gen2_broken)
    pwrite, count = os.pwrite, iter(range(10_000))

    def failing_pwrite(descriptor: int, data: bytes, offset: int) -> int:
        if is_image(descriptor, gen2_broken) and next(count) == failing:
            raise OSError(code, os.strerror(code))
        return pwrite(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", failing_pwrite)
    with pytest.raises(vmrescue.VmRescueError, match="rolled back") as failure:
        vmrescue.repair(gen2_broken, only=CHECKS)
    assert failure.value.exit_status == 5
    assert fingerprint(gen2_broken) == before
    monkeypatch.setattr(os, "pwrite", pwrite)
    assert vmrescue.repair(gen2_broken, only=CHECKS).committed


def test_an_image_that_another_process_holds_is_refused_with_its_name(gen2_broken: Path) -> None:
    before = fingerprint(gen2_broken)
    code = f"held = open({str(gen2_broken)!r}, 'r+b'); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(vmrescue.VmRescueError, match=str(holder.pid)) as refusal:
            vmrescue.repair(gen2_broken, only=CHECKS)
        holder.communicate(b"\n")
    assert refusal.value.exit_status == 4
    assert fingerprint(gen2_broken) == before
