"""A replay of transaction logs gives exactly the bytes that Windows made, or is refused with a reason."""

from __future__ import annotations

import re
import struct
import time
from contextlib import closing
from io import BytesIO
from typing import TYPE_CHECKING

import pytest

from registry.judges import assert_hivexml_agrees, content_of
from registry.samples import at_noon, windows_10_system
from support.memory_device import MemoryDevice
from support.real_data import corpus
from vmrescue.disk import Overlay
from vmrescue.errors import RefusedError, UsageError
from vmrescue.registry import Applied, Hive, KeyNotFound, RecoveryError, ValueType, hive_state, recover
from vmrescue.registry.base_block import BaseBlock
from vmrescue.registry.hive_file import read_hive
from vmrescue.registry.log_new import HEADER
from vmrescue.registry.marvin import marvin32
from vmrescue.registry.recovery import replay
from vmrescue.registry.space import BIN_HEADER

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def new_dirty() -> tuple[bytes, list[bytes]]:
    """A dirty hive with new-form logs: entry 2 in LOG1; 3, 4 and 5 in LOG2."""
    name = "hives/NewDirtyHive1/NewDirtyHive"
    return corpus(name), [corpus(f"{name}.LOG1"), corpus(f"{name}.LOG2")]


def old_dirty() -> tuple[bytes, list[bytes]]:
    """A dirty hive with an old-form log."""
    name = "hives/OldDirtyHive/OldDirtyHive"
    return corpus(name), [corpus(f"{name}.LOG1")]


def system_b() -> tuple[bytes, list[bytes]]:
    """A dirty SYSTEM hive of Windows 10 with new-form logs, the bins of which they grow."""
    return corpus("hives/SYSTEM_B"), [corpus("hives/SYSTEM_B.LOG1"), corpus("hives/SYSTEM_B.LOG2")]


def with_field(data: bytes, position: int, value: int) -> bytes:
    """A base block's field replaced, and the checksum made right."""
    changed = bytearray(data)
    struct.pack_into("<I", changed, position, value)
    return BaseBlock.parse(changed).store(changed) + bytes(changed[512:])


def with_broken_checksum(data: bytes) -> bytes:
    return data[:508] + b"BAD!" + data[512:]


def test_new_form_logs_make_the_very_bytes_that_windows_10_made() -> None:
    data, logs = new_dirty()
    assert hive_state(data).dirty
    recovered, what = recover(data, logs)
    assert recovered == corpus("hives/NewDirtyHive1/RecoveredHive_Windows10")
    assert what.applied[0] == Applied(log=1, sequence=2, pages=1, bins_size=20480)
    assert str(what) == "4 log entries (2 to 5, 4 pages) from log 1 and 2"
    assert what.end == "no further entry at byte 40960"


def test_the_order_in_which_logs_are_given_does_not_matter() -> None:
    data, (log1, log2) = new_dirty()
    assert recover(data, [log2, log1])[0] == recover(data, [log1, log2])[0]


def test_an_old_form_log_makes_what_windows_7_made_but_for_what_it_wrote_later() -> None:
    data, logs = old_dirty()
    recovered, what = recover(data, logs)
    windows = corpus("hives/OldDirtyHive/RecoveredHive_Windows7")
    later = {
        **dict.fromkeys(range(4, 12), "sequence numbers: it wrote once more"),
        **dict.fromkeys(range(12, 20), "when it did"),
        **dict.fromkeys(range(48, 112), "the file's name: the hive was loaded from a copy"),
        **dict.fromkeys(range(508, 512), "the checksum over these"),
        **dict.fromkeys(range(4116, 4124), "when it wrote, once more, in the first bin"),
        441800: "largest value name of a key: lowered when it was asked for, as its longest value had been renamed",
    }
    assert len(recovered) == len(windows)
    differing = {number for number in range(len(windows)) if recovered[number] != windows[number]}
    assert differing <= later.keys()
    assert what.applied == (Applied(log=1, sequence=5, pages=64, bins_size=487424),)


