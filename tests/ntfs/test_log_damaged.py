"""Logs that are torn, have unknown records or random damage: replayed to their end, or refused without a write."""

from __future__ import annotations

import struct
import time
from copy import deepcopy
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntfs import log_builder as builder
from ntfs.log_builder import PAGE, Chain, Log
from ntfs.log_cases import (
    NEWER,
    OLDER,
    TRANSACTION,
    committed,
    dirty_pages,
    expect_edit,
    pending_work,
    recipe_log,
    replayed,
)
from ntfs.log_recipe import (
    AWAKE,
    BLOCK,
    DELETED,
    GROWN,
    NEW,
    Recipe,
    Scene,
    content_of,
    log_runs,
    log_size,
    scene,
    with_log,
)
from support.memory_device import MemoryDevice
from vmrescue.errors import FormatError, RefusedError, UnsupportedError, VmRescueError
from vmrescue.ntfs.log.replay import replay
from vmrescue.ntfs.store import FileStore

if TYPE_CHECKING:
    from pathlib import Path


def torn(log: bytes, offset: int) -> bytearray:
    """A log with a page of which a sector was not written."""
    data = bytearray(log)
    data[offset + 1022] ^= 0xFF
    return data


@pytest.mark.parametrize("version", [OLDER, NEWER])
def test_a_torn_last_page_counts_as_its_copy_has_it(version: tuple[int, int]) -> None:
    volume = scene(NEW, "big")
    log, recipe = recipe_log(volume, version)
    log.checkpoint()
    chain = Chain(TRANSACTION)
    number = recipe.edit(chain, NEW, "big")
    assert log.within < PAGE - 200, "what follows fits in the page"
    unfinished, last = log.to_bytes(), log.last
    log.forget(chain)
    finished = torn(log.to_bytes(current=last), log.at)
    finished[: log.first_page] = unfinished[: log.first_page]  # restart pages and copies
    crashed = with_log(content_of(volume), finished)

    ours, done = replayed(crashed)

    assert (done.last_lsn, done.transactions) == (last, 1)
    assert not ours[FileStore(MemoryDevice(volume.after)).mft.position(number) + 0x16] & 1


def long_log(volume: Scene) -> tuple[Log, list[int]]:
    """A log with an edit and then pages without one, and the positions of these pages."""
    log, recipe = recipe_log(volume)
    log.checkpoint()
    chain = Chain(TRANSACTION)
    recipe.edit(chain, NEW, "big")
    log.forget(chain)
    log.fill(1)
    first = log.at
    log.fill(2)
    return log, [first, first + PAGE]


def test_a_log_that_goes_on_after_a_torn_page_is_refused() -> None:
    volume = scene(NEW, "big")
    log, pages = long_log(volume)
    device = MemoryDevice(with_log(content_of(volume), torn(log.to_bytes(current=log.restart), pages[0])))
    assert pending_work(device) is not None

    with pytest.raises(RefusedError, match=r"torn after record .* but goes on"):
        replay(device)

    assert device.writes == []


def test_a_log_that_was_torn_in_its_last_transfer_ends_there(tmp_path: Path) -> None:
    volume = scene(NEW, "big")
    log, pages = long_log(volume)
    count = (log.at - pages[0]) // PAGE + 1
    for place in range(count):
        log.pages[pages[0] + place * PAGE].transfer = count, place + 1
    file = torn(log.to_bytes(current=log.restart), pages[0])
    file[2 * PAGE : 3 * PAGE] = b"\xff" * PAGE  # no copy of the last page
    device = MemoryDevice(with_log(content_of(volume), file))

    done = replay(device)

    assert done is not None
    assert log.restart < done.last_lsn < log.last
    expect_edit(tmp_path / "ours", device.data, volume)


def test_a_log_that_ends_before_its_restart_page_says_so_is_refused() -> None:
    volume = scene(NEW, "big")
    log, pages = long_log(volume)
    device = MemoryDevice(with_log(content_of(volume), torn(log.to_bytes(), pages[0])))

    with pytest.raises(FormatError, match=r"expected records to 0x"):
        replay(device)

    assert device.writes == []


def refused(device: MemoryDevice) -> VmRescueError:
    with pytest.raises(VmRescueError) as caught:
        replay(device)
    assert device.writes == []
    return caught.value


@pytest.mark.parametrize("operation", [0x23, 0x24, 0x26, 0x28, 0xFFFF])
def test_an_unknown_operation_is_refused(operation: int) -> None:
    volume = scene(NEW, "big")
    log, recipe = recipe_log(volume)
    log.checkpoint()
    chain = Chain(TRANSACTION)
    recipe.edit(chain, NEW, "big")
    log.update(chain, (operation, b""), (builder.NOTHING, b""))
    log.forget(chain)

    error = refused(MemoryDevice(with_log(content_of(volume), log.to_bytes())))

    assert isinstance(error, UnsupportedError)
    assert f"unknown operation {operation:#x}" in str(error)


