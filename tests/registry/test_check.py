"""The check finds nothing in real hives, and finds each fault that a test makes, at its place."""

from __future__ import annotations

import functools
import operator
import re
import struct
from typing import TYPE_CHECKING

import pytest

from registry.samples import boot_store, hive_with_everything, windows_7_hive, windows_10_system
from support.real_data import corpus
from vmrescue.errors import FormatError
from vmrescue.registry import Hive, ValueType
from vmrescue.registry.check import Weight
from vmrescue.registry.key_value import BIG_DATA

if TYPE_CHECKING:
    from collections.abc import Callable


AT = r"at byte \d+ \(0x\w+\)"  # counted from the start of the file


def windows_10_recovered() -> bytes:
    return corpus("hives/NewDirtyHive1/RecoveredHive_Windows10")


def system_b_recovered() -> bytes:
    return Hive(corpus("hives/SYSTEM_B"), [corpus("hives/SYSTEM_B.LOG1"), corpus("hives/SYSTEM_B.LOG2")]).to_bytes()


@pytest.mark.parametrize(
    "sample", [boot_store, windows_7_hive, windows_10_recovered, windows_10_system, system_b_recovered]
)
def test_real_hives_are_sound(sample: Callable[[], bytes]) -> None:
    assert Hive(sample()).check() == []


@pytest.mark.parametrize("minor", [3, 5])
def test_a_hive_that_we_made_is_sound(minor: int) -> None:
    assert hive_with_everything(minor).check() == []


@functools.cache
def sound() -> Hive:
    """A hive with a bit of everything."""
    hive = Hive.create("TEST")
    hive.create_key("Classy", class_name="a class")
    for number in range(1100):
        hive.create_key(f"many\\{number:04}")
    for name, size in [("small", 4), ("plain", 100), ("other", 100), ("big", 50_000)]:
        hive.set_value("Classy", name, ValueType.BINARY, bytes(size))
    assert hive.check() == []
    return hive


class Damaged:
    """A copy of the sound hive, with functions that find places to damage by name."""

    def __init__(self, hive: Hive | None = None) -> None:
        self.hive = hive or sound()
        self.data = bytearray(self.hive.to_bytes())

    def key(self, path: str) -> int:
        return self.hive.key(path).offset

    def value(self, name: str) -> int:
        return self.hive.key("Classy").value(name).offset

    def leaf(self, number: int) -> int:
        """A leaf of the list of `many`."""
        return self.number(self.hive.key("many").node.subkey_list, 4 + 4 * number)

    def number(self, cell: int, at: int) -> int:
        """The number at a byte of a cell's content."""
        return int(struct.unpack_from("<I", self.data, 4096 + 4 + cell + at)[0])

    def put(self, cell: int, at: int, layout: str, *numbers: object) -> None:
        """Overwrites a cell's content from that byte on."""
        struct.pack_into(f"<{layout}", self.data, 4096 + 4 + cell + at, *numbers)

    def problems(self) -> list[str]:
        return [str(problem) for problem in Hive(bytes(self.data)).check()]


def wrong_bin_signature(it: Damaged) -> str:
    it.data[4096 + 4096 : 4096 + 4100] = b"HBIN"
    return r"bin at byte 8192 \(0x2000\): expected the signature 'hbin'"


def wrong_bin_offset(it: Damaged) -> str:
    struct.pack_into("<I", it.data, 4096 + 4096 + 4, 0x2000)
    return r"bin at byte 8192 \(0x2000\): expected its own offset from the first bin, 0x1000, found 0x2000"


def wrong_bin_size(it: Damaged) -> str:
    struct.pack_into("<I", it.data, 4096 + 4096 + 8, 4095)
    return r"bin at byte 8192 \(0x2000\): expected a size in whole pages"


def cell_beyond_its_bin(it: Damaged) -> str:
    it.put(it.key("Classy"), -4, "i", -8192)
    return rf"cell {AT}: has the size -8192; \d+ bytes are left in its bin"


def cell_of_an_odd_size(it: Damaged) -> str:
    it.put(it.key("Classy"), -4, "i", -100)
    return rf"cell {AT}: has the size -100"


def lost_cell(it: Damaged) -> str:
    it.put(it.key("Classy"), 48, "IIIIIIHH", 0xFFFFFFFF, 0, 100, 100, 50_000, 0, 6, 0)
    return rf"cell {AT}: is in use, but belongs to nothing"


