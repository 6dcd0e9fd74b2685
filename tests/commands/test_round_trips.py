"""What goes out comes back: exports of keys and of stores, held against hivexregedit both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bcd.stores import judged, merged, recipe
from commands.here import output_of, vmrescue
from commands.hives import written
from registry.judges import assert_judges_agree, content_of
from registry.samples import hive_with_everything
from support.images import fingerprint
from support.machine import run_bytes
from support.real_data import corpus
from vmrescue.registry import Hive, ValueType

if TYPE_CHECKING:
    from pathlib import Path

ROOT = r"HKLM\TEST"
HIVEX_WRITES = 8000  # bytes of a value that hivex can store


@pytest.fixture
def everything(tmp_path: Path) -> Path:
    """A hive with all types and sizes of values, and names in all forms."""
    path = tmp_path / "full"
    path.write_bytes(hive_with_everything(5).to_bytes())
    return path


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    path = tmp_path / "empty"
    path.write_bytes(Hive.create("TEST").to_bytes())
    return path


def content(path: Path) -> dict[str, dict[str, tuple[int, bytes]]]:
    return content_of(Hive(path.read_bytes()))


def test_an_export_imported_into_an_empty_hive_gives_the_same_tree(everything: Path, empty: Path) -> None:
    text = empty.with_name("text.reg")
    output_of("reg", everything, "export", ROOT, text)

    output_of("reg", empty, "import", text, "--yes")

    assert content(empty) == content(everything)
    assert_judges_agree(empty, content(everything))


def test_hivexregedit_merges_our_export_to_an_equal_tree(tmp_path: Path, empty: Path) -> None:
    hive = hive_with_everything(5)
    for value in hive.key("Kéy ß").values():
        # of a string between quotation marks it reads one line, and takes the bytes for Latin-1
        unreadable = value.type == ValueType.SZ and not (str(value.data).isascii() and str(value.data).isprintable())
        if unreadable or value.size > HIVEX_WRITES:
            hive.delete_value("Kéy ß", value.name)
    full, text = written(hive, tmp_path / "full"), tmp_path / "text.reg"
    output_of("reg", full, "export", ROOT, text)
    as_hivex_reads_it = text.read_text("utf-16").replace("[HKEY_LOCAL_MACHINE\\TEST", "[").replace("[]", "[\\]")

    empty.write_bytes(merged(empty.read_bytes(), as_hivex_reads_it))

    assert content(empty) == content(full)


def test_we_import_what_hivexregedit_exports(everything: Path, empty: Path) -> None:
    text = empty.with_name("text.reg")
    prefix = r"HKEY_LOCAL_MACHINE\TEST"
    text.write_bytes(run_bytes("hivexregedit", "--export", "--prefix", prefix, everything, "\\"))

    output_of("reg", empty, "import", text, "--yes")

    assert content(empty) == content(everything)


def test_importing_a_keys_own_export_changes_nothing(everything: Path) -> None:
    before = fingerprint(everything)
    text = everything.with_name("text.reg")
    output_of("reg", everything, "export", ROOT, text)

    assert "There is nothing to change." in output_of("reg", everything, "import", text, "--yes")
    assert fingerprint(everything) == before


@pytest.fixture(params=["recipe 1", "recipe 2", "a real machine's"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "BCD"
    kind: str = request.param
    path.write_bytes(corpus("hives/BCD-uefi") if kind.startswith("a real") else recipe(int(kind[-1])))
    return path


def test_an_exported_store_lists_the_same_and_holds_the_same(store: Path) -> None:
    copy = store.with_name("copy")

    output_of("bcdedit", store, "/export", copy)

    assert judged(copy.read_bytes()) == judged(store.read_bytes())
    assert output_of("bcdedit", copy, "/enum", "all", "/v") == output_of("bcdedit", store, "/enum", "all", "/v")


def test_a_store_is_made_of_nothing_by_import_and_of_another_again(store: Path) -> None:
    new = store.with_name("new")
    output_of("bcdedit", "/createstore", new)
    assert vmrescue("bcdedit", new, "/enum", "all").status == 1

    output_of("bcdedit", new, "/import", store, "--yes")

    objects = {key: value for key, value in judged(store.read_bytes()).items() if key.startswith("Objects")}
    assert {key: value for key, value in judged(new.read_bytes()).items() if key.startswith("Objects")} == objects
    output_of("bcdedit", new, "/timeout", "3", "--yes")
    output_of("bcdedit", new, "/delete", "{bootmgr}", "/f", "--yes")
    output_of("bcdedit", new, "/import", store, "--yes")
    assert {key: value for key, value in judged(new.read_bytes()).items() if key.startswith("Objects")} == objects


def test_importing_a_stores_own_export_changes_nothing(store: Path) -> None:
    before = fingerprint(store)
    copy = store.with_name("copy")
    output_of("bcdedit", store, "/export", copy)

    output_of("bcdedit", store, "/import", copy, "--yes")

    assert fingerprint(store) == before
