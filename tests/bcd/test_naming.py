"""Names for the keys of a store's hive: the same as in bcdedit's listing, which golden files confirm."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from bcd.stores import recipe, store_of, uefi_hive
from vmrescue.bcd.edits import element_path
from vmrescue.bcd.naming import ElementKey
from vmrescue.bcd.objects import Application, ObjectKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmrescue.bcd import Store


def named_by_path(store: Store) -> dict[str, str]:
    """Each element of the objects whose type follows from the path, with its name in the listing."""
    return {
        element_path(each.guid, element.id): element.name
        for each in store.objects()
        if each.alias or each.type.application is Application.OS_LOADER or each.type.kind is ObjectKind.DEVICE
        for element in each.elements()
    }


@pytest.mark.parametrize("hive", [partial(recipe, 1), partial(recipe, 2), uefi_hive])
def test_an_element_is_called_what_the_listing_calls_it(hive: Callable[[], bytes]) -> None:
    expected = named_by_path(store_of(hive()))
    assert len(expected) > 20
    assert "ramdisksdidevice" in expected.values()
    assert {path: key.name for path in expected if (key := ElementKey.of(path))} == expected


@pytest.mark.parametrize(
    ("element", "raw", "text"),
    [
        ("260000b0", b"\1", "Yes"),
        ("16000020", b"\0", "No"),
        ("15000023", (115200).to_bytes(8, "little"), "115200"),
        ("1700000a", (3).to_bytes(8, "little") + (4096).to_bytes(8, "little"), "0x3 0x1000"),
        ("12000004", "Windows\0".encode("utf-16-le"), "Windows"),
        ("11000001", b"\0" * 8, None),
    ],
)
def test_a_value_is_told_in_a_few_words(element: str, raw: bytes, text: str | None) -> None:
    key = ElementKey.of(rf"Objects\{{0f6f5a2e-3c1d-11ef-9a77-00155d3a2b01}}\Elements\{element}")
    assert key is not None
    assert key.value_text(raw) == text


@pytest.mark.parametrize("path", ["", "Objects", r"ControlSet001\Control", r"Objects\{0f6f5a2e}\Elements\260000b0"])
def test_other_keys_are_no_elements(path: str) -> None:
    assert ElementKey.of(path) is None
