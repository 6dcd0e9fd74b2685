"""A hive that is read as needed is the same as one in memory, and only a little of it is read."""

from __future__ import annotations

import struct
import tracemalloc
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vmrescue.device import Held
from vmrescue.registry import Hive, ValueType
from vmrescue.registry.check import Weight
from vmrescue.registry.file_bytes import PAGE, FileBytes

SIZE = 150_000  # three pieces
CONTENT = bytes(value * value >> 3 & 0xFF for value in range(SIZE))
WRITES = st.lists(st.tuples(st.integers(0, SIZE), st.binary(min_size=1, max_size=70_000)), max_size=5)


class Counted(Held):
    """Bytes that count how many of them were read."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data, "hive")
        self.read = 0

    def read_at(self, offset: int, length: int) -> bytes:
        self.read += length
        return super().read_at(offset, length)


@pytest.mark.parametrize("held", [True, False])
@settings(max_examples=60, deadline=None)
@given(WRITES, st.integers(0, SIZE), st.integers(1, 70_000))
def test_what_is_written_is_read_and_told(held: bool, writes: list[tuple[int, bytes]], at: int, length: int) -> None:
    found, model = FileBytes(CONTENT if held else Held(CONTENT, "hive")), bytearray(CONTENT)
    for position, data in writes:
        position = min(position, len(model))
        found.write(position, data)
        model[position : position + len(data)] = data
        assert found.peek(at, min(length, SIZE - at)) == model[at : min(at + length, SIZE)]

    assert len(found) == len(model)
    assert found[at : at + length] == model[at : at + length]
    if at + 12 <= len(model):
        assert found.unpack(struct.Struct("<IQ"), at) == struct.unpack_from("<IQ", model, at)
    assert found.find(bytes(model[at : at + 3]), 0, len(model)) == model.find(bytes(model[at : at + 3]))
    told = {number for start, size in found.changed() for number in range(start // PAGE, -(-(start + size) // PAGE))}
    pages = range(-(-len(model) // PAGE))
    assert told == {n for n in pages if model[n * PAGE : (n + 1) * PAGE] != CONTENT[n * PAGE : (n + 1) * PAGE]}

    found.cut(min(SIZE, len(model)))
    assert found[:] == model[:SIZE]


def large_hive() -> bytes:
    hive = Hive.create("SOFTWARE", clock=lambda: datetime(2024, 1, 1, tzinfo=UTC))
    for number in range(400):
        hive.set_value(hive.create_key(f"Classes\\Key {number:04}").path, "value", 3, bytes([number & 0xFF]) * 4000)
    return hive.to_bytes()


def test_an_edit_of_four_bytes_reads_and_changes_a_few_pages() -> None:
    data = large_hive()
    file, whole = Counted(data), Hive(data, clock=lambda: datetime(2025, 1, 1, tzinfo=UTC))
    hive = Hive(file, clock=lambda: datetime(2025, 1, 1, tzinfo=UTC))
    assert hive.value("Classes\\Key 0007", "value").raw == bytes([7]) * 4000
    assert file.read < len(data) // 4

    for each in (hive, whole):
        each.set_value("Classes\\Key 0007", "count", 4, 1)
    parts = list(hive.changed_parts())
    assert sum(len(part) for _, part in parts) <= 4 * PAGE
    patched = bytearray(data)
    for offset, part in parts:
        patched[offset : offset + len(part)] = part
    assert patched == whole.to_bytes() == hive.to_bytes()
    assert [problem for problem in hive.reread().check() if problem.weight > Weight.NOTE] == []


def grown_and_failed(hive: Hive) -> None:
    """An edit that makes the hive grow and then fails."""
    before = hive.size
    with hive._editing() as (editor, when):
        editor.set_value(hive.key("Classes").offset, "long", 3, bytes(500_000), when)
        assert hive.size > before
        raise InterruptedError


def test_an_edit_that_fails_leaves_the_bytes_as_they_were() -> None:
    data = large_hive()
    hive = Hive(Held(data, "hive"))
    with pytest.raises(InterruptedError):
        grown_and_failed(hive)
    assert (hive.size, hive.changed_ranges(), hive.to_bytes()) == (len(data), [], data)


def test_a_check_has_the_hive_in_memory_once() -> None:
    hive = Hive.create("SOFTWARE")
    for number in range(80):
        hive.set_value("", f"value {number}", ValueType.BINARY, bytes([number]) * 100_000)
    data = hive.to_bytes()
    read = Hive(Held(data, "hive"))

    tracemalloc.start()
    found = read.check()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert not found
    assert peak < 1.5 * len(data)
