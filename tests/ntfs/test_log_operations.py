"""Single operations and tables that occur neither in real logs nor in the recipes' edits."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ntfs import log_builder as builder
from ntfs.log_builder import Chain, Log, plain
from ntfs.log_cases import TRANSACTION, differences, recipe_log, recovered, replayed
from ntfs.log_recipe import BLOCK, NEW, RECORD, Recipe, Scene, Spot, log_size, scene, with_log
from support.memory_device import MemoryDevice
from vmrescue.errors import FormatError, RefusedError
from vmrescue.ntfs.log.layout import LogOperation
from vmrescue.ntfs.log.operations import ON_FILE_RECORD, ON_INDEX_BLOCK
from vmrescue.ntfs.log.replay import replay
from vmrescue.ntfs.log.step import LogStep
from vmrescue.ntfs.store import FileStore
from vmrescue.ntfs.structures.record import FileRecord
from vmrescue.ntfs.structures.system_files import VOLUME

if TYPE_CHECKING:
    from pathlib import Path

DATA, VOLUME_INFORMATION = 0x80, 0x70
VALUE = 0x18  # of an attribute without a name


def small_file(volume: Scene) -> tuple[int, FileRecord]:
    """A file whose content lies in its record; its number and record."""
    store = FileStore(MemoryDevice(volume.before))
    for number in range(24, store.mft.count):
        if volume.before[store.mft.position(number) + 0x16] & 3 == 1:
            record = store.mft.read(number)
            if any(each.kind == DATA and not each.non_resident and each.size == 40 for each in record.attributes):
                return number, record
    raise AssertionError("there is no small file")


def record_of(volume: bytes | bytearray, number: int) -> FileRecord:
    return FileStore(MemoryDevice(volume)).mft.read(number)


def log_one(
    recipe: Recipe, spot: Spot, redo: tuple[int, bytes], undo: tuple[int, bytes], record: int = 0, at: int = 0
) -> Chain:
    """A transaction of one update, not yet at its end."""
    chain = Chain(TRANSACTION)
    recipe.write(chain, spot, redo, undo, record, at)
    return chain


def begun() -> tuple[Scene, Log, Recipe]:
    volume = scene(NEW, "big")
    log, recipe = recipe_log(volume)
    log.checkpoint()
    return volume, log, recipe


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize("size", [0, 8, 13, 40, 41, 100])
def test_a_value_in_a_record_gets_another_length(size: int, finished: bool) -> None:
    volume, log, recipe = begun()
    number, before = small_file(volume)
    data = before.attributes[-1]
    keep = min(size, 8)
    value = data.value[:keep] + b"#" * (size - keep)
    redo, undo = value[keep:], data.value[keep:]
    spot = recipe.record_spot(number)
    ways = ((builder.RESIDENT, redo), (builder.RESIDENT, undo))
    chain = log_one(recipe, spot, *ways, data.position - before.position, VALUE + keep)
    if finished:
        log.forget(chain)

    ours, done = replayed(with_log(volume.before, log.to_bytes()))

    after = record_of(ours, number)
    assert done.redone == 1
    assert done.undone == (not finished)
    assert after.attributes[-1].value == (value if finished else data.value)
    assert after.used == before.used + (-(-size // 8) * 8 - 40 if finished else 0)
    assert [bytes(each.raw) for each in after.attributes[:-1]] == [bytes(each.raw) for each in before.attributes[:-1]]


def test_zeros_are_meant_where_a_value_grows_without_data(tmp_path: Path) -> None:
    volume, log, recipe = begun()
    number, before = small_file(volume)
    data = before.attributes[-1]
    chain = Chain(TRANSACTION)
    resident = (builder.RESIDENT, b"")
    offset = data.position - before.position
    recipe.write(chain, recipe.record_spot(number), resident, resident, offset, VALUE + 40, unlogged=8)
    log.forget(chain)
    crashed = with_log(volume.before, log.to_bytes())

    ours, _ = replayed(crashed)

    assert record_of(ours, number).attributes[-1].value == data.value + bytes(8)
    theirs = recovered(crashed, tmp_path / "theirs")
    assert [each.value for each in record_of(theirs, number).attributes[-1:]] == [data.value + bytes(8)]


def test_a_change_of_the_first_records_goes_to_the_mirror_too(tmp_path: Path) -> None:
    volume, log, recipe = begun()
    record = record_of(volume.before, VOLUME)
    information = next(each for each in record.attributes if each.kind == VOLUME_INFORMATION)
    offset = information.position - record.position
    ways = ((builder.RESIDENT, b"\x09" * 8), (builder.RESIDENT, bytes(8)))
    log.forget(log_one(recipe, recipe.record_spot(VOLUME), *ways, offset, VALUE))
    crashed = with_log(volume.before, log.to_bytes())

    ours, done = replayed(crashed)

    mirror, _ = FileStore(MemoryDevice(ours)).mft.mirror()
    assert done.redone == 1
    assert mirror.read_at(VOLUME * RECORD, RECORD) == ours[record.position : record.position + RECORD]
    assert ours[record.position + offset + VALUE] == 9
    assert differences(volume, ours, recovered(crashed, tmp_path / "theirs")) == []


def test_a_transaction_that_was_committed_but_not_forgotten_stays() -> None:
    volume, log, recipe = begun()
    chain = Chain(TRANSACTION)
    recipe.record_bit(chain, 200, True)
    log.update(chain, (builder.COMMIT, b""), (builder.NOTHING, b""))

    ours, done = replayed(with_log(volume.before, log.to_bytes()))

    assert (done.redone, done.undone) == (1, 0)
    assert len(differences(volume, ours, volume.before)) == 1


def test_what_a_top_level_action_did_stays_when_its_transaction_is_taken_back() -> None:
    volume, log, recipe = begun()
    chain = Chain(TRANSACTION)
    recipe.record_bit(chain, 200, True)
    before = chain.last
    recipe.record_bit(chain, 210, True)
    log.update(chain, (builder.END_ACTION, b""), (builder.COMPENSATION, b""), undo_next=before)

    ours, done = replayed(with_log(volume.before, log.to_bytes()))

    [at] = differences(volume, ours, volume.before)
    assert (done.redone, done.undone) == (2, 1)
    assert ours[at] ^ volume.before[at] == 1 << 210 % 8


def test_a_cluster_that_was_moved_is_changed_in_its_new_place() -> None:
    volume, log, recipe = begun()
    chain = Chain(TRANSACTION)
    recipe.record_bit(chain, 200, True)
    spot = recipe.places[-1]
    free = FileStore(MemoryDevice(volume.after)).boot.cluster_count - 3
    fix = (builder.HOT_FIX, b"")
    log.update(chain, fix, (builder.NOTHING, b""), attribute=spot.attribute, vcn=spot.vcn, lcns=(free,))
    log.forget(chain)

    ours, done = replayed(with_log(volume.before, log.to_bytes()))

    assert done.redone == 1
    assert differences(volume, ours, volume.before) == [free * BLOCK + 200 // 8]


def changed_file(lsn: int) -> tuple[bytearray, int, Scene]:
    """A volume with a logged change of a small file whose record has an LSN `after` units after the log's end."""
    volume, log, recipe = begun()
    number, before = small_file(volume)
    data = before.attributes[-1]
    offset = data.position - before.position
    redo = (builder.RESIDENT, b"#" * 40)
    log.forget(log_one(recipe, recipe.record_spot(number), redo, (builder.RESIDENT, data.value), offset, VALUE))
    crashed = with_log(volume.before, log.to_bytes())
    struct.pack_into("<Q", crashed, before.position + 8, log.last + lsn)
    return crashed, number, volume


