"""Damaged hives: each command ends with an error of ours or does its work; a refused edit leaves the file alone."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest

from bcd.stores import recipe
from commands.here import vmrescue
from commands.hives import CRASH_CONTROL, system_hive
from support.images import fingerprint
from vmrescue.registry import Hive
from vmrescue.registry.reg_file import HEADER

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTED = {0, 1, 2, 3, 4, 5}
KEY = rf"HKLM\SYSTEM\{CRASH_CONTROL}"
COMMANDS = [
    ("reg", "query", r"HKLM\SYSTEM", "/s"),
    ("reg", "compare", r"HKLM\SYSTEM\ControlSet001", r"HKLM\SYSTEM\CurrentControlSet", "/s"),
    ("reg", "check", r"HKLM\SYSTEM"),
    ("reg", "add", KEY, "/v", "NMICrashDump", "/t", "REG_DWORD", "/d", "1", "/f"),
    ("reg", "delete", r"HKLM\SYSTEM\ControlSet001", "/f"),
    ("reg", "copy", r"HKLM\SYSTEM\ControlSet001", r"HKLM\SYSTEM\ControlSet009", "/s", "/f"),
    ("bcdedit", "/enum", "all", "/v"),
    ("bcdedit", "/deletevalue", "{badmemory}", "badmemorylist", "--yes"),
    ("bcdedit", "/delete", "{default}", "--yes"),
]


def damaged(data: bytes, seed: int) -> bytes:
    """A few bytes changed, where the structures are; or the end cut off."""
    chance = random.Random(seed)
    changed = bytearray(data)
    for _ in range(chance.choice([1, 1, 2, 5])):
        place = chance.randrange(4096 + 32, len(changed) if chance.random() < 0.5 else 8192)
        changed[place] = chance.choice([0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)])
    if chance.random() < 0.1:
        del changed[chance.randrange(512, len(changed)) :]
    return bytes(changed)


@pytest.mark.parametrize("seed", range(60))
def test_a_damaged_hive_gives_an_error_of_ours_or_the_right_thing(seed: int, tmp_path: Path) -> None:
    words = COMMANDS[seed % len(COMMANDS)]
    path = tmp_path / "hive"
    path.write_bytes(damaged(system_hive().to_bytes() if words[0] == "reg" else recipe(1), seed))
    before = fingerprint(path)

    done = vmrescue(words[0], path, *words[1:])

    assert done.status in DOCUMENTED
    if done.status > 1:
        assert done.err
        assert fingerprint(path) == before


@pytest.mark.parametrize("what", ["values of one key", "keys removed and made anew"])
def test_an_import_takes_time_in_proportion_to_its_lines(what: str, tmp_path: Path) -> None:
    hive, text = tmp_path / "hive", tmp_path / "import.reg"
    hive.write_bytes(system_hive().to_bytes())
    numbers = range(5000)
    if what == "values of one key":
        lines = ["[HKEY_LOCAL_MACHINE\\SYSTEM\\A]", *(f'"v{number}"=dword:1' for number in numbers)]
    else:
        lines = [f"[-HKEY_LOCAL_MACHINE\\SYSTEM\\gone\\{number}]" for number in numbers]
        lines += [f"[HKEY_LOCAL_MACHINE\\SYSTEM\\A{number}\\B\\C\\D\\E]" for number in range(1000)]
    text.write_text("\n".join([HEADER, "", *lines, ""]))

    begun = time.process_time()
    done = vmrescue("reg", hive, "import", text, "--yes", "--quiet")

    assert done.status == 0
    assert time.process_time() - begun < 20
    assert Hive(hive.read_bytes()).check() == []


def test_an_import_that_takes_many_keys_out_of_one_list_is_made(tmp_path: Path) -> None:
    """That each is gone is confirmed by dissect's reader, which would go through the whole list for each."""
    path, text = tmp_path / "hive", tmp_path / "import.reg"
    hive = system_hive()
    for number in range(3000):
        hive.create_key(f"A\\k{number}")
    path.write_bytes(hive.to_bytes())
    lines = [f"[-HKEY_LOCAL_MACHINE\\SYSTEM\\A\\k{number}]" for number in range(0, 3000, 2)]
    lines += [f"[HKEY_LOCAL_MACHINE\\SYSTEM\\A\\n{number}]" for number in range(1000)]
    text.write_text("\n".join([HEADER, "", *lines, ""]))

    begun = time.process_time()
    done = vmrescue("reg", path, "import", text, "--yes", "--quiet")

    assert (done.status, done.err) == (0, "")
    assert time.process_time() - begun < 20
    edited = Hive(path.read_bytes())
    kept = {f"k{number}" for number in range(1, 3000, 2)}
    assert {key.name for key in edited.key("A").subkeys()} == kept | {f"n{number}" for number in range(1000)}
    assert edited.check() == []
