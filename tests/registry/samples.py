"""Hives that the tests share: real ones, and new ones with a bit of everything."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

from support.real_data import corpus, sdist_file
from vmrescue.registry import Hive, ValueType

NOON = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)


def at_noon() -> datetime:
    """A clock that always gives the same time."""
    return NOON


def windows_10_system() -> bytes:
    """A clean SYSTEM hive of Windows 10: version 1.5, 33,317 keys."""
    return sdist_file("dissect.regf", "tests/_data/SYSTEM.gz")


def boot_store() -> bytes:
    """A UEFI machine's boot store: version 1.3."""
    return corpus("hives/BCD-uefi")


def windows_7_hive() -> bytes:
    """A hive with 5,000 subkeys in one list, recovered by Windows 7: version 1.3."""
    return corpus("hives/OldDirtyHive/RecoveredHive_Windows7")


EVERYTHING: list[tuple[int, int | str | list[str] | bytes]] = [
    (ValueType.NONE, b""),
    (ValueType.NONE, b"\x01\x02\x03"),
    (ValueType.SZ, 'text "q" <&> é 子'),
    (ValueType.SZ, ""),
    (ValueType.EXPAND_SZ, "%SystemRoot%\\MEMORY.DMP"),
    (ValueType.BINARY, b"\0\xff" * 10),
    (ValueType.BINARY, b"four"),
    (ValueType.BINARY, b"fives"),
    (ValueType.DWORD, 7),
    (ValueType.DWORD, b""),
    (ValueType.DWORD_BIG_ENDIAN, 7),
    (ValueType.LINK, "\\Registry\\Machine\\Software"),
    (ValueType.MULTI_SZ, ["a", "bé", "c"]),
    (ValueType.MULTI_SZ, []),
    (ValueType.RESOURCE_LIST, b"zz"),
    (ValueType.FULL_RESOURCE_DESCRIPTOR, b"zzzzz"),
    (ValueType.RESOURCE_REQUIREMENTS_LIST, b"zzzzzzzz"),
    (ValueType.QWORD, 1 << 40),
    (0xFFFF0007, b"a device property"),
    (ValueType.BINARY, bytes(range(256)) * 63),
    (ValueType.BINARY, b"16344" + b"x" * 16339),
    (ValueType.BINARY, b"16345" + b"x" * 16340),
    (ValueType.BINARY, b"a million" * 111_111),
]


def hive_with_everything(minor: int) -> Hive:
    """All types and sizes of values, and names in all forms."""
    hive = Hive.create("TEST", minor=minor, clock=at_noon)
    hive.create_key("Kéy ß\\子ключ")
    hive.create_key("Classy", class_name="a class")
    for number, (kind, data) in enumerate(EVERYTHING):
        hive.set_value("Kéy ß", f"value {number}", kind, data)
    hive.set_value("Kéy ß", "", ValueType.SZ, "default")
    hive.set_value("Kéy ß", "имя", ValueType.SZ, "a name in UTF-16")
    hive.set_value("Kéy ß", "a/b\\c%", ValueType.SZ, "odd\nname")
    return hive


def values_that_share_a_cell(count: int) -> bytes:
    """A hive with `count` values whose data are all in the same cell of half a megabyte."""
    hive = Hive.create("TEST", minor=3)
    hive.set_value("", "large", ValueType.BINARY, bytes(500_000))
    cell = hive.root.value("large").fields.data
    for number in range(count):
        hive.set_value("", f"v{number}", ValueType.DWORD, 0)
    data = bytearray(hive.to_bytes())
    for value in hive.root.values():
        struct.pack_into("<III", data, 4096 + 4 + value.offset + 4, 500_000, cell, 3)
    return bytes(data)
