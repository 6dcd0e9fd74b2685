"""Disks that were made larger or smaller after their creation, as most in Azure were: their footer has two sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pyvhdi

import vmrescue
from support.images import fingerprint
from support.vhd import qemu_content
from vmrescue.image.containers.vhd_layout import FOOTER, FOOTER_CHECKSUM_AT, FOOTER_COOKIE, sealed

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20
SIZE = 640 * MIB
CHECKS = ["bad-memory", "page-file", "crash-dump"]


def say_created_with(image: Path, size: int) -> None:
    """Hyper-V leaves the original size as it was when it resizes a disk."""
    with image.open("r+b") as stream:
        stream.seek(-FOOTER.sizeof(), 2)
        end = stream.tell()
        fields = FOOTER.parse(stream.read())
        raw = sealed(FOOTER.build({**fields, "original_size": size}), FOOTER_CHECKSUM_AT)
        for position in (0, end):
            stream.seek(position)
            if stream.read(8) == FOOTER_COOKIE:
                stream.seek(position)
                stream.write(raw)


@pytest.mark.parametrize("original", [100 * MIB, 2 * SIZE])
@pytest.mark.parametrize("name", ["gen1_broken", "gen2_broken"])  # a fixed and a dynamic one
def test_a_disk_that_was_resized_is_repaired_confirmed_and_undone(
    name: str, original: int, request: pytest.FixtureRequest
) -> None:
    image: Path = request.getfixturevalue(name)
    say_created_with(image, original)
    before = fingerprint(image)
    judge = pyvhdi.file()
    judge.open(str(image))
    assert judge.get_media_size() == original  # this is what libvhdi makes of it, which has to confirm the repair
    judge.close()

    receipt = vmrescue.repair(image, only=CHECKS)

    assert receipt.committed
    assert vmrescue.diagnose(image, only=CHECKS).findings == []
    assert len(qemu_content(image)) == SIZE
    vmrescue.undo(image)
    assert fingerprint(image) == before