def test_a_system_hive_grows_by_24_entries_and_hivex_reads_all_of_it(tmp_path: Path) -> None:
    data, logs = system_b()
    hive = Hive(data, logs)
    assert hive.recovered is not None
    assert [entry.sequence for entry in hive.recovered.applied] == list(range(2107, 2131))
    assert [entry.bins_size for entry in hive.recovered.applied if entry.sequence in (2117, 2119, 2130)] == [
        12398592,
        12541952,
        12591104,
    ]
    (tmp_path / "hive").write_bytes(hive.to_bytes())
    assert_hivexml_agrees(tmp_path / "hive", content_of(hive))
    assert str(hive_state(hive.to_bytes())) == "clean"
    assert hive.sequence == 2131


def test_what_only_the_logs_know_is_read_from_the_recovered_hive() -> None:
    data, logs = old_dirty()
    with pytest.raises(KeyNotFound):
        Hive(data).key("key_with_many_subkeys\\5000\\find_me_in_log")
    assert Hive(data, logs).key("key_with_many_subkeys\\5000\\find_me_in_log").path
    assert Hive(data, logs).key("key_with_many_subkeys\\4500").value("v").data == ["a", "bb", "ccc"]


def test_a_log_with_a_broken_base_block_is_refused_with_its_number_and_the_reason() -> None:
    data, logs = corpus("hives/BadLogHive1/BadLogHive"), [corpus("hives/BadLogHive1/BadLogHive.LOG1"), b""]
    with pytest.raises(RecoveryError) as refused:
        recover(data, logs)
    assert str(refused.value) == (
        "no transaction log applies to the dirty hive (log 1: the checksum of its base block is 0x4c564e49, "
        "not 0x0ccbac9d; log 2: it is empty)"
    )
    assert refused.value.exit_status == 4


def test_each_torn_log_ends_the_replay_at_its_last_whole_entry() -> None:
    data, (log1, log2) = new_dirty()
    for position, reason in [
        (8192 + 4, "entry 4 at byte 8192 is cut short"),
        (8192 + 12, "the header of entry 5 at byte 8192 does not match its hash"),
        (8192 + 5000, "the data of entry 4 at byte 8192 does not match its hash"),
        (8192, "no further entry at byte 8192"),
    ]:
        torn = bytearray(log2)
        torn[position] ^= 1
        what = recover(data, [log1, bytes(torn)])[1]
        assert [entry.sequence for entry in what.applied] == [2, 3]
        assert what.end == reason
    assert recover(data, [log1, log2[:9000]])[1].end == "entry 4 at byte 8192 is cut short"


def test_a_log_that_does_not_continue_the_other_is_not_applied() -> None:
    data, (log1, log2) = new_dirty()
    foreign = with_field(log2, 4, 7)
    assert [entry.sequence for entry in recover(data, [log1, foreign])[1].applied] == [2]
    with pytest.raises(RecoveryError, match=r"log 1: entry 3 follows where 2 is due"):
        recover(data, [with_field(log2, 4, 2)])
    newer = with_field(with_field(data, 4, 10), 8, 9)
    with pytest.raises(RecoveryError, match=r"log 1: its entries begin at 2, before the hive's last write, 9; log 2: "):
        recover(newer, [log1, log2])


def test_a_log_of_another_hive_is_not_applied_though_its_numbers_fit() -> None:
    data, (log1, log2) = new_dirty()
    other = with_field(log1, 112, 0x12345678)
    with pytest.raises(RecoveryError, match=r"log 1: it is another hive's, by the GUIDs"):
        recover(data, [other])
    assert [entry.sequence for entry in recover(data, [log1, with_field(log2, 112, 1)])[1].applied] == [2]
    assert Hive(data, [other]).unreplayed


def test_a_broken_base_block_is_taken_from_the_log_with_the_later_entries() -> None:
    data, logs = new_dirty()
    whole = recover(data, logs)[0]
    recovered, what = recover(with_broken_checksum(data), logs)
    assert what.base_block_from == 2
    assert [entry.sequence for entry in what.applied] == [3, 4, 5]
    assert recovered[:4096] == whole[:4096]
    data, logs = old_dirty()
    recovered, what = recover(with_broken_checksum(data), logs)
    assert what.base_block_from == 1
    assert recovered == recover(data, logs)[0]


