"""Hostile hives: an error names the place, and time and memory are bounded by the file's size.

VMRESCUE_CAMPAIGN multiplies the number of random ones.
"""

from __future__ import annotations

import functools
import random
import struct
import time
import tracemalloc
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.samples import boot_store, values_that_share_a_cell
from registry.test_check import Damaged
from registry.test_recovery import entry, new_dirty, old_dirty, with_field
from support.campaign import TIMES
from vmrescue.errors import FormatError, UsageError, VmRescueError
from vmrescue.registry import Hive, RecoveryError, ValueType, export_reg, recover

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS, TIMES_THE_SIZE = 8, 60


@contextmanager
def bounded(size: int) -> Iterator[None]:
    """Asserts that the block takes little time, and no more memory than a file of that size justifies."""
    start = time.process_time()
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < size * TIMES_THE_SIZE + 2**20
    assert time.process_time() - start < SECONDS


def use_all_of_it(data: bytes) -> None:
    """Reads, checks, exports and edits a hive; only our own errors may be raised."""
    with suppress(VmRescueError):
        Hive(data).check()
    with suppress(VmRescueError):
        hive = Hive(data)
        for key in hive.walk():
            with suppress(VmRescueError):
                _ = key.path, key.class_name, key.last_written, key.security_descriptor, key.link_target
                _ = [(value.name, value.type, value.data) for value in key.values()]
    with suppress(VmRescueError):
        export_reg(Hive(data), "", "HKLM\\X")
    with suppress(VmRescueError):
        edit_all_of_it(Hive(data))


def edit_all_of_it(hive: Hive) -> None:
    for number, key in enumerate(hive.root.subkeys()[:5]):
        for deed in (
            functools.partial(hive.set_value, key.path, "new", ValueType.BINARY, bytes(20_000)),
            functools.partial(hive.rename_key, key.path, f"renamed to a longer name {number}"),
            functools.partial(hive.create_key, f"{key.path}\\below\\it"),
            functools.partial(hive.delete_value, key.path, "имя"),
            functools.partial(hive.delete_key, key.path, recursive=True),
        ):
            before, edition = hive.to_bytes(), hive.edition
            try:
                deed()
            except VmRescueError:
                assert hive.edition > edition or hive.to_bytes() == before
    Hive(hive.to_bytes())


@functools.cache
def small_hive(minor: int) -> bytes:
    """A few of everything, most of it on the first two pages."""
    hive = Hive.create("TEST", minor=minor)
    for number in range(12):
        hive.create_key(f"key {number}\\below", class_name="c" * number)
        hive.set_value(f"key {number}", "inline", ValueType.DWORD, number)
        hive.set_value(f"key {number}", "имя", ValueType.SZ, "text" * number)
    hive.set_value("key 3", "big", ValueType.BINARY, bytes(17_000))
    hive.create_link("link", "\\Registry\\Machine")
    return hive.to_bytes()


FIELDS = st.sampled_from([0, 1, 2, 8, 0x20, 0x7F, 0x80, 0xFFFF, 0x1000, 0x2000, 2**31 - 1, 2**31, 2**32 - 8, 2**32 - 1])


@settings(max_examples=150 * TIMES, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from([functools.partial(small_hive, 3), functools.partial(small_hive, 5), boot_store]),
    st.lists(st.tuples(st.integers(0), FIELDS | st.integers(0, 2**32 - 1)), min_size=1, max_size=6),
)
def test_any_changed_numbers_in_a_hive_end_in_our_own_errors(
    sample: Callable[[], bytes], changes: list[tuple[int, int]]
) -> None:
    data = bytearray(sample())
    in_use = [place for place in range(4096, len(data), 4) if any(data[place : place + 4])]
    for where, value in changes:
        struct.pack_into("<I", data, in_use[where % len(in_use)], value)
    use_all_of_it(bytes(data))


@settings(max_examples=150 * TIMES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from([3, 5]), st.integers(0, 2**32))
def test_any_changed_bytes_in_a_hive_end_in_our_own_errors(minor: int, seed: int) -> None:
    data = bytearray(small_hive(minor))
    chance = random.Random(seed)
    for _ in range(chance.randrange(1, 20)):
        data[chance.randrange(4096, 3 * 4096)] = chance.randrange(256)
    use_all_of_it(bytes(data))


@settings(max_examples=60 * TIMES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32), st.booleans())
def test_any_changed_bytes_in_logs_end_in_our_own_errors(seed: int, new: bool) -> None:
    data, logs = new_dirty() if new else old_dirty()
    changed = [bytearray(log) for log in logs]
    chance = random.Random(seed)
    for log in changed:
        for _ in range(chance.randrange(4)):
            log[chance.randrange(len(log)) if chance.random() < 0.5 else chance.randrange(600)] = chance.randrange(256)
    with suppress(VmRescueError):
        Hive(data, [bytes(log) for log in changed]).check()


