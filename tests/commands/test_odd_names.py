"""Keys with names that a path cannot simply hold: slashes, which Windows itself uses, and what only the kernel allows.

hivexsh and hivexregedit make what they can make; reglookup, which escapes what is odd, says what is there afterwards.
"""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from commands.here import output_of
from commands.hives import written
from registry.judges import assert_reglookup_agrees, content_of
from support.images import fingerprint
from support.machine import missing, need_tool, run
from support.real_data import CORPUS
from vmrescue.json_text import json_text
from vmrescue.registry import Hive, ValueType
from vmrescue.registry.check import NAME
from vmrescue.registry.path import join

if TYPE_CHECKING:
    from pathlib import Path

SLASHES = ["RC4 128/128", "application/pdf", "a/b", "/", "//x", "trailing/ "]
ODD = ["line\nbreak", "\r\n[HKEY_LOCAL_MACHINE\\TEST\\planted]", "N\0L", "half \ud800", "\udc00\ud800", "back\\slash"]
ODD += ["\\", "trailing ", " leading", "]", '";=@-', "Ã©", "\x85\u2028", "{5c}", "\x1b[2J", "\ufeff", "😀"]


def listed(path: Path) -> set[str]:
    """The keys of a hive, by their paths as reglookup escapes them."""
    done = subprocess.run([need_tool("reglookup"), "-H", path], capture_output=True, timeout=60, check=True)
    rows = [line.split(",") for line in done.stdout.decode("ascii").splitlines()]
    return {row[0] for row in rows if row[1] == "KEY"}


@pytest.fixture
def slashes(tmp_path: Path) -> Path:
    """A hive in which hivexsh made keys with slashes in their names, and `a\\b` beside `a/b`."""
    path = written(Hive.create("TEST"), tmp_path / "TEST")
    keys = "".join(
        f"cd \\\nadd {name.rstrip()}\ncd {name.rstrip()}\nsetval 1\nv\ndword:{n}\n" for n, name in enumerate(SLASHES)
    )
    run("hivexsh", "-w", path, stdin=f"{keys}cd \\\nadd a\ncd a\nadd b\ncd b\nsetval 1\nv\ndword:99\ncommit\n".encode())
    return path


def test_a_slash_in_a_keys_name_is_a_letter(slashes: Path) -> None:
    before = fingerprint(slashes)
    assert {"/a%2Fb", "/a/b", "/RC4 128%2F128", "/%2F", "/%2F%2Fx"} < listed(slashes)
    for name in ("a/b", "/", "//x", "RC4 128/128"):
        there = listed(slashes)
        printed = output_of("reg", slashes, "delete", rf"HKLM\TEST\{name}", "/f")
        assert f"delete the key {name}\n" in printed
        assert there - listed(slashes) == {"/" + name.replace("/", "%2F")}
    assert "/a/b" in listed(slashes)
    for _ in range(4):
        output_of("undo", slashes)
    assert fingerprint(slashes) == before


def test_a_plans_before_is_of_the_key_that_it_names(slashes: Path) -> None:
    document = json.loads(
        output_of("reg", slashes, "add", r"HKLM\TEST\a/b", "/v", "v", "/d", "x", "--dry-run", "--format", "json")
    )
    (step,) = document["plan"]["steps"]
    assert (step["change"]["key"], step["change"]["before"]) == ("a/b", {"type": "REG_DWORD", "data": 2})


def test_the_key_with_a_slash_out_of_the_corpus_is_deleted_and_comes_back(tmp_path: Path) -> None:
    source = CORPUS / "odd/hive-slash-and-backslash-keys"
    if not source.exists():
        missing(f"the corpus is not here ({source.name}); set VMRESCUE_CORPUS")
    hive = tmp_path / "hive"
    hive.write_bytes(source.read_bytes())
    output_of("reg", hive, "delete", r"HKLM\hive\a/b", "/f")
    assert run("hivexregedit", "--export", hive, "\\").count("[") == 3  # the root, a, a\b
    output_of("undo", hive)
    assert hive.read_bytes() == source.read_bytes()


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A hive with a key of each odd name, each with a value and a subkey of that name."""
    hive = Hive.create("TEST")
    for name in ODD + SLASHES:
        path = join([name, name])
        hive.create_key(path)
        hive.set_value(path, name, ValueType.SZ, "text")
    return written(hive, tmp_path / "TEST")


@pytest.mark.parametrize(
    "name", ["RC4 128/128", "//x", "N\0L", "half \ud800", "back\\slash", "trailing ", "Ã©", ODD[1]]
)
def test_a_key_of_any_name_is_edited_copied_and_deleted(odd: Path, name: str) -> None:
    before = fingerprint(odd)
    key = "HKLM\\TEST\\" + join([name, name])
    (line,) = [line for line in output_of("reg", odd, "query", key).splitlines() if line.startswith("HKEY")]
    assert line == key.replace("HKLM", "HKEY_LOCAL_MACHINE")  # what is shown can be typed

    output_of("reg", odd, "add", key, "/v", "new", "/t", "REG_DWORD", "/d", "5", "/f")
    output_of("reg", odd, "copy", key, r"HKLM\TEST\copy", "/s", "/f")
    output_of("reg", odd, "delete", f"HKLM\\TEST\\{join([name])}", "/f")

    content = content_of(Hive(odd.read_bytes()))
    assert content["copy"] == {name: (1, b"t\0e\0x\0t\0\0\0"), "new": (4, b"\5\0\0\0")}
    assert join([name]) not in content
    assert len(content) == 1 + 1 + 2 * (len(ODD + SLASHES) - 1)
    # a backslash in a name is what Windows' checker objects to, and what was asked for here
    assert {problem.structure for problem in Hive(odd.read_bytes()).check()} <= {NAME}
    assert_reglookup_agrees(odd, content)
    for _ in range(3):
        output_of("undo", odd)
    assert fingerprint(odd) == before


def test_an_export_of_any_names_imports_again(odd: Path, tmp_path: Path) -> None:
    text, empty = tmp_path / "text.reg", written(Hive.create("TEST"), tmp_path / "empty")
    output_of("reg", odd, "export", r"HKLM\TEST", text)

    output_of("reg", empty, "import", text, "--yes")

    assert content_of(Hive(empty.read_bytes())) == content_of(Hive(odd.read_bytes()))
    assert_reglookup_agrees(empty, content_of(Hive(odd.read_bytes())))
    assert "/planted" not in listed(empty)


def test_a_plan_with_any_names_is_applied_from_its_document(odd: Path, tmp_path: Path) -> None:
    text, plan = tmp_path / "text.reg", tmp_path / "plan.json"
    empty = written(Hive.create("TEST"), tmp_path / "empty")
    output_of("reg", odd, "export", r"HKLM\TEST", text)
    document = json.loads(output_of("reg", empty, "import", text, "--dry-run", "--format", "json"))
    plan.write_text(json_text(document["plan"]), "utf-8")

    output_of("apply", plan, empty, "--yes")

    assert_reglookup_agrees(empty, content_of(Hive(odd.read_bytes())))
