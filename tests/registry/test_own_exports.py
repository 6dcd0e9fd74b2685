"""A hive's own export, imported into an empty hive, gives the same keys, values and raw data: real hives and odd ones.

What a registration file has no word for is not in it: class names, security descriptors, last-written times.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from registry.judges import assert_hivexml_agrees, assert_judges_agree, content_of
from registry.samples import boot_store, hive_with_everything, windows_10_system
from support.machine import missing, run
from support.real_data import CORPUS, corpus
from vmrescue.registry import Hive, ValueType, export_reg, import_reg

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAME = r"HKEY_LOCAL_MACHINE\TEST"
HIVEX_WRITES = 8000  # bytes of a value that hivex can store


def dirty_hive(name: str) -> Hive:
    logs = [corpus(f"{name}.{suffix}") for suffix in ("LOG1", "LOG2") if (CORPUS / f"{name}.{suffix}.xz").exists()]
    return Hive(corpus(name), logs)


def odd_hive(name: str) -> Hive:
    path = CORPUS / "odd" / name
    if not path.exists():
        missing(f"the corpus is not here ({name}); set VMRESCUE_CORPUS")
    return Hive(path.read_bytes())


def root_without_flags() -> Hive:
    """As some programs make them: the root key has no flag but that of a name in Latin letters."""
    hive = hive_with_everything(5)
    data = bytearray(hive.to_bytes())
    flags = 4096 + hive.root.offset + 4 + 2
    assert struct.unpack_from("<H", data, flags) == (0x2C,)
    struct.pack_into("<H", data, flags, 0x20)
    return Hive(bytes(data))


HIVES: dict[str, Callable[[], Hive]] = {
    "boot store": lambda: Hive(boot_store()),
    "dirty, of Windows 10": lambda: dirty_hive("hives/NewDirtyHive1/NewDirtyHive"),
    "dirty, of Windows 7": lambda: dirty_hive("hives/OldDirtyHive/OldDirtyHive"),
    "slashes": lambda: odd_hive("hive-slash-and-backslash-keys"),
    "root without flags": root_without_flags,
    "everything": lambda: hive_with_everything(5),
}
# Parts of a SYSTEM hive, all of which takes half a minute: with slashes in names, addresses as names, long lists.
PARTS = [
    "Select",
    "Setup",
    r"ControlSet001\Control\Print",
    r"ControlSet001\Control\SecurityProviders",
    r"ControlSet001\Control\Session Manager",
    r"ControlSet001\Services\EventLog\Security",
    r"ControlSet001\Services\xmlprov",
]


def imported(text: bytes) -> Hive:
    hive = Hive.create("TEST")
    import_reg(hive, text, NAME)
    assert hive.check() == []
    return hive


def test_a_hive_whose_root_key_has_no_flags_is_edited_and_its_root_left_as_it_is(tmp_path: Path) -> None:
    hive = root_without_flags()
    assert [str(problem.weight.name) for problem in hive.check()] == ["NOTE"]
    hive.create_key("new")
    hive.set_value("", "of the root", ValueType.DWORD, 7)
    hive.delete_key(next(key.path for key in hive.root.subkeys() if key.name != "new"), recursive=True)
    (tmp_path / "hive").write_bytes(hive.to_bytes())
    assert_judges_agree(tmp_path / "hive", content_of(hive))
    assert Hive(hive.to_bytes()).root.node.flags == 0x20


@pytest.mark.parametrize("name", HIVES)
def test_a_hives_own_export_gives_the_same_hive(name: str, tmp_path: Path) -> None:
    hive = HIVES[name]()

    again = imported(export_reg(hive, "", NAME))

    assert content_of(again) == content_of(hive)
    (tmp_path / "hive").write_bytes(again.to_bytes())
    assert_judges_agree(tmp_path / "hive", content_of(hive))


@pytest.mark.parametrize("part", PARTS)
def test_the_export_of_a_part_of_a_real_hive_gives_the_same_keys(part: str, tmp_path: Path) -> None:
    hive = Hive(windows_10_system())

    again = imported(export_reg(hive, part, NAME))

    found = content_of(again)
    expected = content_of(hive, part)
    assert {path: values for path, values in found.items() if path in expected} == expected
    assert all(part.startswith(path) for path in found.keys() - expected.keys())
    (tmp_path / "hive").write_bytes(again.to_bytes())
    assert_judges_agree(tmp_path / "hive", found)


def test_hivexregedit_makes_the_same_of_our_exports(tmp_path: Path) -> None:
    """But it takes a string between quotation marks for Latin-1, of one line, and stores no long value."""
    for number, name in enumerate(["boot store", "slashes", "dirty, of Windows 10", "everything"]):
        hive = HIVES[name]()
        for key in list(hive.walk()):
            for value in key.values():
                text = value.data if value.type == ValueType.SZ and isinstance(value.data, str) else ""
                if value.size > HIVEX_WRITES or not (text.isascii() and f"{text}x".isprintable()):
                    hive.delete_value(key.path, value.name)
        path, text_file = tmp_path / f"hive {number}", tmp_path / f"text {number}"
        path.write_bytes(Hive.create("TEST").to_bytes())
        text_file.write_text(export_reg(hive, "", NAME).decode("utf-16"), "utf-8", newline="\n")
        run("hivexregedit", "--merge", "--prefix", NAME, path, text_file)
        assert_hivexml_agrees(path, content_of(hive))