def key_that_is_free(it: Damaged) -> str:
    cell = it.key("many\\0007")
    it.put(cell, -4, "i", 88)
    return rf"subkey list {AT}: refers to a cell at byte {4096 + cell} \(0x{4096 + cell:x}\), where no used cell begins"


def key_in_two_lists(it: Damaged) -> str:
    it.put(it.leaf(0), 4 + 8, "I", it.number(it.leaf(0), 4))
    return rf"subkey list {AT}: refers to a cell {AT}, which belongs to something else already"


def data_of_two_values(it: Damaged) -> str:
    it.put(it.value("plain"), 8, "I", it.number(it.value("other"), 8))
    return rf"key value {AT}: refers to a cell {AT}, which belongs to something else already"


def wrong_parent(it: Damaged) -> str:
    it.put(it.key("many\\0007"), 16, "I", it.key("Classy"))
    return rf"key node {AT}: has the parent {AT}, but is in the list of that {AT}"


def root_flag_elsewhere(it: Damaged) -> str:
    it.put(it.key("Classy"), 2, "H", 0x24)
    return rf"key node {AT}: has the flags 0x24, a root key's"


def no_key(it: Damaged) -> str:
    it.put(it.key("Classy"), 0, "2s", b"NK")
    return rf"key node {AT}: expected the signature 'nk', found 'NK'"


def name_beyond_its_cell(it: Damaged) -> str:
    it.put(it.key("Classy"), 72, "H", 200)
    return rf"key node {AT}: expected a name within \d+ bytes, found 200"


def wrong_number_of_subkeys(it: Damaged) -> str:
    it.put(it.key("many"), 20, "I", 1099)
    return rf"key node {AT}: counts 1099 subkeys; its list has 1100"


def unsorted_list(it: Damaged) -> str:
    leaf = it.leaf(0)
    first = it.data[4096 + leaf + 8 : 4096 + leaf + 16]
    it.data[4096 + leaf + 8 : 4096 + leaf + 16] = it.data[4096 + leaf + 16 : 4096 + leaf + 24]
    it.data[4096 + leaf + 16 : 4096 + leaf + 24] = first
    return rf"subkey list {AT}: has '0000' after a name that sorts behind it"


def wrong_hash(it: Damaged) -> str:
    it.put(it.leaf(1), 8, "I", 0xDEADBEEF)
    return rf"subkey list {AT}: has the hash 0xdeadbeef for '0506', not 0x\w+"


def no_list(it: Damaged) -> str:
    it.put(it.leaf(0), 0, "2s", b"xx")
    return rf"subkey list {AT}: expected one of the signatures 'lf', 'lh', 'li', 'ri', found 'xx'"


def too_many_entries(it: Damaged) -> str:
    it.put(it.leaf(0), 2, "H", 9999)
    return rf"subkey list {AT}: expected at most \d+ entries, found 9999"


def root_under_a_root(it: Damaged) -> str:
    it.put(it.leaf(0), 0, "2s", b"ri")
    return rf"subkey list {AT}: expected a leaf under an index root"


def empty_leaf(it: Damaged) -> str:
    it.put(it.leaf(0), 2, "H", 0)
    return rf"subkey list {AT}: has no entries"


def value_list_nowhere(it: Damaged) -> str:
    it.put(it.key("Classy"), 40, "I", 0x10)
    return rf"key node {AT}: refers to a cell at byte 4112 \(0x1010\), where no used cell begins"


def no_value(it: Damaged) -> str:
    it.put(it.value("plain"), 0, "2s", b"VK")
    return rf"key value {AT}: expected the signature 'vk'"


def two_values_of_one_name(it: Damaged) -> str:
    it.put(it.value("plain"), 20, "5s", b"SMALL")
    return rf"key value {AT}: bears the name 'SMALL', as another value of the key does"


def too_much_inline_data(it: Damaged) -> str:
    it.put(it.value("small"), 4, "I", 0x80000005)
    return rf"key value {AT}: expected at most 4 bytes of inline data, found 5"


def too_little_data(it: Damaged) -> str:
    it.put(it.value("plain"), 4, "I", 9999)
    return rf"big data {AT}: expected the signature 'db' and 1 segments"


def wrong_number_of_segments(it: Damaged) -> str:
    it.put(it.number(it.value("big"), 8), 2, "H", 3)
    return rf"big data {AT}: expected the signature 'db' and 4 segments, found 'db' and 3"


def big_data_in_an_old_version(it: Damaged) -> str:
    struct.pack_into("<I", it.data, 24, 3)
    assert BIG_DATA.size == 8
    return rf"key value {AT}: has its 50000 bytes as big data in version 1\.3"