def test_an_old_form_log_from_before_the_last_write_is_not_applied() -> None:
    data, logs = old_dirty()
    later = with_field(data, 16, struct.unpack_from("<I", data, 16)[0] + 1)
    with pytest.raises(RecoveryError, match=r"log 1: it is older than the hive's last write"):
        recover(later, logs)


def test_an_old_form_log_that_is_damaged_is_refused_with_the_reason() -> None:
    data, (log,) = old_dirty()
    for damaged, reason in [
        (with_field(log, 8, 4), r"it was being written: its sequence numbers are 5 and 4"),
        (log[:512] + b"XXXX" + log[516:], r"at byte 512 there is 'XXXX', not 'DIRT'"),
        (log[:-1024], r"its end is missing: 1024 bytes"),
        (with_field(log, 40, 487425), r"it gives the bins a size of 487425 bytes"),
        (with_field(log, 28, 3), r"file type 3, which is no log's"),
        (b"junk" * 200, r"expected the signature 'regf', found 'junk'"),
    ]:
        with pytest.raises(RecoveryError, match=reason):
            recover(data, [damaged])


def entry(sequence: int, bins_size: int, pages: list[tuple[int, bytes]]) -> bytes:
    """A log entry with right hashes, whatever it says."""
    body = b"".join(struct.pack("<II", offset, len(page)) for offset, page in pages)
    body += b"".join(page for _, page in pages)
    body += bytes(-(HEADER.size + len(body)) % 512)
    size = HEADER.size + len(body)
    header = struct.pack("<4sIIIII8s", b"HvLE", size, 0, sequence, bins_size, len(pages), marvin32(body))
    return header + marvin32(header) + body


def test_entries_that_would_make_no_sound_hive_are_refused() -> None:
    data, (log1, _) = new_dirty()
    for bad, reason in [
        (entry(2, 20480, [(0, b"XXXX" * 128)]), r"do not make a sound hive: bin at byte 4096 .* found 'XXXX'"),
        (entry(2, 2**30, []), r"makes the hive \d+ bytes long; it and all its logs have \d+"),
        (entry(2, 20481, []), r"entry 2 at byte 512 gives the bins a size of 20481 bytes"),
        (entry(2, 20480, [(20480, b"x" * 512)]), r"a page that lies outside of it or of the bins"),
        (entry(2, 16384, []), r"bin at byte"),
        (entry(2, 20480, [(0, b"")] * 1000), r"a page of 0 bytes at 0: no whole sectors"),
        (entry(2, 20480, [(8, b"x" * 512)]), r"a page of 512 bytes at 8: no whole sectors"),
    ]:
        with pytest.raises(RecoveryError, match=reason):
            recover(data, [log1[:512] + bad])


def test_what_lies_behind_the_bins_does_not_become_a_part_of_them_when_they_grow() -> None:
    data, (log1, _) = new_dirty()
    end = 4096 + BaseBlock.parse(data).bins_size
    grown = end - 4096 + 8192
    bin_of_two = BIN_HEADER.pack(b"hbin", end - 4096, 8192, 0, 0) + (8192 - 32).to_bytes(4, "little")
    log = log1[:512] + entry(2, grown, [(end - 4096, bin_of_two.ljust(4096, b"\0"))]) + bytes(8192)
    for behind in (b"", b"\xee" * 6000, b"\xee" * 20000):
        recovered, _ = recover(data[:end] + behind, [log])
        assert recovered[end + 4096 : end + 8192] == bytes(4096)
        assert recovered[end + 8192 :] == behind[8192:]


@pytest.mark.parametrize("sample", [new_dirty, old_dirty, system_b])
def test_a_replay_into_an_overlay_makes_the_same_bytes_and_changes_nothing_below(
    sample: Callable[[], tuple[bytes, list[bytes]]],
) -> None:
    data, logs = sample()
    lengths = [len(data), len(data) - 4096, 8192, len(data) + 5000]
    for hive in (data, with_broken_checksum(data)):
        for given in (hive[:length].ljust(length, b"\xee") for length in lengths):
            below = MemoryDevice(given)
            with closing(Overlay(below)) as overlay:
                try:
                    expected, what = recover(given, logs)
                except RecoveryError as error:
                    with pytest.raises(RecoveryError, match=re.escape(str(error))):
                        replay(overlay, logs)
                    continue
                assert replay(overlay, logs) == what
                assert overlay.read_at(0, overlay.size) == expected
            assert below.data == given