def test_a_transaction_that_was_prepared_but_not_decided_is_refused() -> None:
    volume = scene(NEW, "big")
    log, recipe = recipe_log(volume)
    log.checkpoint()
    chain = Chain(TRANSACTION)
    recipe.edit(chain, NEW, "big")
    log.update(chain, (builder.PREPARE, b""), (builder.NOTHING, b""))

    error = refused(MemoryDevice(with_log(content_of(volume), log.to_bytes())))

    assert isinstance(error, UnsupportedError)
    assert "transaction in state 2" in str(error)


@pytest.mark.parametrize("version", [(1, 0), (1, 2), (2, 1), (3, 0)])
def test_a_log_of_another_version_is_refused(version: tuple[int, int]) -> None:
    volume, log = committed(NEW, "big")
    file = bytearray(log.to_bytes())
    for page in (0, PAGE):
        struct.pack_into("<HH", file, page + 0x1A, version[1], version[0])

    error = refused(MemoryDevice(with_log(content_of(volume), file)))

    assert isinstance(error, UnsupportedError)
    assert f"version {version[0]}.{version[1]}" in str(error)


def test_an_update_of_the_log_itself_is_refused() -> None:
    volume = scene(NEW, "big")
    log, _ = recipe_log(volume)
    log.checkpoint()
    chain = Chain(TRANSACTION)
    lcn = log_runs(volume.before)[0][0] // BLOCK
    key = log.key(0x80, 6)
    data = struct.pack("<II", 0, 1)
    log.update(chain, (builder.SET_BITS, data), (builder.CLEAR_BITS, data), attribute=key, lcns=(lcn,))
    log.forget(chain)

    error = refused(MemoryDevice(with_log(content_of(volume), log.to_bytes())))

    assert isinstance(error, RefusedError)
    assert "the log itself" in str(error)


@pytest.mark.parametrize("signature", [b"hibr", b"HIBR", b"wake"])
def test_the_log_of_a_sleeping_windows_is_refused(signature: bytes) -> None:
    volume, log = committed(NEW, "big")
    crashed = with_log(content_of(volume), log.to_bytes())
    at = crashed.index(AWAKE * 2)
    crashed[at : at + 4] = signature

    error = refused(MemoryDevice(crashed))

    assert isinstance(error, RefusedError)
    assert "hibernated" in str(error)


def test_a_torn_file_record_is_refused() -> None:
    volume, log = committed(NEW, "big")
    crashed = with_log(content_of(volume), log.to_bytes())
    directory = FileStore(MemoryDevice(volume.before)).mft.position(Recipe(volume, log).directory("big"))
    crashed[directory + 510] ^= 0xFF

    error = refused(MemoryDevice(crashed))

    assert isinstance(error, FormatError)
    assert error.structure.startswith("file record ($LogFile record at byte")


@cache
def small_logs() -> list[tuple[Scene, bytearray, Log]]:
    """Logs of one edit each, committed or not, in both versions and both forms of the tables."""
    logs = []
    for edit, version, old_tables, finished in (
        (NEW, OLDER, False, True),
        (DELETED, OLDER, True, False),
        (GROWN, NEWER, False, True),
        (NEW, NEWER, False, False),
    ):
        volume = scene(edit, "small")
        log = Log(log_size(volume.before), version, old_tables=old_tables)
        recipe = Recipe(volume, log)
        log.fill(1)
        chain, log.oldest = Chain(TRANSACTION), log.last
        recipe.edit(chain, edit, "small")
        log.checkpoint(dirty_pages(recipe, log.oldest), ((TRANSACTION, log.oldest, chain.last),))
        recipe.record_bit(chain, 200, True)
        if finished:
            log.forget(chain)
        logs.append((volume, content_of(volume), log))
    return logs


SOME_VALUES = st.one_of(st.integers(0, 2**64 - 1), st.sampled_from([0, 1, 0x18, 0x40, PAGE, 2**63, 2**64 - 1]))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    which=st.integers(0, 3),
    changes=st.lists(st.tuples(st.floats(0, 1), st.sampled_from([1, 2, 4, 8]), SOME_VALUES), min_size=1, max_size=4),
    restart=st.one_of(st.none(), st.tuples(st.integers(0x10, 0x120), st.integers(0, 255))),
)
def test_a_log_that_was_changed_by_chance_is_replayed_or_refused_with_nothing_written(
    which: int, changes: list[tuple[float, int, int]], restart: tuple[int, int] | None
) -> None:
    volume, content, log = small_logs()[which]
    log = deepcopy(log)
    pages = [log.pages[offset] for offset in list(log.pages)[-2:]]
    for place, size, value in changes:
        page = pages[int(place * 1.999)]
        at = builder.DATA + int(place * 1.999 % 1 * (max(page.next_offset, builder.DATA + 8) - builder.DATA - 8))
        page.data[at : at + size] = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
    file = bytearray(log.to_bytes())
    if restart is not None:
        file[restart[0]] = file[PAGE + restart[0]] = restart[1]
    device = MemoryDevice(with_log(content, file))
    started = time.process_time()

    try:
        done = replay(device)
    except VmRescueError:
        assert device.writes == []
    else:
        assert done is None or done.last_lsn >= done.first_lsn
    assert time.process_time() - started < 5
    assert len(volume.before) == len(device.data)
