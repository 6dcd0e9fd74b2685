"""Hives built in a test: keys and values as they are written in one, put in by hivexregedit, which is not ours."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from support.machine import run
from support.registry_values import lines, value
from vmrescue.registry import Hive

# Values: int = DWORD, str = SZ, list = MULTI_SZ, bytes = BINARY, tuple = any type and its bytes
Value = int | str | list[str] | bytes | tuple[int, bytes]
Keys = dict[str, dict[str, Value]]


def hive(keys: Keys) -> bytes:
    """A hive with these keys, and those above them. Only the empty hive, from which hivexregedit starts, is ours."""
    return _built(_document(keys))


@cache
def _built(text: str) -> bytes:
    """Many tests ask for the same, and each costs a process."""
    with TemporaryDirectory() as folder:
        path, edits = Path(folder) / "hive", Path(folder) / "keys.reg"
        path.write_bytes(Hive.create("hive").to_bytes())
        edits.write_text(text, encoding="utf-8")
        run("hivexregedit", "--merge", path, edits)
        return path.read_bytes()


def _document(keys: Keys) -> str:
    above = {"\\".join(path.split("\\")[:count]) for path in keys for count in range(1, path.count("\\") + 2)}
    parts = ["Windows Registry Editor Version 5.00\n"]
    for path in sorted(above, key=lambda path: path.lower().split("\\")):
        parts.append(f"[\\{path}]")
        parts += [f'"{name}"={_spelled(data)}' for name, data in keys.get(path, {}).items()]
        parts.append("")
    return "\n".join(parts) + "\n"


def _spelled(data: Value) -> str:
    if isinstance(data, int):
        return f"dword:{data:08x}"
    if isinstance(data, str):
        return value(1, f"{data}\0".encode("utf-16-le"))
    if isinstance(data, list):
        return lines(data)
    return value(*data) if isinstance(data, tuple) else value(3, data)
