from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fat.volumes import new_volume
from vmrescue.errors import UsageError
from vmrescue.fat import names

letters = st.characters(codec="utf-8", exclude_characters='"*/:<>?\\|', min_codepoint=32)
any_name = st.text(letters, min_size=1, max_size=127).filter(lambda name: name[-1] not in ". ")


@given(any_name)
def test_a_long_name_is_read_back_as_it_was_written(name: str) -> None:
    short = names.make_short(name, frozenset())
    raw = names.encode_long(name, short)
    assert len(raw) // 32 == -(-len(name.encode("utf-16-le")) // 26)
    assert names.decode_long([raw[i : i + 32] for i in range(0, len(raw), 32)], short) == name


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=21), st.binary(min_size=11, max_size=11))
def test_slots_of_any_bytes_give_a_name_or_none(slots: list[bytes], short: bytes) -> None:
    marked = [bytes([len(slots) - i | (0x40 if i == 0 else 0)]) + slot[1:] for i, slot in enumerate(slots)]
    summed = [slot[:13] + bytes([names.checksum(short)]) + slot[14:] for slot in marked]
    assert names.decode_long(slots, short) is None or slots
    assert isinstance(names.decode_long(summed, short), str | None)
    assert names.decode_short(short) is not None


@given(st.lists(any_name, max_size=30))
def test_short_names_never_collide(wanted: list[str]) -> None:
    taken: set[str] = set()
    for name in wanted:
        short = names.decode_short(names.make_short(name, taken))
        assert short not in taken
        assert names.exact_short(short) is not None
        taken.add(short)


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("Program Files", "PROGRA~1"),
        ("bootmgfw.efi.backup", "BOOTMG~1.BAC"),
        ("ReadMe.txt", "README.TXT"),
        (".gitignore", "GITIGN~1"),
        ("a+b.c", "A_B~1.C"),
        ("Übung.doc", "_BUNG~1.DOC"),
        ("one.two.three", "ONETWO~1.THR"),
        ("straße", "STRA_E~1"),
        ("x y", "XY~1"),
    ],
)
def test_a_short_name_is_made_as_windows_makes_it(name: str, short: str) -> None:
    _, volume = new_volume(12)
    volume.create_file(name, b"")
    assert volume.stat(name).short_name == short
    assert volume.stat(name).name == name


@pytest.mark.parametrize(
    "name", ["BCD", "bootmgr", "BOOT.SDI", "boot.sdi", "Boot.sdi", "BOOT.sdi", "a", "12345678.123"]
)
def test_a_name_that_fits_8_3_is_kept_with_its_case(name: str) -> None:
    _, volume = new_volume(12)
    volume.create_file(name, b"")
    assert [info.name for info in volume.list()] == [name]
    assert volume.stat(name.swapcase()).short_name == name.upper()


def test_after_four_of_a_kind_a_hash_tells_names_apart() -> None:
    _, volume = new_volume(12)
    for number in range(8):
        volume.create_file(f"long file name {number}", bytes([number]))
    shorts = [info.short_name for info in volume.list()]
    assert shorts[:4] == ["LONGFI~1", "LONGFI~2", "LONGFI~3", "LONGFI~4"]
    assert all(short.startswith("LO") and short.endswith("~1") for short in shorts[4:])
    assert len(set(shorts)) == 8
    assert [volume.read_file(short) for short in shorts] == [bytes([number]) for number in range(8)]


@pytest.mark.parametrize("name", ["", "a" * 256, "a:b", "tab\there", "dot.", "space ", "..", ".", "a*"])
def test_a_name_that_windows_refuses_is_refused(name: str) -> None:
    device, volume = new_volume(12)
    volume.create_file("there", b"")
    before = bytes(device.data)
    with pytest.raises(UsageError):
        volume.create_file(name, b"")
    with pytest.raises(UsageError):
        volume.rename("there", name)
    assert device.data == before


def test_letters_are_compared_as_windows_compares_them() -> None:
    assert names.fold("straße.txt") == "STRAßE.TXT"
    assert names.fold("äöü\u0131\u017f\u00b5") == "ÄÖÜ\u0131\u017f\u00b5"