def test_bins_that_shrink_and_grow_in_turn_are_written_once() -> None:
    data, (log1, _) = new_dirty()
    bins = BaseBlock.parse(data).bins_size
    behind = 64 << 20
    sizes = [size for _ in range(100) for size in (bins, bins + behind)]
    log = log1[:512] + b"".join(entry(number, size, []) for number, size in enumerate(sizes, 2))
    begun = time.process_time()
    with pytest.raises(RecoveryError, match="bin at byte"):
        recover(data + b"\xee" * behind, [log])
    assert time.process_time() - begun < 2


def test_an_entry_that_holds_more_than_its_pages_is_not_hashed() -> None:
    data, (log1, _) = new_dirty()
    for count, more in ((20_000, 0), (1, 10 << 20)):
        body = struct.pack("<II", 0, 512) * count + bytes(512 * count + more)
        body += bytes(-(HEADER.size + len(body)) % 512)
        header = struct.pack("<4sIIIII8x", b"HvLE", HEADER.size + len(body), 0, 2, 20480, count)
        begun = time.process_time()
        with pytest.raises(RecoveryError, match="more than its pages or the bins"):
            recover(data, [log1[:512] + header + marvin32(header) + body])
        assert time.process_time() - begun < 1


def test_after_an_edit_no_entry_of_any_log_can_be_applied_again() -> None:
    data, logs = system_b()
    hive = Hive(data, logs, clock=at_noon)
    hive.set_value("Select", "Current", ValueType.DWORD, 2)
    edited = hive.to_bytes()
    assert not hive_state(edited).dirty
    number = Hive(edited).sequence
    assert number > 2130
    crashed = with_field(with_field(edited, 4, number + 1), 8, number)
    with pytest.raises(
        RecoveryError, match=r"log 1: its entries begin at 2107, before .*log 2: its entries begin at 2111"
    ):
        recover(crashed, logs)


def test_remnants_in_a_clean_hives_logs_are_outnumbered_by_an_edit() -> None:
    hive = Hive(windows_10_system(), system_b()[1])
    assert hive.recovered is None
    hive.set_value("Select", "Current", ValueType.DWORD, 2)
    assert Hive(hive.to_bytes()).sequence == 2131
    spent = Hive(windows_10_system(), [bytes(512) + entry(0xFFFFFFFF, 4096, [])])
    with pytest.raises(RefusedError, match="sequence numbers are used up"):
        spent.set_value("Select", "Current", ValueType.DWORD, 2)


def test_a_clean_hive_is_not_recovered() -> None:
    with pytest.raises(UsageError, match="the hive is clean"):
        recover(windows_10_system(), system_b()[1])
    assert Hive(windows_10_system(), system_b()[1]).recovered is None


def test_only_the_pages_that_the_logs_changed_differ_from_the_input() -> None:
    data, logs = new_dirty()
    hive = Hive(data, logs)
    inside = {number for start, length in hive.changed_ranges() for number in range(start, start + length)}
    result = hive.to_bytes()
    assert all(number in inside for number in range(len(data)) if data[number] != result[number])


@pytest.mark.parametrize("sample", [new_dirty, old_dirty, system_b])
def test_a_hive_is_read_to_the_end_of_its_bins_and_its_logs_need_no_more(
    sample: Callable[[], tuple[bytes, list[bytes]]],
) -> None:
    data, logs = sample()
    hive = read_hive(BytesIO(data + b"behind the bins"), "the hive")
    assert hive == data[: 4096 + BaseBlock.parse(data).bins_size]
    recovered, _ = recover(data, logs)
    assert recover(hive, logs)[0] == recovered[: 4096 + BaseBlock.parse(recovered).bins_size]
    broken = with_broken_checksum(data)
    assert read_hive(BytesIO(broken), "the hive") == broken  # where the bins end, a log has to say