def test_a_record_with_an_lsn_of_an_emptied_log_is_changed_all_the_same() -> None:
    rounds = 8 * log_size(scene(NEW, "big").before)  # in LSNs, far more than once through the log
    crashed, number, _ = changed_file(rounds)

    ours, done = replayed(crashed)

    assert done.redone == 1
    assert record_of(ours, number).attributes[-1].value == b"#" * 40


@pytest.mark.parametrize("lsn", [1, 1000])
def test_a_record_that_was_changed_after_the_end_of_the_log_is_refused(lsn: int) -> None:
    crashed, _, _ = changed_file(lsn)
    device = MemoryDevice(crashed)

    with pytest.raises(RefusedError, match="its end is lost"):
        replay(device)

    assert device.writes == []


def test_a_record_that_has_the_change_already_is_left_alone() -> None:
    crashed, _, volume = changed_file(0)

    ours, done = replayed(crashed)

    assert done.redone == 0
    assert differences(volume, ours, crashed) == []


def test_the_end_of_a_record_is_written_anew() -> None:
    volume = scene(NEW, "big")
    number, before = small_file(volume)
    raw = plain(volume.before[before.position : before.position + RECORD])
    start = before.attributes[-1].position - before.position
    end = struct.pack("<II", 0xFFFFFFFF, 0)
    step = LogStep(LogOperation.WRITE_END_OF_FILE_RECORD, end, start, 0, False, "file record", 0)

    ON_FILE_RECORD[LogOperation.WRITE_END_OF_FILE_RECORD](step, raw)

    after = FileRecord(raw, number, 0)
    assert [each.kind for each in after.attributes] == [each.kind for each in before.attributes][:-1]
    assert after.used == start + 8
    assert not any(raw[after.used :])


def test_the_data_of_an_entry_in_a_block_are_replaced() -> None:
    """An entry of $SII: a key of 4 bytes, data of 20 bytes."""
    entry = struct.pack("<HHIHHHH", 0x14, 20, 0, 0x28, 4, 0, 0) + b"\x07\0\0\0" + b"o" * 20
    last = struct.pack("<QHHHH", 0, 0x10, 0, 2, 0)
    head = struct.pack("<4sHHQQIIII", b"INDX", 0x28, 9, 0, 0, 0x28, 0x28 + 0x38, 0xFE8, 0)
    block = bytearray(head.ljust(BLOCK, b"\0"))
    block[0x40 : 0x40 + 0x38] = entry + last
    step = LogStep(LogOperation.UPDATE_BLOCK_DATA, b"n" * 20, 0, 0x40, True, "index block", 0)

    ON_INDEX_BLOCK[LogOperation.UPDATE_BLOCK_DATA](step, block)

    assert block[0x40 : 0x40 + 0x38] == entry[:0x14] + b"n" * 20 + last
    too_much = replace(step, data=b"n" * 24)
    with pytest.raises(FormatError):
        ON_INDEX_BLOCK[LogOperation.UPDATE_BLOCK_DATA](too_much, block)
