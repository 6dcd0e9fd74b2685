"""New hives with every kind of value and name, compared with the judges."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from dissect.regf import regf

from registry.judges import assert_judges_agree, content_of
from registry.samples import EVERYTHING, NOON, at_noon, hive_with_everything
from vmrescue.registry import Hive, ValueType
from vmrescue.registry.value_type import encode

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("minor", [3, 4, 5, 6])
def test_a_new_hive_is_empty_and_three_readers_accept_it(tmp_path: Path, minor: int) -> None:
    hive = Hive.create("SYSTEM", minor=minor, clock=at_noon)
    assert content_of(hive) == {"": {}}
    assert not hive.dirty_before.dirty
    (tmp_path / "hive").write_bytes(hive.to_bytes())
    assert_judges_agree(tmp_path / "hive", {"": {}})


@pytest.mark.parametrize("minor", [3, 5])
def test_every_type_size_and_name_is_read_by_three_readers_as_it_was_set(tmp_path: Path, minor: int) -> None:
    hive = hive_with_everything(minor)
    expected = {f"value {number}": (kind, encode(kind, data)) for number, (kind, data) in enumerate(EVERYTHING)}
    expected[""] = (ValueType.SZ, "default\0".encode("utf-16-le"))
    expected["имя"] = (ValueType.SZ, "a name in UTF-16\0".encode("utf-16-le"))
    expected["a/b\\c%"] = (ValueType.SZ, "odd\nname\0".encode("utf-16-le"))
    content = {"": {}, "Classy": {}, "Kéy ß": expected, "Kéy ß\\子ключ": {}}
    (tmp_path / "hive").write_bytes(hive.to_bytes())
    assert content_of(Hive(hive.to_bytes())) == content
    assert_judges_agree(tmp_path / "hive", content)


def test_data_comes_back_as_the_python_object_that_was_set() -> None:
    hive = hive_with_everything(5)
    key = hive.key("kéy ß")
    for number, (kind, data) in enumerate(EVERYTHING):
        value = key.value(f"VALUE {number}")
        assert (value.type, value.data) == (kind, data)


def test_a_class_name_and_times_are_what_dissect_reads() -> None:
    hive = hive_with_everything(5)
    judge = regf.RegistryHive(io.BytesIO(hive.to_bytes())).open("Classy")
    assert hive.key("Classy").class_name == judge.class_name == "a class"
    assert hive.key("Classy").last_written == judge.timestamp == NOON


def test_a_symbolic_link_names_its_target() -> None:
    hive = Hive.create("SYSTEM")
    link = hive.create_link("CurrentControlSet", "\\Registry\\Machine\\SYSTEM\\ControlSet001")
    assert link.link_target == "\\Registry\\Machine\\SYSTEM\\ControlSet001"
    assert link.value("SymbolicLinkValue").raw == "\\Registry\\Machine\\SYSTEM\\ControlSet001".encode("utf-16-le")
    assert hive.root.link_target is None
