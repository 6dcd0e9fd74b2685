"""Damaged and hostile stores."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcd.stores import LOADER, SECOND_LOADER, RecipeVolumes, edited, recipe, store_of
from vmrescue.bcd.edits import element_path
from vmrescue.bcd.elements import Format
from vmrescue.bcd.values import Value, decode_value, encode_value
from vmrescue.commands.bcdedit import parse, run
from vmrescue.errors import FormatError, NotFoundError, UsageError, VmRescueError
from vmrescue.registry.operations import CreateKey, DeleteKey, SetValue

BOOT_MANAGER = UUID("9dea862c-5cdd-4e70-acc1-f32b344d4795")
FORMATS = [*Format, None]


def with_element(identifier: int, data: bytes, kind: int = 3) -> bytes:
    return edited(recipe(1), [SetValue(element_path(LOADER, identifier), "Element", kind, data)])


@pytest.mark.parametrize(
    ("identifier", "data"),
    [
        (0x11000001, b"short"),
        (0x14000006, "not a guid\0\0".encode("utf-16-le")),
        (0x23000003, b""),
        (0x25000020, b""),
        (0x25000020, bytes(9)),
        (0x16000009, b""),
        (0x17000077, bytes(7)),
    ],
)
def test_a_damaged_element_is_named_in_the_error(identifier: int, data: bytes) -> None:
    element = store_of(with_element(identifier, data)).object(LOADER).element(identifier)

    assert element is not None
    with pytest.raises(FormatError, match=f"element {identifier:08x} of BCD object {{{LOADER}}}"):
        _ = element.value


def test_a_listing_shows_a_damaged_element_as_unreadable_and_goes_on() -> None:
    hive = with_element(0x14000006, b"\1\2\3\4")

    outcome = run(parse(["/enum", "{default}"]), store_of(hive), RecipeVolumes(1))

    assert "inherit                 unreadable (01020304)\n" in outcome.text
    assert "systemroot              \\Windows\n" in outcome.text
    assert outcome.data is not None
    damaged = next(element for element in outcome.data[0]["elements"] if element["name"] == "inherit")
    assert damaged["value"] is None


@pytest.mark.parametrize(
    ("identifier", "kind", "data", "value"),
    [
        (0x25000020, 4, (3).to_bytes(4, "little"), 3),
        (0x25000020, 11, (3).to_bytes(8, "little"), 3),
        (0x25000020, 3, b"\2", 2),
        (0x16000009, 4, (1).to_bytes(4, "little"), True),
        (0x12000002, 1, "\\path".encode("utf-16-le"), "\\path"),
        (0x12000002, 1, "\\path\0\0junk".encode("utf-16-le"), "\\path"),
        (0x12000002, 1, b"", ""),
        (0x17000077, 3, b"", ()),
    ],
)
def test_values_in_other_forms_than_windows_own_are_understood(
    identifier: int, kind: int, data: bytes, value: object
) -> None:
    element = store_of(with_element(identifier, data, kind)).object(LOADER).element(identifier)

    assert element is not None
    assert element.value == value


def test_objects_that_inherit_from_each_other_in_a_circle_are_followed_once() -> None:
    settings = UUID("6efb52bf-1766-41db-a6b3-0ee5eff72bd7")
    circle = encode_value(Format.OBJECT_LIST, (LOADER, settings))
    hive = edited(recipe(1), [SetValue(element_path(settings, 0x14000006), "Element", *circle)])

    loader = store_of(hive).object(LOADER)

    assert [each.guid for each in loader.ancestors()] == [settings]
    assert loader.inherited("vga") is None


def test_keys_that_are_no_objects_and_objects_without_a_type_do_no_harm() -> None:
    stray = "Objects\\{00000000-0000-0000-0000-000000000001}"
    edits = [CreateKey("Objects\\readme"), CreateKey(stray), CreateKey(f"Objects\\{{{LOADER}}}\\Elements\\nonsense")]
    hive = edited(recipe(1), edits)

    outcome = run(parse(["/enum", "all"]), store_of(hive), RecipeVolumes(1))

    assert "Unknown (00000000)" in outcome.text
    assert "nonsense" not in outcome.text


def test_a_default_that_is_gone_gives_way_to_the_display_order_and_then_to_the_only_loader() -> None:
    gone = edited(recipe(1), [DeleteKey(f"Objects\\{{{LOADER}}}")])
    assert store_of(gone).default_loader().title == "Windows Boot Loader"

    damaged = [SetValue(element_path(BOOT_MANAGER, 0x23000003), "Element", 1, b"?!")]
    assert store_of(edited(recipe(1), damaged)).default_loader().guid == SECOND_LOADER

    manager = f"Objects\\{{{BOOT_MANAGER}}}"
    no_manager = edited(gone, [DeleteKey(manager)])
    with pytest.raises(NotFoundError, match="no default boot loader"):
        store_of(no_manager).default_loader()


def test_windows_re_is_not_the_default_because_nothing_else_is_left() -> None:
    hive = recipe(1)
    others = [each.guid for each in store_of(hive).loaders() if each.guid != SECOND_LOADER]
    alone = edited(
        hive,
        [
            *(DeleteKey(f"Objects\\{{{guid}}}") for guid in others),
            *(DeleteKey(f"Objects\\{{{BOOT_MANAGER}}}\\Elements\\{each:08x}") for each in (0x23000003, 0x24000001)),
        ],
    )
    assert store_of(alone).default_loader().guid == SECOND_LOADER

    recovery = edited(alone, [SetValue(element_path(SECOND_LOADER, 0x26000022), "Element", 3, b"\1")])
    with pytest.raises(NotFoundError, match="no default boot loader"):
        store_of(recovery).object("{default}")


@given(st.sampled_from(FORMATS), st.binary(max_size=300))
def test_any_bytes_of_any_format_have_a_value_or_a_format_error(value_format: Format | None, data: bytes) -> None:
    try:
        value = decode_value(value_format, data)
    except FormatError:
        return
    assert value is not None


NUMBERS = st.integers(-5, 1 << 65)
VALUES = (
    NUMBERS | st.booleans() | st.text(max_size=5) | st.uuids() | st.lists(NUMBERS | st.uuids(), max_size=3).map(tuple)
)


@given(st.sampled_from(list(Format)), VALUES)
def test_a_value_is_read_back_as_it_was_written_or_refused(value_format: Format, value: Value) -> None:
    try:
        _, data = encode_value(value_format, value)
    except UsageError:
        return
    assert decode_value(value_format, data) == value


WORDS = ["/set", "/enum", "/v", "{default}", "{bootmgr}", "nx", "osdevice", "partition=", "=", "[", "]", ";", ""]


@given(st.lists(st.sampled_from(WORDS), max_size=6))
def test_any_words_give_an_outcome_or_an_error_of_ours(words: list[str]) -> None:
    try:
        outcome = run(parse(words), store_of(recipe(1)), RecipeVolumes(1))
    except VmRescueError:
        return
    assert outcome.text
