"""Values put into a hive by hivexregedit, as any program might have left them there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.machine import run

if TYPE_CHECKING:
    from pathlib import Path

MEMORY_MANAGEMENT = r"\ControlSet001\Control\Session Manager\Memory Management"


def lines(texts: list[str]) -> str:
    """REG_MULTI_SZ, as a registration file has it."""
    return value(7, ("\0".join(texts) + "\0\0").encode("utf-16-le"))


def value(kind: int, data: bytes) -> str:
    """Any type and bytes, as a registration file has them."""
    return f"hex({kind:x}):" + ",".join(f"{byte:02x}" for byte in data)


def merge(hive: Path, key: str, values: dict[str, str]) -> None:
    """Puts values, spelled as in a registration file, into a key of a hive."""
    edits = hive.with_name(hive.name + ".reg")
    text = "".join(f'"{name}"={data}\n' for name, data in values.items())
    edits.write_text(f"Windows Registry Editor Version 5.00\n\n[{key}]\n{text}")
    run("hivexregedit", "--merge", hive, edits)
    edits.unlink()
