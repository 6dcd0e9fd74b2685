"""Replay of logs made by recipe: committed and uncommitted transactions, in every layout of the log.

Of what was committed ntfsrecover is the judge, byte by byte outside the log. It never takes back what was not: there
the volume as it was before is the judge, and whatever of it may differ is said.
"""

from __future__ import annotations

import random
import struct
from typing import TYPE_CHECKING

import pytest

from ntfs import log_builder as builder
from ntfs.log_builder import PAGE, Chain, Log, plain
from ntfs.log_cases import (
    NEWER,
    OLDER,
    TRANSACTION,
    committed,
    differences,
    dirty_pages,
    expect_edit,
    meaning,
    pending_work,
    recipe_log,
    recovered,
    replayed,
    sequence_numbers,
    spot_range,
)
from ntfs.log_recipe import (
    BLOCK,
    DELETED,
    GROWN,
    NEW,
    RECORD,
    Recipe,
    content_of,
    log_runs,
    log_size,
    scene,
    with_log,
)
from ntfs.volumes import write_sparse
from support.memory_device import MemoryDevice
from support.ntfs_judges import mounted_tree, structure_judges
from vmrescue.ntfs.log.replay import replay
from vmrescue.ntfs.store import FileStore

if TYPE_CHECKING:
    from pathlib import Path

CASES = [
    *((edit, directory, 4096, OLDER) for edit in (NEW, GROWN, DELETED) for directory in ("small", "big")),
    *((edit, "big", cluster, OLDER) for edit in (NEW, DELETED) for cluster in (512, 65536)),
    *((edit, "big", 4096, NEWER) for edit in (NEW, GROWN, DELETED)),
]


@pytest.mark.parametrize(("edit", "directory", "cluster", "version"), CASES)
def test_a_committed_transaction_is_redone_as_ntfsrecover_does(
    edit: str, directory: str, cluster: int, version: tuple[int, int], tmp_path: Path
) -> None:
    volume, log = committed(edit, directory, cluster, version)
    crashed = with_log(content_of(volume), log.to_bytes())

    ours, done = replayed(crashed)

    assert done.redone > 2
    assert done.undone == 0
    assert done.last_lsn == log.last
    theirs = recovered(crashed, tmp_path / "theirs", version)
    assert differences(volume, ours, theirs) == (sequence_numbers(volume) if edit == DELETED else [])
    expect_edit(tmp_path / "ours", ours, volume)


