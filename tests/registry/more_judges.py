"""Two more judges of hives: Samba's regtree, which reads plain ones, and Microsoft's chkreg, where a user has it."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from support import judges
from support.machine import need_tool
from vmrescue.registry import ValueType
from vmrescue.registry.path import split

if TYPE_CHECKING:
    from registry.judges import Content

TIMEOUT = 120
# Samba 4.17 ends so at lists of lists whose kinds differ from those it expects, and at numbers of another length.
CANNOT = re.compile(rb"assert failed.*(l[ihf]\.header|data\.length == sizeof)")
VALUE = re.compile(r"^( *)(.*) = (REG_\w+|Unknown) : (.*)$")


def assert_regtree_agrees(path: Path, content: Content) -> None:
    """Asserts that regtree prints the same keys, the same names of values, and the same numbers and bytes.

    Of a hive that it says it cannot read, and of one with names or text beyond ASCII or of several lines, it is not
    asked.
    """
    if not all(_is_plain(key, values) for key, values in content.items()):
        return
    with tempfile.NamedTemporaryFile("w") as settings:  # it wants some
        done = subprocess.run(
            [need_tool("regtree"), "-s", settings.name, "-F", path], capture_output=True, timeout=TIMEOUT
        )
    if CANNOT.search(done.stderr):
        return
    assert done.returncode == 0, done.stderr[-2000:]
    keys, values = parsed(done.stdout.decode("ascii"))
    expected = {tuple(split(key)): value for key, value in content.items()}
    assert keys == set(expected), sorted(keys ^ set(expected))[:5]
    named = {(*key, name): data for key, values in expected.items() for name, data in values.items()}
    assert values.keys() == named.keys(), sorted(values.keys() ^ named.keys())[:5]
    wrong = {place: shown for place, shown in values.items() if not _may_show(*named[place], *shown)}
    assert not wrong, f"regtree: {list(wrong.items())[:3]!r:.2000}"


def parsed(text: str) -> tuple[set[tuple[str, ...]], dict[tuple[str, ...], tuple[str, str]]]:
    """The keys by their paths, and each value's type and data as they are shown. A line is indented by its level."""
    keys: set[tuple[str, ...]] = {()}
    values: dict[tuple[str, ...], tuple[str, str]] = {}
    above: tuple[str, ...] = ()
    for line in text.splitlines()[1:]:
        if found := VALUE.match(line):
            indent, name, kind, data = found.groups()
            values[*above[: len(indent) - 1], name] = kind, data
        else:
            level = len(line) - len(line.lstrip(" "))
            above = (*above[: level - 1], line[level:])
            keys.add(above)
    return keys, values


def _is_plain(key: str, values: dict[str, tuple[int, bytes]]) -> bool:
    words = [*split(key), *values]
    return all(word.isascii() and word.isprintable() and word == word.strip(" ") for word in words) and all(
        name and " = " not in name for name in values
    )


def _may_show(kind: int, raw: bytes, shown_kind: str, shown: str) -> bool:
    """Text and lists are shown in ways of their own: of those only the type counts. Bytes are shown to a cell's end."""
    if kind == ValueType.DWORD:
        return (shown_kind, shown) == ("REG_DWORD", f"0x{int.from_bytes(raw, 'little'):08x}")
    if kind == ValueType.BINARY:
        return shown_kind == "REG_BINARY" and shown.startswith(raw.hex().upper())
    return kind > ValueType.QWORD or shown_kind in (f"REG_{ValueType(kind).name}", "Unknown", "REG_DWORD_BIG_ENDIAN")


def assert_chkreg_is_content(path: Path) -> None:
    """Asserts that Microsoft's chkreg.exe finds nothing to mend, where it is there."""
    if can_ask_chkreg():
        done = chkreg(path)
        assert done.returncode == 0, done.stdout.decode("utf-8", "replace")


def can_ask_chkreg() -> bool:
    """Whether ``VMRESCUE_CHKREG`` names it, and Wine can run it."""
    return judges.find("chkreg.exe") is not None and judges.on_path("wine") is not None


def chkreg(path: Path) -> subprocess.CompletedProcess[bytes]:
    """Its verdict on a copy: 0 is sound, and any other status not (1009 under Windows). Without /R it only looks.

    Source: Azure/repair-script-library, win-repair-registry-hives, which measured it on Windows Server 2022.
    """
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(path, Path(folder) / "hive")
        command = [str(judges.on_path("wine")), str(judges.find("chkreg.exe")), "/F", "hive"]
        return subprocess.run(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT, check=False
        )
