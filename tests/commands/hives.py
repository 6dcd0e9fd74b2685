"""Hives for the tests, and what hivexregedit reads in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bcd.stores import judged
from vmrescue.registry import Hive, ValueType

if TYPE_CHECKING:
    from pathlib import Path

CRASH_CONTROL = r"ControlSet001\Control\CrashControl"


def system_hive() -> Hive:
    """A SYSTEM hive in small: two control sets, the second one the current."""
    hive = Hive.create("SYSTEM")
    hive.create_key("Select")
    hive.set_value("Select", "Current", ValueType.DWORD, 2)
    for number in (1, 2):
        path = f"ControlSet00{number}\\Control\\CrashControl"
        hive.create_key(path)
        hive.set_value(path, "CrashDumpEnabled", ValueType.DWORD, 6 + number)
        hive.set_value(path, "DumpFile", ValueType.EXPAND_SZ, "%SystemRoot%\\MEMORY.DMP")
    return hive


def written(hive: Hive, path: Path) -> Path:
    path.write_bytes(hive.to_bytes())
    return path


def values(path: Path, key: str) -> dict[str, str] | None:
    """The values of a key as hivexregedit exports them; None where it sees no such key."""
    return judged(path.read_bytes()).get(key)


def utf16(text: str) -> str:
    """A string's bytes in the form of an export."""
    return text.encode("utf-16-le").hex(",")