def largest_name_too_small(it: Damaged) -> str:
    it.put(it.key("many"), 52, "H", 6)
    return rf"key node {AT}: gives its largest subkey name as 6 bytes; one has 8"


def largest_data_too_small(it: Damaged) -> str:
    it.put(it.key("Classy"), 64, "I", 49_999)
    return rf"key node {AT}: gives its largest value data as 49999 bytes; one has 50000"


def class_beyond_its_cell(it: Damaged) -> str:
    it.put(it.key("Classy"), 74, "H", 5000)
    return rf"class name {AT}: expected a used cell with 5000 bytes or more"


def wrong_number_of_references(it: Damaged) -> str:
    it.put(it.hive.root.node.security, 12, "I", 7)
    return rf"key security {AT}: counts the keys that have it as 7, not 1103"


def broken_ring(it: Damaged) -> str:
    it.put(it.hive.root.node.security, 8, "I", it.key("Classy"))
    return rf"key security {AT}: has the one {AT} before it in the ring, not that {AT}"


def no_descriptor(it: Damaged) -> str:
    it.put(it.hive.root.node.security, 20, "B", 9)
    return rf"key security {AT}: has a descriptor of revision 9"


def descriptor_with_a_part_beyond_it(it: Damaged) -> str:
    it.put(it.hive.root.node.security, 24, "I", 5000)
    return rf"key security {AT}: has a descriptor of \d+ bytes with a part at byte 5000"


def unfinished_write(it: Damaged) -> str:
    it.data[4] += 1
    return r"base block at byte 0 \(0x0\): the base block's checksum is 0x\w+, not 0x\w+"