def test_a_key_that_lists_itself_or_the_root_is_an_error() -> None:
    for target in ("Classy", ""):
        it = Damaged()
        it.put(it.hive.root.node.subkey_list, 4, "I", it.key(target))
        it.put(it.key("Classy"), 20, "IIII", 1, 0, it.hive.root.node.subkey_list, 0)
        with pytest.raises(FormatError, match=r"key node at byte .*the parent"):
            list(Hive(bytes(it.data)).walk())
        use_all_of_it(bytes(it.data))


def test_a_list_with_the_same_key_many_times_is_an_error() -> None:
    it = Damaged()
    leaf = it.leaf(0)
    first = bytes(it.data[4096 + leaf + 8 : 4096 + leaf + 16])
    it.data[4096 + leaf + 8 : 4096 + leaf + 8 + 8 * 500] = first * 500
    with pytest.raises(FormatError, match="each key once"):
        Hive(bytes(it.data)).key("many").subkeys()


def test_a_list_that_contains_itself_is_an_error() -> None:
    it = Damaged()
    root = it.hive.key("many").node.subkey_list
    it.put(root, 4, "I", root)
    with pytest.raises(FormatError, match="a leaf under an index root"):
        Hive(bytes(it.data)).key("many").subkeys()
    assert any("which belongs to something else already" in text for text in it.problems())


def many_keys(name: str, count: int) -> tuple[Hive, bytearray]:
    hive = Hive.create("TEST")
    for number in range(count):
        hive.create_key(f"{name}{number}")
    return hive, bytearray(hive.to_bytes())


def test_a_long_list_of_one_long_leaf_over_and_over_is_bounded() -> None:
    hive, data = many_keys("k", 3000)
    offset = hive.root.node.subkey_list
    leaf = struct.unpack_from("<I", data, 4096 + offset + 8)[0]
    big = len(data) - 4096
    entries = 16_000
    data += struct.pack("<4sII8xQI", b"hbin", big, 65536, 0, 0).ljust(65536, b"\0")
    struct.pack_into("<i2sH", data, 4096 + big + 32, -65504, b"ri", entries)
    struct.pack_into(f"<{entries}I", data, 4096 + big + 40, *[leaf] * entries)
    struct.pack_into("<I", data, 4096 + 32 + 4 + 28, big + 32)
    struct.pack_into("<I", data, 40, big + 65536)
    with bounded(len(data)):
        with pytest.raises(FormatError, match="no more keys than the hive has room for"):
            Hive(bytes(data)).root.subkeys()
        use_all_of_it(bytes(data))


def test_many_values_that_share_one_large_cell_are_bounded() -> None:
    data = values_that_share_a_cell(500)
    with bounded(len(data)):
        assert len(Hive(data).check()) >= 500
        with pytest.raises(FormatError, match="cells that several of them have"):
            export_reg(Hive(data), "", "HKLM\\X")


def test_sizes_that_no_file_holds_are_errors_before_any_memory_is_taken() -> None:
    for at, size in [(4, 0x7FFFFFFF), (4, 0x7FFF), (2, 0xFFFF)]:
        it = Damaged()
        it.put(it.value("big"), at, "I" if at == 4 else "H", size)
        with bounded(len(it.data)), pytest.raises(FormatError):
            print(Hive(bytes(it.data)).key("Classy").value("big").raw)


def test_keys_are_made_and_read_no_deeper_than_windows_allows() -> None:
    hive = Hive.create("TEST")
    deepest = hive.create_key("\\".join("d" * 512))
    assert deepest.depth == 512
    with pytest.raises(UsageError, match="at most 512 levels"):
        hive.create_key(f"{deepest.path}\\d")
    assert len(list(hive.walk())) == 513
    with hive._editing() as (editor, when):
        editor.create_subkey(deepest.offset, "d", when)
    with pytest.raises(FormatError, match="at most 512 levels"):
        list(hive.walk())
    assert hive.check() == []
    hive.delete_key("d", recursive=True)
    assert len(list(hive.walk())) == 1


def test_hostile_logs_are_bounded_too() -> None:
    data, (log1, _) = new_dirty()
    header = log1[:512]
    for log in [
        header + entry(2, 0xFFFFF000, [(0, bytes(512))] * 3),
        header + b"HvLE" * 100_000,
        header + entry(2, 20480, [(0, b"")] * 50_000),
        header + b"".join(entry(2 + number, 20480 + 4096 * number, [(0, b"")]) for number in range(500)),
    ]:
        with bounded(len(log) + len(data)), suppress(RecoveryError):
            recover(data, [log])
    data, (old,) = old_dirty()
    with bounded(len(data)), pytest.raises(RecoveryError, match=r"its end is missing: \d+ bytes"):
        recover(data, [with_field(old, 40, 0xFFFFF000)])


def test_many_values_of_one_key_are_set_read_and_removed_one_by_one_in_time() -> None:
    hive = Hive.create("TEST")
    names = [f"v{number}" for number in range(5_000)]
    start = time.process_time()
    for name in names:
        hive.set_value("", name, ValueType.DWORD, 1)
        assert hive.root.value(name.upper()).data == 1
    for name in names:
        hive.delete_value("", name)
    assert time.process_time() - start < SECONDS
    assert hive.root.values() == []
    assert hive.check() == []