@pytest.mark.parametrize("version", [OLDER, NEWER])
def test_a_transaction_whose_records_go_over_the_end_of_the_file_is_redone(
    version: tuple[int, int], tmp_path: Path
) -> None:
    volume = scene(NEW, "big")
    first = builder.FIRST_PAGE[version]
    log, recipe = recipe_log(volume, version, start=log_size(volume.before) // PAGE - first - 3)
    while log.at + log.within < log.size - 600:
        log.forget(Chain(TRANSACTION))
    log.checkpoint()
    chain = Chain(TRANSACTION)
    recipe.edit(chain, NEW, "big")
    log.forget(chain)
    assert log.restart & (1 << log.bits) - 1 > log.last & (1 << log.bits) - 1, "the end lies before the start"
    crashed = with_log(content_of(volume), log.to_bytes())

    ours, done = replayed(crashed)

    assert done.redone > 2
    expect_edit(tmp_path / "ours", ours, volume)
    theirs = recovered(crashed, tmp_path / "theirs", version)
    assert differences(volume, ours, theirs) == []


@pytest.mark.parametrize("version", [OLDER, NEWER])
def test_the_last_page_may_be_there_as_a_copy_only(version: tuple[int, int], tmp_path: Path) -> None:
    volume, log = committed(NEW, "big", version=version)
    crashed = with_log(content_of(volume), log.to_bytes(copied=True))

    ours, _ = replayed(crashed)

    assert differences(volume, ours, recovered(crashed, tmp_path / "theirs", version)) == []
    expect_edit(tmp_path / "ours", ours, volume)


@pytest.mark.parametrize(("edit", "directory"), [(NEW, "small"), (GROWN, "small"), (DELETED, "big")])
def test_the_tables_of_windows_before_10_are_read(edit: str, directory: str, tmp_path: Path) -> None:
    volume = scene(edit, directory)
    log = Log(log_size(volume.before), old_tables=True)
    recipe = Recipe(volume, log)
    log.fill(2)
    chain = Chain(TRANSACTION)
    first = log.last
    recipe.edit(chain, edit, directory)
    log.checkpoint(dirty_pages(recipe, first), ((TRANSACTION, first, chain.last),))
    log.forget(chain)
    log.oldest = first
    crashed = with_log(content_of(volume), log.to_bytes())

    ours, done = replayed(crashed)

    assert done.redone > 2
    theirs = recovered(crashed, tmp_path / "theirs")
    assert differences(volume, ours, theirs) == (sequence_numbers(volume) if edit == DELETED else [])
    expect_edit(tmp_path / "ours", ours, volume)


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize(
    ("edit", "directory"), [(NEW, "small"), (NEW, "big"), (GROWN, "big"), (DELETED, "small"), (DELETED, "big")]
)
def test_a_transaction_that_was_not_committed_is_taken_back(
    edit: str, directory: str, on_disk: bool, tmp_path: Path
) -> None:
    volume = scene(edit, directory)
    log, recipe = recipe_log(volume)
    log.checkpoint()
    chain = Chain(TRANSACTION)
    number = recipe.edit(chain, edit, directory)
    unfinished = log.to_bytes()
    log.forget(chain)
    before = with_log(content_of(volume), unfinished)
    crashed = with_log(replayed(with_log(before, log.to_bytes()))[0], unfinished) if on_disk else before

    ours, done = replayed(crashed)

    assert done.transactions == 1
    assert done.undone > 2
    changed = {at // RECORD * RECORD for at in differences(volume, ours, before)}
    places = {at for spot in recipe.places for at in spot_range(spot, volume.cluster)}
    assert changed <= places
    record = FileStore(MemoryDevice(before)).mft.position(number)
    for at in changed - ({record} if edit != GROWN else set()):
        assert meaning(ours, at) == meaning(before, at), "nothing but LSNs, fix-ups and unused bytes may differ"
    if edit == NEW:  # the record was free and is free; each time it is given back, its number is raised
        assert not ours[record + 0x16] & 1
        assert ours[record + 0x10] == volume.after[record + 0x10] + 1
    if edit == DELETED:  # of it only the head was logged, and nothing else had changed
        assert meaning(ours, record) == meaning(before, record)
    structure_judges(write_sparse(ours, tmp_path / "ours"))
    before = with_log(before, b"")
    assert mounted_tree(tmp_path / "ours") == mounted_tree(write_sparse(before, tmp_path / "before"))


def test_what_windows_had_begun_to_take_back_is_taken_back_to_the_end(tmp_path: Path) -> None:
    volume = scene(NEW, "big")
    log, recipe = recipe_log(volume)
    log.checkpoint()
    chain = Chain(TRANSACTION)
    recipe.record_bit(chain, 200, True)
    first = chain.last
    recipe.record_bit(chain, 201, True)
    spot = recipe.places[-1]
    data = struct.pack("<II", 201, 1)
    log.update(
        chain,
        (builder.CLEAR_BITS, data),
        (builder.COMPENSATION, data),
        attribute=spot.attribute,
        lcns=spot.lcns,
        undo_next=first,
    )
    crashed = with_log(volume.before, log.to_bytes())

    ours, done = replayed(crashed)

    assert (done.redone, done.undone, done.transactions) == (3, 1, 1)
    assert differences(volume, ours, volume.before) == []


def test_work_from_before_the_checkpoint_is_redone_where_the_checkpoint_says_so(tmp_path: Path) -> None:
    volume = scene(NEW, "big")
    log, recipe = recipe_log(volume)
    chain = Chain(TRANSACTION)
    first = log.last
    recipe.edit(chain, NEW, "big")
    log.fill(1)
    log.checkpoint(dirty_pages(recipe, first), ((TRANSACTION, first, chain.last),))
    log.forget(chain)
    log.oldest = first
    crashed = with_log(content_of(volume), log.to_bytes())

    ours, done = replayed(crashed)

    assert done.first_lsn == first
    assert differences(volume, ours, recovered(crashed, tmp_path / "theirs")) == []
    expect_edit(tmp_path / "ours", ours, volume)


def test_clusters_that_were_given_back_are_left_alone() -> None:
    volume = scene(NEW, "big")
    log, recipe = recipe_log(volume)
    log.checkpoint()
    chain = Chain(TRANSACTION)
    recipe.edit(chain, NEW, "big")
    [block] = [spot for spot in recipe.places if spot.flags == builder.ON_BLOCK]
    log.update(chain, (builder.DELETE_CLUSTERS, struct.pack("<QQ", block.lcns[0], 1)), (builder.NOTHING, b""))
    log.forget(chain)
    crashed = with_log(content_of(volume), log.to_bytes())
    part = slice(block.lcns[0] * BLOCK, (block.lcns[0] + 1) * BLOCK)
    crashed[part] = content = random.Random(5).randbytes(BLOCK)  # another file's since

    ours, _ = replayed(crashed)

    assert ours[part] == content


def test_attributes_that_were_opened_after_the_checkpoint_are_known(tmp_path: Path) -> None:
    volume = scene(NEW, "big")
    log, recipe = recipe_log(volume)
    opened, log.attributes = log.attributes, []
    log.checkpoint()
    log.attributes = opened
    for kind, record in opened:
        log.open(kind, record)
    chain = Chain(TRANSACTION)
    recipe.edit(chain, NEW, "big")
    log.forget(chain)
    crashed = with_log(content_of(volume), log.to_bytes())

    ours, _ = replayed(crashed)

    assert differences(volume, ours, recovered(crashed, tmp_path / "theirs")) == []
    expect_edit(tmp_path / "ours", ours, volume)


class FailingDevice(MemoryDevice):
    """Its power fails before a write."""

    def __init__(self, data: bytes | bytearray, writes: int) -> None:
        super().__init__(data)
        self.left = writes

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        if not self.left:
            raise OSError("no power")
        self.left -= 1
        super().write_at(offset, data)


def test_a_replay_that_was_broken_off_is_completed_by_another_where_all_was_committed() -> None:
    volume, log = committed(NEW, "big")
    crashed = with_log(content_of(volume), log.to_bytes())
    whole = MemoryDevice(crashed)
    assert replay(whole) is not None
    assert len(whole.writes) > 3

    for writes in range(len(whole.writes)):
        device = FailingDevice(crashed, writes)
        with pytest.raises(OSError, match="no power"):
            replay(device)
        assert pending_work(device) is not None, "the log is closed last"
        again = MemoryDevice(device.data)
        assert replay(again) is not None
        assert differences(volume, again.data, whole.data) == []


@pytest.mark.parametrize("version", [OLDER, NEWER])
def test_the_log_is_left_closed_with_its_last_lsn(version: tuple[int, int]) -> None:
    volume, log = committed(NEW, "big", version=version)
    crashed = with_log(content_of(volume), log.to_bytes(current=log.restart))

    ours, _ = replayed(crashed)

    start, _ = log_runs(volume.before)[0]
    pages = [plain(ours[start + at : start + at + PAGE]) for at in (0, PAGE)]
    assert pages[0] == pages[1]
    assert struct.unpack_from("<HH", pages[0], 0x1A) == (1, 1), "minor and major version"
    assert struct.unpack_from("<QHHHH", pages[0], 0x30) == (log.last, 1, 0, builder.NO_CLIENT, 2)
    assert struct.unpack_from("<I", pages[0], 0x50) == (log.last_length,)
    assert struct.unpack_from("<QQ", pages[0], 0x70) == (log.last, log.last)
    rest = start + 2 * PAGE
    assert ours[rest : rest + 64 * PAGE] == crashed[rest : rest + 64 * PAGE], "nothing else of it is touched"