RULES = [rule for name, rule in list(globals().items()) if getattr(rule, "__annotations__", {}).get("it") == "Damaged"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_each_broken_rule_is_found_where_it_is_broken(rule: Callable[[Damaged], str]) -> None:
    damaged = Damaged()
    expected = rule(damaged)
    problems = "\n".join(damaged.problems())
    assert re.search(expected, problems), problems


def root_key_without_its_flags(it: Damaged) -> None:
    it.put(it.hive.root.offset, 2, "H", 0x20)


def count_of_references_that_is_wrong(it: Damaged) -> None:
    it.put(it.hive.root.node.security, 12, "I", 7)


def descriptor_with_a_part_nowhere(it: Damaged) -> None:
    it.put(it.hive.root.node.security, 24, "I", 5000)


def cell_that_nothing_has(it: Damaged) -> None:
    it.put(it.key("Classy"), 48, "IIIIIIHH", 0xFFFFFFFF, 0, 100, 100, 50_000, 0, 6, 0)


def values_alike(it: Damaged) -> None:
    it.put(it.value("plain"), 20, "5s", b"SMALL")


def class_name_of_no_length(it: Damaged) -> None:
    it.put(it.key("many"), 48, "I", 0x20)


def class_length_without_a_name(it: Damaged) -> None:
    it.put(it.hive.root.offset, 74, "H", 12)


def value_list_without_values(it: Damaged) -> None:
    it.put(it.key("many"), 40, "I", 0x20)


def access_bits_of_a_layered_key(it: Damaged) -> None:
    it.put(it.key("many"), 12, "I", 0x100)


def in_a_layer(it: Damaged) -> None:
    struct.pack_into("<I", it.data, 144, 2)
    numbers = struct.unpack_from("<127I", it.data)
    struct.pack_into("<I", it.data, 508, functools.reduce(operator.xor, numbers))


def hidden_key_with_values(it: Damaged) -> None:
    in_a_layer(it)
    it.put(it.key("Classy"), 12, "I", 0x100)


def hidden_key_with_subkeys(it: Damaged) -> None:
    in_a_layer(it)
    it.put(it.key("many"), 12, "I", 0x100)


def hidden_root(it: Damaged) -> None:
    in_a_layer(it)
    it.put(it.hive.root.offset, 12, "I", 0x300)


def replaced_key_with_others_below(it: Damaged) -> None:
    in_a_layer(it)
    it.put(it.key("many"), 12, "I", 0x300)


def hidden_value_with_data(it: Damaged) -> None:
    in_a_layer(it)
    it.put(it.value("plain"), 16, "H", 3)


def flag_of_a_mount_point(it: Damaged) -> None:
    it.put(it.hive.root.offset, 2, "H", 0x2E)


def not_deletable_below_the_root(it: Damaged) -> None:
    it.put(it.key("Classy"), 2, "H", 0x28)


def value_of_a_layered_key(it: Damaged) -> None:
    it.put(it.value("plain"), 16, "H", 3)


def value_name_of_half_a_character(it: Damaged) -> None:
    it.put(it.value("plain"), 16, "H", 0)


def no_data_in_a_cell(it: Damaged) -> None:
    it.put(it.value("plain"), 4, "I", 0)


def a_link_with_other_values(it: Damaged) -> None:
    it.put(it.key("Classy"), 2, "H", 0x30)


def root_key_that_is_a_link(it: Damaged) -> None:
    it.put(it.hive.root.offset, 2, "H", 0x3C)


def root_key_without_a_name(it: Damaged) -> None:
    it.put(it.hive.root.offset, 72, "H", 0)


def root_flags_below_the_root(it: Damaged) -> None:
    it.put(it.key("Classy"), 2, "H", 0x24)


def descriptor_of_another_revision(it: Damaged) -> None:
    it.put(it.hive.root.node.security, 20, "B", 9)


def descriptor_out_of_the_ring(it: Damaged) -> None:
    it.put(it.hive.root.node.security, 8, "I", it.key("Classy"))


# What Microsoft's checker (chkreg 10.0.27668) makes of each: content, repairs it, or gives up on the hive or the key.
WEIGHTS: list[tuple[Callable[[Damaged], None], Weight]] = [
    (root_key_without_its_flags, Weight.NOTE),
    (count_of_references_that_is_wrong, Weight.NOTE),
    (descriptor_with_a_part_nowhere, Weight.NOTE),
    (cell_that_nothing_has, Weight.NOTE),
    (values_alike, Weight.NOTE),
    (class_name_of_no_length, Weight.FLAW),
    (class_length_without_a_name, Weight.FLAW),
    (value_list_without_values, Weight.FLAW),
    (access_bits_of_a_layered_key, Weight.FLAW),
    (hidden_key_with_values, Weight.FLAW),
    (hidden_key_with_subkeys, Weight.FLAW),
    (hidden_root, Weight.FLAW),
    (replaced_key_with_others_below, Weight.FLAW),
    (hidden_value_with_data, Weight.FLAW),
    (flag_of_a_mount_point, Weight.FLAW),
    (not_deletable_below_the_root, Weight.FLAW),
    (value_of_a_layered_key, Weight.FLAW),
    (value_name_of_half_a_character, Weight.FLAW),
    (no_data_in_a_cell, Weight.FLAW),
    (a_link_with_other_values, Weight.FLAW),
    (root_key_that_is_a_link, Weight.DAMAGE),
    (root_key_without_a_name, Weight.DAMAGE),
    (root_flags_below_the_root, Weight.DAMAGE),
    (descriptor_of_another_revision, Weight.DAMAGE),
    (descriptor_out_of_the_ring, Weight.DAMAGE),
]


@pytest.mark.parametrize(("change", "weight"), WEIGHTS, ids=[change.__name__ for change, _ in WEIGHTS])
def test_a_problem_weighs_what_it_weighs_for_windows(change: Callable[[Damaged], None], weight: Weight) -> None:
    damaged = Damaged()
    change(damaged)
    assert max(problem.weight for problem in Hive(bytes(damaged.data)).check()) is weight


def test_what_a_layer_hides_is_sound_in_a_hive_that_is_one() -> None:
    """Microsoft's checker finds nothing in such a hive, whatever its version; nor in one that Windows made."""
    hive = Hive.create("TEST", minor=6)
    for path in ("gone", "replaced\\whole", "merged"):
        hive.create_key(path)
    hive.set_value("merged", "gone", ValueType.NONE, b"")
    it = Damaged(hive)
    for path, bits in (("gone", 0x100), ("replaced", 0x300), (r"replaced\whole", 0x300), ("merged", 0x200)):
        it.put(it.key(path), 12, "I", bits)
    hidden = hive.key("merged").value("gone").offset
    it.put(hidden, 4, "IIIH", 0, 0xFFFFFFFF, 0, 3)
    assert {problem.weight for problem in Hive(bytes(it.data)).check()} == {Weight.FLAW}
    in_a_layer(it)
    assert Hive(bytes(it.data)).check() == []


def test_a_root_key_that_is_none_is_no_hive() -> None:
    data = bytearray(Hive.create("TEST").to_bytes())
    data[4096 + 32 + 4 : 4096 + 32 + 6] = b"NK"
    with pytest.raises(FormatError, match=r"key node at byte 4132 .*found 'NK'"):
        Hive(bytes(data))
