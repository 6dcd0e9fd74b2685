"""A directory of 20,000 files, which ntfs-3g made: entries go in and out of a tree three levels deep.

VMRESCUE_CAMPAIGN multiplies the files: a directory of 100,000 has another block or two on the level below the root.
"""

from __future__ import annotations

import os
from random import Random
from typing import TYPE_CHECKING

import pytest

from ntfs.volumes import MIB, CountingDevice, format_volume, opened
from support.campaign import TIMES
from support.ntfs_judges import mounted, structure_judges
from vmrescue.errors import NotFoundError
from vmrescue.ntfs import NtfsVolume

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES = 20_000 * min(TIMES, 5)
EDITS = 300


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = format_volume(tmp_path_factory.mktemp("large") / "volume.img", 256 * MIB)
    with mounted(path, writable=True) as folder:
        (folder / "D").mkdir()
        for number in range(FILES):
            os.close(os.open(folder / "D" / f"file number {number * 7919 % FILES}", os.O_CREAT | os.O_WRONLY))
    yield path
    path.unlink()


def test_one_of_very_many_files_is_found_by_reading_a_few_blocks(image: Path) -> None:
    device = CountingDevice(image)
    volume = NtfsVolume(device)
    assert volume.stat("D/FILE NUMBER 17777").name == "file number 17777"
    assert device.read < 100 << 10
    with pytest.raises(NotFoundError):
        volume.stat(f"D/file number {FILES}")
    device.close()


def test_files_come_and_go_and_the_judges_see_it(image: Path) -> None:
    choice = Random(1)
    gone = {f"file number {number}" for number in choice.sample(range(FILES), EDITS)}
    come = {f"{'x' * choice.randrange(200)} new {number}" for number in range(EDITS)}
    with opened(image, writable=True) as volume:
        for name in gone:
            volume.delete(f"D/{name}")
        for name in come:
            volume.create_file(f"D/{name}", b"")
        names = {info.name for info in volume.list("D")}
    assert names == {f"file number {number}" for number in range(FILES)} - gone | come

    structure_judges(image)
    with mounted(image) as folder:
        assert {found.name for found in (folder / "D").iterdir()} == names
        assert all((folder / "D" / name).exists() for name in come)
        assert not any((folder / "D" / name).exists() for name in gone)
